/**
 * Decides when proposals go into the log: this node's own, and those that followers forwarded while this node leads.
 *
 * - B1  While `uncommittedBatchesMax` batches are uncommitted, proposals gather; a commit lets the next batch go.
 * - B2  A forwarded proposal is proposed only in the term it was meant for; otherwise its sender is told that it never
 *       will be (see ProposalQueue P1).
 */
import { asBuffer } from '../../base/index.ts'
import { type MemberId, noMember, type ProposeResult } from '../../core/index.ts'
import { envelopeBytes } from './envelope.ts'
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
  /** This node's disk is far behind: what it proposed now would only pile up. */
  readonly behind: boolean
  readonly leader: MemberId
  readonly term: number
}

export class Proposer {
  private readonly port: GroupPort
  private readonly options: GroupOptions
  private readonly queue: ProposalQueue<unknown>
  private readonly office: () => Office
  private readonly propose: (payloads: readonly Uint8Array[]) => ProposeResult
  private readonly noteForwarded: (peer: MemberId, index: number) => void
  private forwarded: Forwarded[] = []
  private forwardedBytes = 0
  /** The last index of each batch of this term that is not known committed, rising. */
  private uncommitted: number[] = []
  /** The disk is full: nothing is taken from followers. */
  private refusing = false
  /** The log cannot take more at the moment; a commit, a status change or a tick tries again. */
  private blocked = false

  constructor(
    port: GroupPort,
    options: GroupOptions,
    queue: ProposalQueue<unknown>,
    office: () => Office,
    propose: (payloads: readonly Uint8Array[]) => ProposeResult,
    noteForwarded: (peer: MemberId, index: number) => void,
  ) {
    this.port = port
    this.options = options
    this.queue = queue
    this.office = office
    this.propose = propose
    this.noteForwarded = noteForwarded
  }

  get hasWork(): boolean {
    return this.queue.hasWaiting || this.forwarded.length > 0
  }

  /** Hands on what waits. Call at the end of a turn. */
  flush(): void {
    const office = this.office()
    if (office.leading) this.flushAsLeader(office)
    else if (office.leader !== noMember && this.port.isConnected(office.leader)) this.flushToLeader(office)
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
      if (end > buffer.length || end - offset - 4 < envelopeBytes) return
      const payload = buffer.subarray(offset + 4, end)
      this.forwarded.push({ from, term, payload })
      this.forwardedBytes += payload.length
      offset = end
    }
    const office = this.office()
    if (!office.leading || this.refusing || this.forwardedBytes > this.options.pendingBytesMax)
      this.refuseForwarded((item) => item.from === from)
  }

  /** Whether what followers forward is refused; told also of what waits here already. */
  setRefusing(refusing: boolean): void {
    this.refusing = refusing
    if (refusing) this.refuseForwarded(() => true)
  }

  private flushAsLeader({ term, behind }: Office): void {
    if (this.forwarded.some((item) => item.term !== term)) this.refuseForwarded((item) => item.term !== term)
    if (behind) return
    while (this.hasWork && !this.blocked && this.uncommitted.length < this.options.uncommittedBatchesMax) {
      const own = this.queue.hand(term, this.options.batchBytesMax)
      const others = this.takeForwarded()
      const payloads = own.map((proposal) => proposal.payload)
      for (const item of others) payloads.push(item.payload)
      const result = this.propose(payloads)
      if (!result.ok) {
        this.queue.takeBack(
          term,
          own.map((proposal) => proposal.sequence),
        )
        this.forwarded = [...others, ...this.forwarded]
        for (const item of others) this.forwardedBytes += item.payload.length
        this.blocked = true
        return
      }
      const last = result.firstIndex + payloads.length - 1
      this.uncommitted.push(last)
      for (const [i, item] of others.entries()) this.noteForwarded(item.from, last - others.length + 1 + i)
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
    const messages = new Map<string, { readonly to: MemberId; readonly pieces: Uint8Array[] }>()
    for (const { from, term, payload } of refused) {
      this.forwardedBytes -= payload.length
      const key = `${from}/${term}`
      const message = messages.get(key) ?? { to: from, pieces: [encodeNumbers(term)] }
      message.pieces.push(payload.subarray(0, envelopeBytes))
      messages.set(key, message)
    }
    for (const { to, pieces } of messages.values()) this.port.send(to, messageKind.forwardRefused, pieces)
  }
}
