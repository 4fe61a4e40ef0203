/** What directed scenarios do again and again. */
import type { Machine } from '../machine.ts'
import type { World } from '../world.ts'

export function startAll({ cluster }: World): void {
  for (const machine of cluster.members) cluster.start(machine)
}

export function othersOf({ cluster }: World, one: Machine): Machine[] {
  return cluster.members.filter((machine) => machine !== one)
}

/** Cuts both ways between two machines; what it returns heals that. */
export function cutBetween(world: World, a: Machine, b: Machine): () => void {
  return world.links.add({
    applies: (from, to) => (from === a.name && to === b.name) || (from === b.name && to === a.name),
    faults: { cut: true },
  })
}

/** Cuts what goes between one machine and all others. */
export function cutAround(world: World, one: Machine): () => void {
  return cutOff(world, [one])
}

/** Cuts what goes between these machines and all others. */
export function cutOff(world: World, side: readonly Machine[]): () => void {
  const inside = new Set(side.map((machine) => machine.name))
  return world.links.add({ applies: (from, to) => inside.has(from) !== inside.has(to), faults: { cut: true } })
}
