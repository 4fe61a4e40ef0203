/** Scenarios that are about what one kind of client is promised. */
import { clockDrift, clockSkew } from '../faults/clock-faults.ts'
import { slowDisk } from '../faults/disk-faults.ts'
import { isolateLeader, partitionMinority } from '../faults/network-faults.ts'
import { powerLoss, processDeath } from '../faults/process-faults.ts'
import { onlyFaults, type Scenario } from './scenario.ts'

export const clientScenarios: readonly Scenario[] = [
  onlyFaults(
    'clock-drift',
    'clocks run fast and slow within the bound, and wall clocks jump, under leases and locks',
    { kinds: [clockDrift, clockDrift, clockSkew, isolateLeader], gapMs: 400, lastsMs: 4000, activeMax: 6 },
    { load: { leaseClients: 3, lockClients: 3 } },
  ),
  onlyFaults(
    'lease-expiry-under-failover',
    'leases are held, let go and run out while leaders come and go',
    { kinds: [isolateLeader, powerLoss, processDeath, clockDrift], gapMs: 1000, lastsMs: 1500, activeMax: 2 },
    { load: { leaseClients: 6, clients: 2 } },
  ),
  onlyFaults(
    'watch-resume',
    'watchers lose their nodes and go on elsewhere, while history is compacted',
    { kinds: [powerLoss, processDeath, partitionMinority, slowDisk], gapMs: 700, lastsMs: 1000, activeMax: 2 },
    { load: { watchers: 10, compacts: true, operationsPerSecond: 80 } },
  ),
  onlyFaults(
    'lock-with-stopped-holder',
    'holders of a lock stand still and wake up after others took it',
    { kinds: [isolateLeader, processDeath, clockDrift], gapMs: 1500, lastsMs: 1500, activeMax: 1 },
    { durationMs: 30_000, load: { lockClients: 5, clients: 2 } },
  ),
]
