/**
 * Combinations of faults that are unlikely to meet by chance and hurt where protocols are thin: around what a leader alone
 * knows, and around what is acknowledged and not yet on a disk.
 */
import { chance, pick, shuffled } from '../chance.ts'
import type { FaultKind, FaultWorld } from './fault.ts'

const slowSyncMs = [50, 400] as const
const healthySyncMs = [0.1, 0.4] as const

/** Lets the leader reach only one other, so that what it takes in stays on a minority; then the power fails there. */
export const leaderWithOneFollower: FaultKind = {
  name: 'leader-with-one-follower',
  begin: (world, random) => {
    const { leader, members } = world.cluster
    const others = members.filter((machine) => machine !== leader)
    if (leader === undefined || others.length < 2) return false
    const confidant = pick(random, others)
    world.recorder.tell(`${leader.name} reaches only ${confidant.name}`)
    const heal = world.links.add({
      applies: (from, to) =>
        (from === leader.name && to !== confidant.name) || (to === leader.name && from !== confidant.name),
      faults: { cut: true },
    })
    let ended = false
    world.simulation.after(5 + random.below(150), () => {
      if (ended) return
      world.cluster.crash(leader, chance(random, 0.5) ? 'power-loss' : 'process-death')
      heal()
    })
    return () => {
      ended = true
      heal()
      world.cluster.start(leader)
    }
  },
}

/**
 * Disks are slow, something is written, the power fails everywhere, and one machine stays away, most often the leader:
 * what was acknowledged must be on the disks of the others.
 */
export const forgetfulBlackout: FaultKind = {
  name: 'forgetful-blackout',
  begin: (world, random) => {
    const { leader, members } = world.cluster
    if (leader === undefined) return false
    const absent = chance(random, 0.7) ? leader : pick(random, members)
    const slow = chance(random, 0.5) ? members.filter((machine) => machine !== leader) : members
    for (const machine of slow) machine.simulated.setDisk({ syncDelayMs: slowSyncMs })
    world.recorder.tell(`disks are slow, and then the power fails everywhere; ${absent.name} stays away`)
    let ended = false
    world.simulation.after(10 + random.below(400), () => {
      if (ended) return
      for (const machine of world.cluster.alive) world.cluster.crash(machine, 'power-loss')
      for (const machine of slow) machine.simulated.setDisk({ syncDelayMs: healthySyncMs })
      for (const machine of members)
        if (machine !== absent) world.simulation.after(random.below(50), () => world.cluster.start(machine))
    })
    return () => {
      ended = true
      for (const machine of slow) machine.simulated.setDisk({ syncDelayMs: healthySyncMs })
      for (const machine of members) world.cluster.start(machine)
    }
  },
}

/** The leader stands still, or is not heard, until another one leads and has written; then it is back, and is asked. */
export const oustedLeader: FaultKind = {
  name: 'ousted-leader',
  begin: (world, random) => {
    const { leader } = world.cluster
    if (leader === undefined) return false
    const stops = chance(random, 0.6)
    if (stops) world.cluster.pause(leader)
    const applies = (from: string, to: string) => (from === leader.name) !== (to === leader.name)
    const cuts = !stops || chance(random, 0.6)
    if (cuts) world.recorder.tell(`the network is cut around the leader, ${leader.name}`)
    const heal = cuts ? world.links.add({ applies, faults: { cut: true } }) : () => {}
    const back = (): void => {
      world.cluster.resume(leader)
      // What the others say reaches it later than what its clients ask.
      world.simulation.after(random.below(150), heal)
    }
    waitForAnother(world, leader.name, random.below(60), back)
    return back
  },
}

function waitForAnother(world: FaultWorld, name: string, thenMs: number, back: () => void): void {
  let looks = 0
  const look = (): void => {
    const { leader } = world.cluster
    if (leader !== undefined && leader.name !== name) world.simulation.after(thenMs, back)
    else if (++looks < 400) world.simulation.after(20, look)
  }
  look()
}

/** Voters are restarted, one after another and quickly, while leaders die: promises must outlive their processes. */
export const restlessVoters: FaultKind = {
  name: 'restless-voters',
  begin: (world, random) => {
    let ended = false
    const step = (): void => {
      if (ended) return
      const [machine] = shuffled(random, world.cluster.alive)
      if (machine !== undefined) {
        world.cluster.crash(machine, chance(random, 0.5) ? 'power-loss' : 'process-death')
        world.simulation.after(random.float() * 20, () => world.cluster.start(machine))
      }
      world.simulation.after(5 + random.float() * 120, step)
    }
    step()
    const { members } = world.cluster
    return () => {
      ended = true
      for (const machine of members) world.cluster.start(machine)
    }
  },
}

export const tactics: readonly FaultKind[] = [leaderWithOneFollower, forgetfulBlackout, oustedLeader, restlessVoters]
