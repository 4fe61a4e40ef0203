import type { Entry, HardState } from '../../core/index.ts'

/** Whose log this is. Written into every file, so that a node never opens the directory of another. */
export interface NodeTag {
  readonly clusterId: bigint
  readonly memberId: bigint
}

/** What one consensus group wants on disk. */
export interface GroupWrite {
  /** 0 to 2^32 - 1. */
  readonly group: number
  /**
   * `log` (the default, for Raft): an entry replaces the one at its index and every later one; indexes have no gaps.
   * `slots` (for Multi-Paxos): an entry replaces the one at its index only; any order, gaps allowed.
   */
  readonly mode?: 'log' | 'slots' | undefined
  /**
   * Mode `log`, before `entries`: all entries of the group are dropped and the next index is one more than this. A snapshot
   * up to it must be durable already. For a log that a leader's snapshot replaced, whether or not `entries` leave a gap
   * after it; never when entries after the snapshot are to stay.
   */
  readonly restartAfter?: number | undefined
  readonly entries: readonly Entry[]
  /** Present when it changed. Durable no later than `entries`. */
  readonly hardState: HardState | undefined
}

/** What survived of one group. */
export interface RecoveredGroup {
  readonly hardState: HardState
  /** In index order; without gaps in mode `log`. */
  readonly entries: Entry[]
}

/** What the host restores a group from, besides the log. */
export interface SnapshotPosition {
  /** The newest snapshot that the host has read and verified. */
  readonly index: number
  /**
   * The term of the entry at `index`. Where the log has another entry there, or ends before it, the node went down between
   * storing a leader's snapshot and writing `restartAfter`: the log is of a dead branch and restarts after the snapshot.
   */
  readonly term: number
  /** Recovered entries from this index on are returned, if present. Default `index + 1`. */
  readonly keepFrom?: number | undefined
}

/** What opening the log did. */
export interface RecoveryReport {
  /** Nothing was there and a new log was made. A host that knows this member refuses it. */
  readonly fresh: boolean
  readonly segments: number
  readonly frames: number
  readonly records: number
  /** Bytes of a torn last frame that were cut; 0 for none. */
  readonly tornBytes: number
  /** Damaged or stale copies of the hard state that were rewritten from the other one. */
  readonly repairedCopies: number
}

/**
 * `open`: writing. `full`: the disk is full, appends wait for `retry`. `failed`: a write or sync failed, for good.
 * `closed`: by its owner.
 */
export type WalState = 'open' | 'full' | 'failed' | 'closed'
