/** Scenarios directed at the moments in which one configuration gives way to another. */
import type { MemberId } from '../../../core/index.ts'
import { pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import { peerUrlOf } from '../settings.ts'
import type { World } from '../world.ts'
import { cutOff, othersOf, startAll } from './directing.ts'
import type { Scenario } from './scenario.ts'

const load = { operationsPerSecond: 100, clients: 8, operator: undefined } as const

/**
 * A leader that reaches one of four others is asked, again and again, for configurations in which the two of them, or they
 * and one more, decide alone. The three others go on by the configuration that they know.
 */
const hastyChanges: Scenario = {
  name: 'hasty-changes',
  about: 'a leader cut off with one follower is asked for smaller and smaller configurations in quick succession',
  nodes: 5,
  durationMs: 12_000,
  load,
  attack: async (world) => {
    const { cluster, random, recorder, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(800 + random.below(400))
      const { leader } = cluster
      if (leader === undefined) continue
      const [confidant, third, fourth] = othersOf(world, leader)
      if (confidant === undefined || third === undefined || fourth === undefined) continue
      recorder.countFault('hasty-changes')
      recorder.tell(`${leader.name} and ${confidant.name} are cut off, and are to go on alone`)
      const heal = cutOff(world, [leader, confidant])
      const steps = pick(random, [
        [[leader, confidant, third]],
        [
          [leader, confidant, third, fourth],
          [leader, confidant, third],
          [leader, confidant],
        ],
      ])
      for (const members of steps) {
        const voters = members.flatMap(({ memberId }): MemberId[] => (memberId === undefined ? [] : [memberId]))
        leader.running?.inspect().group.proposeConfiguration({ voters, learners: [] })
        await world.pass(random.below(10))
      }
      await world.pass(2500 + random.below(1000))
      heal()
    }
  },
}

/**
 * Two of five members are removed at once. When the leader has applied that, or when the configuration without them is
 * committed, it is cut off together with one follower, and the three others, two of them removed, are left with each other.
 */
const removalCutShort: Scenario = {
  name: 'removal-cut-short',
  about: 'two of five members are removed, and the network is cut in the middle of the change',
  nodes: 5,
  durationMs: 8000,
  load,
  attack: async (world) => {
    const { cluster, random, recorder } = world
    await world.pass(1000 + random.below(500))
    const { leader } = cluster
    if (leader === undefined) return
    const [confidant, , ...leaving] = othersOf(world, leader)
    if (confidant === undefined) return
    for (const machine of leaving) remove(leader, machine)
    const atTheEnd = random.below(2) === 0
    const isThere = (): boolean => (atTheEnd ? hasLeft(leader, 3) : leader.declaredVoters.length === 3)
    await world.runUntil(isThere, 3000)
    recorder.countFault('removal-cut-short')
    recorder.tell(`${leader.name} and ${confidant.name} are cut off`)
    const heal = cutOff(world, [leader, confidant])
    await world.pass(3000)
    heal()
    await world.pass(1500)
  },
}

/** Whether a configuration of so many voters is committed there. */
function hasLeft(machine: Machine, voters: number): boolean {
  const group = machine.running?.inspect().group.configuration()
  return group?.committed === true && group.configuration.voters.length === voters
}

function remove(by: Machine, machine: Machine): void {
  const { memberId } = machine
  if (memberId === undefined) return
  // From now on it may be told so, and end.
  machine.excuses.add('removed')
  by.running?.services.engine.memberRemove(memberId, () => {})
}

/**
 * A learner joins three voters; then the leader reaches only the learner, and the two others only each other. What a
 * learner has counts for nothing.
 */
const learnerSide: Scenario = {
  name: 'learner-side',
  about: 'a leader is left alone with a learner',
  nodes: 3,
  durationMs: 14_000,
  load,
  attack: async (world) => {
    const { cluster, random, recorder, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    const learner = await addLearner(world)
    while (simulation.nowMs < endMs) {
      startAll(world)
      await world.pass(1000 + random.below(500))
      const { leader } = cluster
      if (leader === undefined || leader === learner) continue
      recorder.countFault('learner-side')
      recorder.tell(`${leader.name} reaches only ${learner.name}`)
      const heal = cutOff(world, [leader, learner])
      await world.pass(2000 + random.below(1000))
      heal()
    }
  },
}

/** Adds a machine as a learner, once somebody leads, and waits until it runs. */
async function addLearner(world: World): Promise<Machine> {
  const { cluster } = world
  const machine = cluster.spare()
  let added = false
  await world.runUntil(() => cluster.leader !== undefined, 5000)
  await world.pass(500)
  cluster.leader?.running?.services.engine.memberAdd([peerUrlOf(machine.name)], true, ({ ok }) => {
    added = ok
  })
  await world.runUntil(() => added, 3000)
  if (!added) return machine
  cluster.prepareJoin(machine)
  cluster.start(machine)
  await world.runUntil(() => machine.running !== undefined, 5000)
  return machine
}

export const changeScenarios: readonly Scenario[] = [hastyChanges, removalCutShort, learnerSide]
