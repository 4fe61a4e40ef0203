/** How a group is run. Times in milliseconds, sizes in bytes. */
export interface GroupOptions {
  /** How often a leader is heard from. */
  readonly heartbeatIntervalMs: number
  /** A follower that hears nothing for one to two of these seeks election. */
  readonly electionTimeoutMs: number
  /** The granularity of both. */
  readonly tickMs: number
  /** A proposal or read that is not answered by then is refused. */
  readonly requestTimeoutMs: number
  /** Commands larger than this are refused. */
  readonly commandBytesMax: number
  /** Bounds of the proposals that this node's callers may have under way. */
  readonly pendingCountMax: number
  readonly pendingBytesMax: number
  /** Bound of the reads that this node's callers may have waiting. */
  readonly pendingReadsMax: number
  /** A leader proposes at most this much at once, … */
  readonly batchBytesMax: number
  /** … and has at most so many batches uncommitted: what comes meanwhile gathers into the next. Measured best: 2. */
  readonly uncommittedBatchesMax: number
  /** While more of the log than this waits for this node's disk, it proposes nothing and takes in no entries. */
  readonly undurableBytesMax: number
  /** Applying yields to the loop after this long. */
  readonly applyBudgetMs: number
  /** A snapshot is written when at least so many entries … */
  readonly snapshotCount: number
  /** … and so many bytes of log came since the last one (and as many as the last one had, up to eight times this). */
  readonly snapshotLogBytes: number
  /** Applied entries kept in memory for slow followers: at most so many, and at most so many bytes. */
  readonly tailCount: number
  readonly tailBytes: number
  /** A leader keeps up to this much for a follower that answers but lags, before it resorts to a snapshot. */
  readonly lagBytesMax: number
  readonly snapshotChunkBytes: number
}

export const defaultGroupOptions: GroupOptions = {
  heartbeatIntervalMs: 100,
  electionTimeoutMs: 1000,
  tickMs: 10,
  requestTimeoutMs: 7000,
  commandBytesMax: 8 * 1024 * 1024,
  pendingCountMax: 65_536,
  pendingBytesMax: 64 * 1024 * 1024,
  pendingReadsMax: 262_144,
  batchBytesMax: 1024 * 1024,
  uncommittedBatchesMax: 2,
  undurableBytesMax: 64 * 1024 * 1024,
  applyBudgetMs: 5,
  snapshotCount: 10_000,
  snapshotLogBytes: 64 * 1024 * 1024,
  tailCount: 20_000,
  tailBytes: 8 * 1024 * 1024,
  lagBytesMax: 64 * 1024 * 1024,
  snapshotChunkBytes: 256 * 1024,
}
