import { concatBytes } from '../../base/index.ts'
import type { Link } from './links.ts'

/** What travels in one direction of a connection. */
export type Segment =
  | { readonly kind: 'connect' }
  | { readonly kind: 'accept' }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** The sender will send no more. */
  | { readonly kind: 'end' }
  /** The connection is gone; what the receiver had not read is lost. Not sent again when the link is cut. */
  | { readonly kind: 'reset' }

/** What a pipe tells the connection that it is part of. */
export interface PipeOwner {
  /** A segment of the pipe's sender met a fault that breaks the connection. */
  readonly onBreak: () => void
  /** Something was sent into the broken pipe. */
  readonly onSentInVain: () => void
}

/** One direction of a connection: segments arrive in the order sent, each after its link's delay. */
export class Pipe {
  readonly link: Link
  private readonly deliver: (segment: Segment) => void
  private readonly owner: PipeOwner
  private readonly inFlight: { readonly segment: Segment; readonly arrivesAtMs: number }[] = []
  /** An event or a healing will deliver the head of `inFlight`. True whenever that is not empty. */
  private pumping = false
  /** Takes nothing more; what was in flight before the break may still arrive. */
  private broken = false

  constructor(link: Link, deliver: (segment: Segment) => void, owner: PipeOwner) {
    this.link = link
    this.deliver = deliver
    this.owner = owner
  }

  send(segment: Segment): void {
    if (this.broken) {
      if (segment.kind !== 'reset') this.owner.onSentInVain()
      return
    }
    const { link } = this
    this.inFlight.push({ segment, arrivesAtMs: link.kernel.nowMs + link.transitMs() })
    if (!this.pumping) this.pump()
    if (segment.kind === 'data' && link.mishaps.chance(link.faults.resetProbability)) this.owner.onBreak()
  }

  /** Loses what is in flight from an arbitrary byte on, and all that is sent from now on. */
  break(): void {
    if (this.broken) return
    this.broken = true
    const { mishaps } = this.link
    const [first] = this.inFlight.splice(mishaps.below(this.inFlight.length + 1))
    if (first?.segment.kind !== 'data') return
    const bytes = first.segment.bytes.subarray(0, mishaps.below(first.segment.bytes.length))
    if (bytes.length > 0) this.inFlight.push({ segment: { kind: 'data', bytes }, arrivesAtMs: first.arrivesAtMs })
  }

  private pump(): void {
    const head = this.inFlight[0]
    this.pumping = head !== undefined
    if (head === undefined) return
    const { kernel, to } = this.link
    const delayMs = Math.max(0, head.arrivesAtMs - kernel.nowMs)
    kernel.push(undefined, delayMs, `net-${head.segment.kind}`, () => this.arrive(), to)
  }

  private arrive(): void {
    const { link } = this
    if (link.isCut) {
      const lost = this.inFlight.findIndex((flying) => flying.segment.kind === 'reset')
      if (lost !== -1) this.inFlight.splice(lost)
      link.report('segment-stalled')
      link.whenOpen(() => this.resume())
      return
    }
    const segment = this.take()
    if (segment !== undefined) this.deliver(segment)
    this.pump()
  }

  /** The head, and, where a draw says so, joined to it the bytes that arrived behind it. */
  private take(): Segment | undefined {
    const head = this.inFlight.shift()?.segment
    if (head?.kind !== 'data') return head
    const chunks = [head.bytes]
    for (;;) {
      const next = this.inFlight[0]
      if (next?.segment.kind !== 'data' || next.arrivesAtMs > this.link.kernel.nowMs) break
      if (this.link.pieces.below(2) === 0) break
      chunks.push(next.segment.bytes)
      this.inFlight.shift()
    }
    return chunks.length === 1 ? head : { kind: 'data', bytes: concatBytes(chunks) }
  }

  private resume(): void {
    const { link } = this
    const arrive = (): void => {
      if (this.inFlight.length === 0) this.pumping = false
      else this.arrive()
    }
    link.kernel.push(undefined, link.resumeMs(), 'net-resume', arrive, link.to)
  }
}
