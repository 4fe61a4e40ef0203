/**
 * One group's snapshots: those that this node keeps of its own state, and those that go between nodes.
 *
 * - N1  The log on disk reaches back to the oldest snapshot kept: should the newest rot, that one and the log still make
 *       the state.
 */
import type { Entry, MemberId, SnapshotMeta } from '../../core/index.ts'
import type { SnapshotFiles } from '../../storage/snapshot/index.ts'
import type { GroupPort } from './group-port.ts'
import { decodeNumber, messageKind } from './message-kinds.ts'
import type { GroupOptions } from './options.ts'
import { SnapshotKeeper } from './snapshot-keeper.ts'
import { decodeSnapshotMeta } from './snapshot-meta.ts'
import { SnapshotReceiver } from './snapshot-receiver.ts'
import { SnapshotSender } from './snapshot-sender.ts'
import type { StateMachine } from './state-machine.ts'

export interface GroupSnapshotsContext {
  readonly port: GroupPort
  readonly options: GroupOptions
  readonly files: SnapshotFiles
  readonly machine: StateMachine<unknown>
  /** The index of the snapshot that the state was restored from. */
  readonly restoredIndex: number
  /** What has been applied. */
  readonly appliedMeta: () => SnapshotMeta
  /** The core hears of an offer, as it hears of a leader's message; then says whether it wants the snapshot. */
  readonly offered: (from: MemberId, term: number, meta: SnapshotMeta) => boolean
  /** Whether the core still wants it. */
  readonly wanted: (from: MemberId, meta: SnapshotMeta) => boolean
  /** A leader's snapshot is durable and in place. */
  readonly restored: (meta: SnapshotMeta) => void
  /** A transfer to a peer ended. */
  readonly sent: (to: MemberId, index: number, ok: boolean) => void
}

export class GroupSnapshots {
  private readonly context: GroupSnapshotsContext
  private readonly sender: SnapshotSender
  private readonly receiver: SnapshotReceiver
  private readonly keeper: SnapshotKeeper

  constructor(context: GroupSnapshotsContext) {
    const { port, options, files, machine } = context
    this.context = context
    this.sender = new SnapshotSender(port, options.snapshotChunkBytes, context.sent)
    this.receiver = new SnapshotReceiver(port, files, machine, {
      wanted: context.wanted,
      restored: (meta) => this.onRestored(meta),
    })
    this.keeper = new SnapshotKeeper(port, files, options, context.restoredIndex, () => this.releaseLog())
  }

  onLogWritten(entries: readonly Entry[]): void {
    this.keeper.onLogWritten(entries)
  }

  /** Writes a snapshot of this node's state when one is due. */
  onApplied(index: number): void {
    if (this.keeper.isDue(index)) this.keeper.begin(this.context.appliedMeta(), this.context.machine.snapshot())
  }

  /** Whom this node follows, and whether it leads. */
  onStatus(leader: MemberId, leading: boolean): void {
    if (!leading) this.sender.abandonAll()
    this.receiver.onLeader(leader)
  }

  onTick(nowMs: number): void {
    this.sender.expire(nowMs)
  }

  onPeerLost(peer: MemberId): void {
    this.sender.abandon(peer)
  }

  /** Streams the state of this moment to a follower. */
  send(to: MemberId, term: number): void {
    this.sender.begin(to, term, this.context.appliedMeta(), this.context.machine.snapshot())
  }

  /** Takes in a message between nodes; false when it is of another kind. */
  onMessage(from: MemberId, kind: number, payload: Uint8Array): boolean {
    switch (kind) {
      case messageKind.snapshotBegin:
        this.onBegin(from, payload)
        return true
      case messageKind.snapshotChunk:
        this.receiver.onChunk(from, payload)
        return true
      case messageKind.snapshotEnd:
        this.receiver.onEnd(from, payload)
        return true
      case messageKind.snapshotAck:
        this.sender.onAck(from, payload)
        return true
      case messageKind.snapshotResult:
        this.sender.onResult(from, payload)
        return true
      default:
        return false
    }
  }

  stop(): void {
    this.keeper.close()
    this.receiver.abandon()
    this.sender.abandonAll()
  }

  /** Resolves when no file is being written any more; after `stop`. */
  async settled(): Promise<void> {
    await this.keeper.settled()
    await this.receiver.settled()
  }

  private onBegin(from: MemberId, payload: Uint8Array): void {
    const id = decodeNumber(payload, 0)
    const term = decodeNumber(payload, 8)
    const meta = decodeSnapshotMeta(payload.subarray(16))
    if (id < 0 || term < 0 || meta === undefined) return
    if (this.context.offered(from, term, meta)) this.receiver.begin(from, id, meta)
    else this.receiver.refuse(from, id)
  }

  private onRestored(meta: SnapshotMeta): void {
    this.keeper.onRestored(meta.index)
    this.context.restored(meta)
    this.releaseLog()
  }

  /** N1. */
  private releaseLog(): void {
    const oldest = this.context.files.list()[0]
    if (oldest !== undefined) this.context.port.release(oldest.index)
  }
}
