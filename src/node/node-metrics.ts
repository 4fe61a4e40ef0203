/** What only the process that hosts everything can measure, for the metrics page. */
import type { ReplicatedGroup, ReplicationHost } from '../engine/replication/index.ts'
import type { Histogram, NodeMetrics } from '../wire/etcd/index.ts'
import type { StallMonitor } from './stall-monitor.ts'

/** What the operating system says of this process; each field is left out where it cannot tell. */
export type ProcessMetrics = Pick<
  NodeMetrics,
  | 'cpuSeconds'
  | 'residentBytes'
  | 'virtualBytes'
  | 'heapUsedBytes'
  | 'openFileDescriptors'
  | 'maxFileDescriptors'
  | 'startTimeSeconds'
>

/** Collects the measurements when the page is asked for. */
export function nodeMetrics(
  host: ReplicationHost,
  group: Pick<ReplicatedGroup<unknown, unknown>, 'pendingProposals' | 'onStatusChange'>,
  consensus: string,
  stalls: StallMonitor,
  walSyncSeconds: Histogram,
  process: () => ProcessMetrics,
): () => NodeMetrics {
  let leaderChanges = 0
  let lastLeader = 0n
  group.onStatusChange((status) => {
    if (status.leader !== 0n && status.leader !== lastLeader) {
      leaderChanges++
      lastLeader = status.leader
    }
  })
  return () => ({
    ...process(),
    consensus,
    leaderChanges,
    proposalsPending: group.pendingProposals,
    walSyncSeconds,
    peerBytesSent: host.peerBytesSent,
    longestLoopStallSeconds: Math.max(0, stalls.longestMs) / 1000,
  })
}
