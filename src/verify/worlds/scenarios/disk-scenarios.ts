/** Scenarios of disks. */
import { diskFull, failingSyncs, slowDisk } from '../faults/disk-faults.ts'
import { powerLoss } from '../faults/process-faults.ts'
import { onlyFaults, type Scenario } from './scenario.ts'

export const diskScenarios: readonly Scenario[] = [
  onlyFaults('disk-full', 'disks fill up and get room again, on one member or on all', {
    kinds: [diskFull],
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
]
