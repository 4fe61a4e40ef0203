import type {
  Configuration,
  CoreRestore,
  EffectSink,
  Entry,
  MemberId,
  ReplicatedLog,
  SnapshotMeta,
} from '../../core/index.ts'

/** Time-outs of a consensus algorithm, in ticks of its host. */
export interface TimingTicks {
  readonly heartbeatTicks: number
  readonly electionTimeoutTicks: number
}

/** A consensus algorithm as its host sees it. `M` is its message type. */
export interface Algorithm<M> {
  /** Recorded in the data directory; starting the directory on another algorithm is refused. */
  readonly name: 'raft' | 'paxos'
  /** How the log on disk takes its persist effects: see `GroupWrite.mode` of the write-ahead log. */
  readonly logMode: 'log' | 'slots'
  /**
   * Whether the terms of applied entries never fall along the log. Then an entry of a later term proves that what was handed to
   * an earlier leader, and was not seen, never will be.
   */
  readonly termsNeverFall: boolean
  create(options: {
    readonly id: MemberId
    readonly restore: CoreRestore
    readonly sink: EffectSink<M>
    /** A uniform integer from 0 to `bound - 1`. */
    readonly random: (bound: number) => number
    readonly timing: TimingTicks
  }): ReplicatedLog<M>
  /**
   * The entries that records of the log on disk stand for, by rising index, committed or not; what cannot be read is left
   * out. For reading a log without a core.
   */
  entriesOf(records: readonly Entry[]): readonly Entry[]
  encode(message: M): readonly Uint8Array[]
  /** Undefined when malformed. */
  decode(bytes: Uint8Array): M | undefined
  /** The commit index that a message tells a follower, or undefined when it tells none. */
  commitTold(message: M): number | undefined
  /** Whether that is all it does, so that any later message that tells as much can take its place. */
  isNewsOnly(message: M): boolean
  /** Whether to take the message in means to write entries or to vouch for them: it may be dropped while the disk is behind. */
  isAppend(message: M): boolean
  /** The message that tells a core of a snapshot's sender and its term, so that the sender is followed as a leader is. */
  snapshotOffer(term: number, meta: SnapshotMeta): M
  /** Whether a snapshot is worth taking in: newer than what the core has committed, and from its present leader. */
  acceptsSnapshot(core: ReplicatedLog<M>, from: MemberId, meta: SnapshotMeta): boolean
  /** The configuration in force at `index`, which is applied and still in memory: it belongs into a snapshot of it. */
  configurationAt(core: ReplicatedLog<M>, index: number): Configuration
}
