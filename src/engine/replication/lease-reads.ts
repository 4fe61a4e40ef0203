import { Raft, type RaftMessage } from '../../core/raft/index.ts'
import type { Algorithm } from './algorithm.ts'
import { raftAlgorithm } from './raft-algorithm.ts'

/** By how much the clocks of two members may differ in speed while a lease runs: 5 %. */
const clockDriftMax = 0.05

/**
 * Raft whose leader answers linearizable reads by its lease, without a round to the followers (Raft thesis §6.4.1). Right
 * only while no member's clock runs more than 5 % faster than another's; the same on all members.
 */
export function leaseReadsRaftAlgorithm(tickMs: number): Algorithm<RaftMessage> {
  return {
    ...raftAlgorithm,
    create({ id, restore, sink, random, timing }) {
      // The first tick of a voter's wait may follow at once: it counts for nothing.
      const electionTimeoutMs = (timing.electionTimeoutTicks - 1) * tickMs
      return new Raft({
        id,
        restore,
        sink,
        random,
        options: { ...timing, leaseReads: { electionTimeoutMs, clockDriftMax } },
      })
    },
  }
}
