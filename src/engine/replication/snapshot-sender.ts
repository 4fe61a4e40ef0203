/**
 * Streams the state of this node to a peer that is too far behind for the log.
 *
 * - S1  One transfer a peer; at most `chunksInFlightMax` chunks are sent and not yet acknowledged.
 * - S2  The image is of the moment the transfer began; the state machine goes on changing meanwhile.
 * - S3  Every transfer ends in exactly one call of `finished`, unless a newer one to the same peer takes its place: the
 *       core has given it up then. Its image is closed in any case.
 */
import type { MemberId, SnapshotMeta } from '../../core/index.ts'
import type { Timer } from '../../runtime/index.ts'
import type { GroupPort } from './group-port.ts'
import { decodeNumber, drawFirstId, encodeNumbers, messageKind } from './message-kinds.ts'
import { encodeSnapshotMeta } from './snapshot-meta.ts'
import type { StateSnapshot } from './state-machine.ts'

interface Transfer {
  readonly id: number
  readonly to: MemberId
  readonly index: number
  readonly image: StateSnapshot
  sentChunks: number
  takenChunks: number
  allSent: boolean
  lastProgressMs: number
}

const chunksInFlightMax = 4
/** A transfer that makes no progress for so long is given up. */
const stalledMsMax = 15_000
/** A peer that turned a snapshot down (it has no room, say) is left in peace for so long before the core may try again. */
const refusedPauseMs = 1000

export class SnapshotSender {
  private readonly port: GroupPort
  private readonly chunkBytes: number
  private readonly finished: (to: MemberId, index: number, ok: boolean) => void
  private readonly transfers = new Map<MemberId, Transfer>()
  /** Transfers that were turned down and are not reported as finished yet. */
  private readonly refused = new Map<MemberId, { readonly index: number; readonly timer: Timer }>()
  private lastId: number

  constructor(port: GroupPort, chunkBytes: number, finished: (to: MemberId, index: number, ok: boolean) => void) {
    this.port = port
    this.chunkBytes = chunkBytes
    this.finished = finished
    this.lastId = drawFirstId(port.runtime.random.fork('snapshot-transfers'))
  }

  begin(to: MemberId, term: number, meta: SnapshotMeta, image: StateSnapshot): void {
    // Not reported as failed: the core would take that for the failure of the transfer that begins.
    this.transfers.get(to)?.image.close()
    this.refused.get(to)?.timer.cancel()
    this.refused.delete(to)
    const transfer: Transfer = {
      id: ++this.lastId,
      to,
      index: meta.index,
      image,
      sentChunks: 0,
      takenChunks: 0,
      allSent: false,
      lastProgressMs: this.port.runtime.clock.monotonicMs(),
    }
    this.transfers.set(to, transfer)
    this.port.runtime.logger.info('sending a snapshot to a slow peer', { peer: to.toString(16), index: meta.index })
    this.port.send(to, messageKind.snapshotBegin, [encodeNumbers(transfer.id, term), ...encodeSnapshotMeta(meta)])
    this.pump(transfer)
  }

  onAck(from: MemberId, payload: Uint8Array): void {
    const transfer = this.transfers.get(from)
    if (transfer === undefined || decodeNumber(payload, 0) !== transfer.id) return
    const taken = decodeNumber(payload, 8)
    if (taken <= transfer.takenChunks || taken > transfer.sentChunks) return
    transfer.takenChunks = taken
    transfer.lastProgressMs = this.port.runtime.clock.monotonicMs()
    this.pump(transfer)
  }

  onResult(from: MemberId, payload: Uint8Array): void {
    const transfer = this.transfers.get(from)
    if (transfer === undefined || decodeNumber(payload, 0) !== transfer.id) return
    if (payload[8] === 1) return this.end(transfer, true)
    this.transfers.delete(from)
    transfer.image.close()
    const { index } = transfer
    const timer = this.port.runtime.scheduler.setTimer(refusedPauseMs, () => this.port.guard(() => this.abandon(from)))
    this.refused.set(from, { index, timer })
  }

  /** Gives up what has stalled. Call now and then. */
  expire(nowMs: number): void {
    for (const transfer of this.transfers.values())
      if (nowMs - transfer.lastProgressMs > stalledMsMax) this.end(transfer, false)
  }

  /** The peer is gone, or this node leads no more. */
  abandon(to: MemberId): void {
    const transfer = this.transfers.get(to)
    if (transfer !== undefined) this.end(transfer, false)
    const refused = this.refused.get(to)
    if (refused === undefined) return
    refused.timer.cancel()
    this.refused.delete(to)
    this.finished(to, refused.index, false)
  }

  abandonAll(): void {
    for (const peer of [...this.transfers.keys(), ...this.refused.keys()]) this.abandon(peer)
  }

  /** Sends one chunk a turn, as far as the window allows. */
  private pump(transfer: Transfer): void {
    if (this.transfers.get(transfer.to) !== transfer || transfer.allSent) return
    if (transfer.sentChunks - transfer.takenChunks >= chunksInFlightMax) return
    const chunk = transfer.image.next(this.chunkBytes)
    if (chunk === undefined) {
      transfer.allSent = true
      this.port.send(transfer.to, messageKind.snapshotEnd, [encodeNumbers(transfer.id, transfer.sentChunks)])
      return
    }
    transfer.sentChunks++
    this.port.send(transfer.to, messageKind.snapshotChunk, [encodeNumbers(transfer.id, transfer.sentChunks), chunk])
    this.port.runtime.scheduler.setTimer(0, () => this.port.guard(() => this.pump(transfer)))
  }

  private end(transfer: Transfer, ok: boolean): void {
    this.transfers.delete(transfer.to)
    transfer.image.close()
    this.finished(transfer.to, transfer.index, ok)
  }
}
