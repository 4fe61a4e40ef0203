/** Scenarios of disks. */
import { bitRot, misdirectedReads, misdirectedWrites } from '../faults/damage-faults.ts'
import { diskFull, failingIo, failingSyncs, slowDisk, smallDisk, stuckDisk } from '../faults/disk-faults.ts'
import { powerLoss, processDeath } from '../faults/process-faults.ts'
import { defaultOperatorPlan } from '../load/operator.ts'
import { onlyFaults, type Scenario } from './scenario.ts'

const firstSegment = '0000000000000001.wal'

/**
 * All that the restarted member knows is in its log, and no snapshot stands in for it. Bits of that log flip, few at a
 * time, until the member refuses to serve.
 */
const rottenLog: Scenario = {
  name: 'rotten-log',
  about: 'the write-ahead log of one member rots, bit by bit, and it starts again from that',
  nodes: 3,
  durationMs: 8000,
  settings: (drawn) => ({
    ...drawn,
    walSegmentBytes: 64 * 1024,
    groupOptions: { ...drawn.groupOptions, snapshotCount: 100_000, snapshotLogBytes: 1 << 30 },
  }),
  load: { operationsPerSecond: 400, clients: 16, operator: undefined },
  attack: async (world) => {
    const { cluster, random, recorder, simulation } = world
    const endMs = simulation.nowMs + world.durationMs
    await world.pass(3000)
    const machine = cluster.members.find((each) => cluster.mayDamage(each))
    if (machine === undefined) return
    recorder.countFault('log-rotted')
    while (simulation.nowMs < endMs) {
      cluster.crash(machine, 'process-death')
      cluster.noteDamage(machine)
      for (let i = 0; i < 2; i++)
        machine.simulated.rot({ path: `${machine.config.dataDir}/wal/${firstSegment}`, random })
      cluster.start(machine)
      await world.pass(400)
      if (!machine.isAlive) return
    }
  },
}

export const diskScenarios: readonly Scenario[] = [
  onlyFaults('disk-full', 'disks fill up and get room again, on one member or on all', {
    kinds: [diskFull, diskFull, smallDisk],
    gapMs: 1500,
    lastsMs: 2500,
    activeMax: 2,
  }),
  onlyFaults('slow-disk', 'syncs take up to seconds', { kinds: [slowDisk], gapMs: 800, lastsMs: 2500, activeMax: 3 }),
  onlyFaults('failing-syncs', 'syncs fail, the node must stop, and what it had not synced may be gone', {
    kinds: [failingSyncs, powerLoss],
    gapMs: 1200,
    lastsMs: 1500,
    activeMax: 2,
  }),
  onlyFaults('stuck-io', 'disks get stuck: for a moment, for long, all of it or single operations', {
    kinds: [stuckDisk],
    gapMs: 900,
    lastsMs: 2500,
    activeMax: 2,
  }),
  onlyFaults('failing-io', 'reads and writes fail, and say so', {
    kinds: [failingIo, processDeath],
    gapMs: 1200,
    lastsMs: 1500,
    activeMax: 2,
  }),
  onlyFaults(
    'bit-rot',
    'bits flip at rest, on a minority, and its nodes restart from that; damaged members are replaced',
    { kinds: [bitRot, processDeath, powerLoss], gapMs: 700, lastsMs: 600, activeMax: 2 },
    { load: { operator: { ...defaultOperatorPlan, everyMs: 1500, votersMin: 3 } } },
  ),
  onlyFaults(
    'misdirected-write',
    'writes land elsewhere and reads come from elsewhere, on a minority, unnoticed until a restart',
    { kinds: [misdirectedWrites, misdirectedReads, processDeath, powerLoss], gapMs: 700, lastsMs: 1500, activeMax: 2 },
    { load: { operator: { ...defaultOperatorPlan, everyMs: 1500, votersMin: 3 } } },
  ),
  rottenLog,
]
