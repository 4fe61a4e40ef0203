/**
 * A copy of a request, sent to another upstream for its own sake: the answer is dropped and no failure is told. It never
 * slows the request down: a mirror that falls behind is given up. Made by `openMirror`; its exchange writes to it until the
 * request's body is complete, and from then on it lives by itself until it is answered or its deadline has come.
 *
 * - M1  `settle` runs exactly once: it pairs the `begin` of the upstream, takes the copy out of the wheel and the ledger,
 *       and after it nothing is written and nothing that comes counts.
 * - M2  `waitingBytes` is 0 while `isFull` is false, and never more than `mirrorQueueBytesMax` after a `write`.
 */
import type { CircuitPermit, UpstreamEndpoint } from '../../traffic/upstream/index.ts'
import type {
  AttemptFailure,
  BufferLedger,
  Expendable,
  Fields,
  OutgoingRequest,
  ResponseHead,
  ResponseReceiver,
  UpstreamCall,
} from '../http/index.ts'
import { resultOf } from './attempt.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'
import type { TimingWheel, WheelEntry } from './timing-wheel.ts'

/** Bytes of a body that may wait for a slow mirror. */
export const mirrorQueueBytesMax = 1 << 20
/** Copies under way at once, for each listener and worker. */
export const mirrorsMax = 1_024
/** A copy that is not answered whole in this time is given up. */
const mirrorTimeoutMs = 30_000

/** What the mirrors of a listener share. */
export interface MirrorHost {
  readonly ledger: BufferLedger
  readonly wheel: TimingWheel
  nowMs(): number
  /** A copy was given up because it was slow. */
  mirrorDropped(): void
  mirrorEnded(): void
}

export class Mirror implements ResponseReceiver, WheelEntry, Expendable {
  deadlineMs: number
  wheelSlot = -1
  wheelNext: WheelEntry | undefined
  wheelPrevious: WheelEntry | undefined
  private readonly host: MirrorHost
  private readonly upstream: ProxyUpstream
  private readonly endpoint: UpstreamEndpoint
  private readonly startMs: number
  private readonly call: UpstreamCall
  private readonly permit: CircuitPermit
  private headMs = -1
  private isFailing = false
  private isOver = false
  /** Written since the call said that its queue was full; 0 while it is not. */
  private waitingBytes = 0
  private isFull = false

  constructor(host: MirrorHost, upstream: ProxyUpstream, endpoint: UpstreamEndpoint, request: OutgoingRequest) {
    this.host = host
    this.upstream = upstream
    this.endpoint = endpoint
    this.startMs = host.nowMs()
    this.deadlineMs = this.startMs + mirrorTimeoutMs
    this.permit = upstream.upstream.begin(endpoint)
    this.call = upstream.poolOf(endpoint).send(request, this)
    host.wheel.add(this, this.startMs)
    if (request.bodyLength !== 0) host.ledger.addExpendable(this)
  }

  write(bytes: Uint8Array): void {
    if (this.isOver) return
    if (!this.call.write(bytes)) this.isFull = true
    if (!this.isFull) return
    this.waitingBytes += bytes.length
    if (this.waitingBytes > mirrorQueueBytesMax) this.giveUp()
  }

  end(trailers: Fields | undefined): void {
    if (!this.isOver) this.call.end(trailers)
  }

  /** The request itself broke off before its body was complete. */
  abort(): void {
    if (this.isOver) return
    this.call.abort()
    this.settle('cancelled')
  }

  onDeadline(): void {
    this.giveUp()
  }

  /** Memory is short. One that is being answered has been sent, more or less. */
  drop(): void {
    if (this.headMs < 0) this.giveUp()
  }

  onInformational(): void {}

  onHead(head: ResponseHead, end: boolean): void {
    this.headMs = this.host.nowMs()
    this.isFailing = head.status >= 500
    if (end) this.onEnd()
  }

  onData(): void {}

  onEnd(): void {
    if (!this.isOver) this.settle(this.isFailing ? 'failure' : 'success')
  }

  onDrain(): void {
    this.isFull = false
    this.waitingBytes = 0
  }

  onFailed(failure: AttemptFailure): void {
    if (!this.isOver) this.settle(resultOf(failure))
  }

  private giveUp(): void {
    if (this.isOver) return
    this.call.abort()
    this.host.mirrorDropped()
    this.settle('failure')
  }

  private settle(result: 'success' | 'failure' | 'connect-failure' | 'cancelled'): void {
    this.isOver = true
    this.host.wheel.remove(this)
    this.host.ledger.forgetExpendable(this)
    const latencyMs = (this.headMs < 0 ? this.host.nowMs() : this.headMs) - this.startMs
    this.upstream.upstream.end(this.endpoint, result, latencyMs, this.permit)
    this.host.mirrorEnded()
  }
}
