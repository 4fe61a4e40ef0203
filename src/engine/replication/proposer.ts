/**
 * Decides when proposals go into the log: this node's own, and those that followers forwarded while this node leads.
 *
 * - B1  While `uncommittedBatchesMax` batches are uncommitted, proposals gather; a commit lets the next batch go.
 * - B2  A forwarded proposal is proposed only in the term it was meant for; otherwise its sender is told that it never
 *       will be (see ProposalQueue P1).
 */
import { asBuffer } from '../../base/index.ts'
import { type MemberId, noMember, type ProposeResult } from '../../core/index.ts'
import { readSequence } from './envelope.ts'
import type { GroupPort } from './group-port.ts'
import { decodeNumber, encodeNumbers, messageKind } from './message-kinds.ts'
import type { GroupOptions } from './options.ts'
import type { ProposalQueue } from './proposal-queue.ts'

interface Forwarded {
  readonly from: MemberId
  readonly term: number
  readonly payload: Uint8Array
}

export interface Office {
  readonly leading: boolean
  readonly leader: MemberId
  readonly term: number
}

export class Proposer {
  private readonly port: GroupPort
  private readonly options: GroupOptions
  private readonly queue: ProposalQueue<unknown>
  private readonly office: () => Office
  private readonly propose: (payloads: readonly Uint8Array[]) => ProposeResult
  private forwarded: Forwarded[] = []
  private forwardedBytes = 0
  /** The last index of each batch of this term that is not known committed, rising. */
  private uncommitted: number[] = []
  /** The log cannot take more at the moment; a commit, a status change or a tick tries again. */
  private blocked = false

  constructor(
    port: GroupPort,
    options: GroupOptions,
    queue: ProposalQueue<unknown>,
    office: () => Office,
    propose: (payloads: readonly Uint8Array[]) => ProposeResult,
  ) {
    this.port = port
    this.options = options
    this.queue = queue
    this.office = office
    this.propose = propose
  }

  get hasWork(): boolean {
    return this.queue.hasWaiting || this.forwarded.length > 0
  }

  /** Hands on what waits. Call at the end of a turn. */
  flush(): void {
    const office = this.office()
    if (office.leading) this.flushAsLeader(office.term)
    else if (office.leader !== noMember) this.flushToLeader(office)
  }

  onCommit(index: number): void {
    this.blocked = false
    while (this.uncommitted.length > 0 && this.uncommitted[0]! <= index) this.uncommitted.shift()
  }

  onStatus(): void {
    this.blocked = false
    this.uncommitted = []
    if (!this.office().leading) this.refuseForwarded(() => true)
  }

  onTick(): void {
    this.blocked = false
  }

  /** A follower forwards. Malformed messages are dropped. */
  onForward(from: MemberId, message: Uint8Array): void {
    const buffer = asBuffer(message)
    const term = decodeNumber(buffer, 0)
    if (term < 0) return
    let offset = 8
    while (offset + 4 <= buffer.length) {
      const end = offset + 4 + buffer.readUInt32LE(offset)
      if (end > buffer.length || end - offset - 4 < 16) return
      const payload = buffer.subarray(offset + 4, end)
      this.forwarded.push({ from, term, payload })
      this.forwardedBytes += payload.length
      offset = end
    }
    const office = this.office()
    if (!office.leading || this.forwardedBytes > this.options.pendingBytesMax)
      this.refuseForwarded((item) => item.from === from)
  }

  /** Tells every follower that what it forwarded, and still waits here, will not be proposed. */
  refuseAll(): void {
    this.refuseForwarded(() => true)
  }

  private flushAsLeader(term: number): void {
    if (this.forwarded.some((item) => item.term !== term)) this.refuseForwarded((item) => item.term !== term)
    while (this.hasWork && !this.blocked && this.uncommitted.length < this.options.uncommittedBatchesMax) {
      const own = this.queue.hand(term, this.options.batchBytesMax)
      const others = this.takeForwarded()
      const payloads = own.map((proposal) => proposal.payload)
      for (const item of others) payloads.push(item.payload)
      const result = this.propose(payloads)
      if (!result.ok) {
        this.queue.takeBack(own.map((proposal) => proposal.sequence))
        this.forwarded = [...others, ...this.forwarded]
        for (const item of others) this.forwardedBytes += item.payload.length
        this.blocked = true
        return
      }
      this.uncommitted.push(result.firstIndex + payloads.length - 1)
    }
  }

  private takeForwarded(): Forwarded[] {
    let bytes = 0
    let count = 0
    while (count < this.forwarded.length) {
      bytes += this.forwarded[count]!.payload.length
      if (count > 0 && bytes > this.options.batchBytesMax) break
      count++
    }
    const taken = count === this.forwarded.length ? this.forwarded : this.forwarded.slice(0, count)
    this.forwarded = count === this.forwarded.length ? [] : this.forwarded.slice(count)
    for (const item of taken) this.forwardedBytes -= item.payload.length
    return taken
  }

  private flushToLeader(office: Office): void {
    while (this.queue.hasWaiting) {
      const own = this.queue.hand(office.term, this.options.batchBytesMax)
      const pieces: Uint8Array[] = [encodeNumbers(office.term)]
      const lengths = Buffer.allocUnsafe(own.length * 4)
      for (const [i, proposal] of own.entries()) {
        lengths.writeUInt32LE(proposal.payload.length, i * 4)
        pieces.push(lengths.subarray(i * 4, i * 4 + 4), proposal.payload)
      }
      this.port.send(office.leader, messageKind.forward, pieces)
    }
  }

  private refuseForwarded(which: (item: Forwarded) => boolean): void {
    const refused = this.forwarded.filter(which)
    if (refused.length === 0) return
    this.forwarded = this.forwarded.filter((item) => !which(item))
    const bySender = new Map<MemberId, number[]>()
    for (const item of refused) {
      this.forwardedBytes -= item.payload.length
      const sequences = bySender.get(item.from) ?? []
      sequences.push(readSequence(item.payload))
      bySender.set(item.from, sequences)
    }
    for (const [from, sequences] of bySender)
      this.port.send(from, messageKind.forwardRefused, [encodeNumbers(...sequences)])
  }
}
