/**
 * One attempt of an exchange at one endpoint: pairs `begin` and `end` of the upstream, and passes events on.
 *
 * - T1  `settle` is called exactly once, and after it no event reaches the exchange from this attempt.
 */
import { assert } from '../../base/index.ts'
import type { AttemptResult, CircuitPermit, UpstreamEndpoint } from '../../traffic/upstream/index.ts'
import type { AttemptFailure, Fields, ResponseHead, ResponseReceiver, UpstreamCall } from '../http/index.ts'
import type { EndpointSlot, ProxyUpstream } from './proxy-upstream.ts'

/** What an attempt tells its exchange. */
export interface AttemptOwner {
  onAttemptInformational(attempt: Attempt, status: number, fields: Fields): void
  onAttemptHead(attempt: Attempt, head: ResponseHead, end: boolean): void
  onAttemptData(attempt: Attempt, bytes: Uint8Array): void
  onAttemptEnd(attempt: Attempt, trailers: Fields | undefined): void
  onAttemptDrain(attempt: Attempt): void
  onAttemptFailed(attempt: Attempt, failure: AttemptFailure): void
}

export class Attempt implements ResponseReceiver {
  readonly upstream: ProxyUpstream
  readonly endpoint: UpstreamEndpoint
  readonly slot: EndpointSlot
  /** The one begun before it, in flight or not. */
  readonly previous: Attempt | undefined
  readonly startMs: number
  /** Set right after the pool took the request. */
  call: UpstreamCall | undefined
  /** When the head of its answer came; -1: it did not. */
  headMs = -1
  status = 0
  /** The head of its answer, kept back until something of the body is there or `heldUntilMs` has come. */
  held: ResponseHead | undefined
  heldUntilMs = 0
  isOver = false
  /** Its queue of the request's body is full. */
  isFull = false
  private readonly owner: AttemptOwner
  private readonly permit: CircuitPermit

  constructor(
    owner: AttemptOwner,
    upstream: ProxyUpstream,
    endpoint: UpstreamEndpoint,
    previous: Attempt | undefined,
    startMs: number,
  ) {
    this.owner = owner
    this.upstream = upstream
    this.endpoint = endpoint
    this.slot = upstream.slotOf(endpoint)
    this.previous = previous
    this.startMs = startMs
    this.permit = upstream.upstream.begin(endpoint, previous !== undefined, startMs)
  }

  /** It is over: tells the upstream how it went. `nowMs` counts when no head came. */
  settle(result: AttemptResult, nowMs: number): void {
    assert(!this.isOver, 'an attempt is settled once')
    this.isOver = true
    // One that a deadline began in this turn began later than the turn.
    const latencyMs = Math.max(0, (this.headMs < 0 ? nowMs : this.headMs) - this.startMs)
    this.upstream.upstream.end(this.endpoint, result, latencyMs, this.permit, nowMs)
  }

  /** Gives it up. */
  cancel(result: AttemptResult, nowMs: number): void {
    this.settle(result, nowMs)
    this.call?.abort()
  }

  onInformational(status: number, fields: Fields): void {
    if (!this.isOver) this.owner.onAttemptInformational(this, status, fields)
  }

  onHead(head: ResponseHead, end: boolean): void {
    if (!this.isOver) this.owner.onAttemptHead(this, head, end)
  }

  onData(bytes: Uint8Array): void {
    if (!this.isOver) this.owner.onAttemptData(this, bytes)
  }

  onEnd(trailers: Fields | undefined): void {
    if (!this.isOver) this.owner.onAttemptEnd(this, trailers)
  }

  onDrain(): void {
    if (!this.isOver) this.owner.onAttemptDrain(this)
  }

  onFailed(failure: AttemptFailure): void {
    if (!this.isOver) this.owner.onAttemptFailed(this, failure)
  }
}

/** What a failed attempt says about its endpoint. */
export function resultOf(failure: AttemptFailure): AttemptResult {
  switch (failure.kind) {
    case 'connect-refused':
    case 'connect-unreachable':
    case 'connect-timeout':
    case 'connect-tls':
    case 'connect-protocol':
      return 'connect-failure'
    // Our own bound, not the endpoint's fault.
    case 'overflow':
      return 'cancelled'
    // GOAWAY, REFUSED_STREAM, or a kept connection that was closed meanwhile: it said that it did nothing.
    case 'closed-before-response':
      return failure.isUnprocessed ? 'cancelled' : 'failure'
    default:
      return 'failure'
  }
}
