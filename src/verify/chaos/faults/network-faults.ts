/**
 * Faults of the network between nodes. A cut ends in one of two ways, as the seed has it: what was held back arrives
 * late, after all; or the connections break and it is lost.
 */
import type { Prng } from '../../../base/index.ts'
import type { ChaosNode } from '../cluster/chaos-node.ts'
import { type Direction, openLink } from '../relay/link-rule.ts'
import type { Fault } from './nemesis.ts'
import { between } from './plan.ts'
import { directionsBetween, type FaultScene, reversed } from './scene.ts'
import { shuffled, twoSides } from './sides.ts'

const cutLink = { ...openLink, cut: true }

export const partition: Fault = async (scene, { holdMs }, random, tell) => {
  const [one, other] = twoSides(scene.cluster.nodes, random)
  tell(`cut ${names(one)} from ${names(other)}`)
  await cutFor(scene, bothWays(one, other), holdMs, random)
}

export const isolate: Fault = async (scene, { holdMs }, random, tell) => {
  const node = scene.pickNode(random)
  tell(`cut off ${scene.describe(node)}`)
  await cutFor(scene, bothWays([node], scene.cluster.nodes), holdMs, random)
}

export const oneWay: Fault = async (scene, { holdMs }, random, tell) => {
  const node = scene.pickNode(random)
  const outward = directionsBetween([node], scene.cluster.nodes)
  const unheard = random.below(2) === 0
  tell(`${scene.describe(node)} ${unheard ? 'is heard by nobody' : 'hears nobody'}`)
  await cutFor(scene, unheard ? outward : reversed(outward), holdMs, random)
}

export const bridge: Fault = async (scene, { holdMs }, random, tell) => {
  const [between, ...rest] = shuffled(scene.cluster.nodes, random)
  const [one, other] = twoSides(rest, random)
  tell(`${names(one)} and ${names(other)} reach each other through ${between!.name} only`)
  await cutFor(scene, bothWays(one, other), holdMs, random)
}

export const flap: Fault = async (scene, { holdMs }, random, tell) => {
  const node = scene.pickNode(random)
  const periodMs = between(random, 50, 600)
  tell(`cut off ${scene.describe(node)} every ${2 * periodMs} ms`)
  const directions = bothWays([node], scene.cluster.nodes)
  for (let leftMs = holdMs; leftMs > 0 && !scene.isHealing; leftMs -= 2 * periodMs) {
    await cutFor(scene, directions, periodMs, random)
    await scene.hold(periodMs)
  }
}

export const slow: Fault = async (scene, { holdMs }, random, tell) => {
  const node = scene.pickNode(random)
  const delayMs = between(random, 5, 150)
  const rule = { ...openLink, delayMs, jitterMs: random.below(delayMs) }
  tell(`${scene.describe(node)} is ${delayMs} to ${delayMs + rule.jitterMs} ms away`)
  await layFor(scene, bothWays([node], scene.cluster.nodes), rule, holdMs)
}

export const narrow: Fault = async (scene, { holdMs }, random, tell) => {
  const node = scene.pickNode(random)
  const kibPerSecond = 8 << random.below(5)
  tell(`${scene.describe(node)} has ${kibPerSecond} KiB/s`)
  const rule = { ...openLink, bytesPerSecond: kibPerSecond * 1024 }
  await layFor(scene, bothWays([node], scene.cluster.nodes), rule, holdMs)
}

export const reset: Fault = async (scene, { holdMs }, random, tell) => {
  const intervalMs = between(random, 30, 300)
  tell(`reset connections every ${intervalMs} ms`)
  const { nodes } = scene.cluster
  for (let leftMs = holdMs; leftMs > 0 && !scene.isHealing; leftMs -= intervalMs) {
    const one = nodes[random.below(nodes.length)]!
    const directions = directionsBetween([one], nodes)
    scene.cluster.mesh.reset([directions[random.below(directions.length)]!])
    await scene.hold(intervalMs)
  }
}

/** The faults of this file by their names. */
export const networkFaults = { partition, isolate, 'one-way': oneWay, bridge, flap, slow, narrow, reset }

async function cutFor(scene: FaultScene, directions: readonly Direction[], ms: number, random: Prng): Promise<void> {
  const breaks = random.below(2) === 0
  await layFor(scene, directions, cutLink, ms, () => {
    if (breaks) scene.cluster.mesh.reset(directions)
  })
}

async function layFor(
  scene: FaultScene,
  directions: readonly Direction[],
  rule: typeof openLink,
  ms: number,
  beforeLifting: () => void = () => {},
): Promise<void> {
  const laid = scene.cluster.mesh.lay(directions, rule)
  await scene.hold(ms)
  beforeLifting()
  laid.lift()
}

function bothWays(one: readonly ChaosNode[], other: readonly ChaosNode[]): Direction[] {
  const directions = directionsBetween(one, other)
  return [...directions, ...reversed(directions)]
}

function names(nodes: readonly ChaosNode[]): string {
  return nodes
    .map((node) => node.name)
    .sort()
    .join('+')
}
