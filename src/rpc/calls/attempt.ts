/**
 * One attempt of a call at one endpoint.
 *
 * I1. Its upstream heard `begin` when it was made, and hears `end` once, in `close`.
 * I2. `message` is what a method with one answer got; it is told only when the attempt ends well.
 */
import type { Timer } from '../../runtime/index.ts'
import type { AttemptResult, CircuitPermit, UpstreamEndpoint } from '../../traffic/upstream/index.ts'
import { type Metadata, noMetadata } from '../service/index.ts'
import type { CallEnd, CallEvents, TransportCall } from '../transport/index.ts'
import { resultOf } from './call-failure.ts'
import type { CallRun } from './call-run.ts'

export class Attempt implements CallEvents {
  readonly endpoint: UpstreamEndpoint
  call: TransportCall | undefined = undefined
  headers: Metadata = noMetadata
  message: Uint8Array | undefined = undefined
  isOver = false
  timer: Timer | undefined = undefined
  private readonly run: CallRun
  private readonly takesOneAnswer: boolean
  /** On the monotonic clock. */
  readonly beganMs: number
  private readonly permit: CircuitPermit
  /** From the beginning to the head of the answer; negative while there is none. */
  private answeredAfterMs = -1

  constructor(
    run: CallRun,
    endpoint: UpstreamEndpoint,
    { takesOneAnswer, isRetry }: { readonly takesOneAnswer: boolean; readonly isRetry: boolean },
  ) {
    this.run = run
    this.endpoint = endpoint
    this.takesOneAnswer = takesOneAnswer
    this.beganMs = run.path.clock.monotonicMs()
    this.permit = run.path.upstream.begin(endpoint, isRetry)
  }

  onHeaders(metadata: Metadata): void {
    if (this.isOver) return
    this.answeredAfterMs = this.run.path.clock.monotonicMs() - this.beganMs
    this.headers = metadata
    if (!this.takesOneAnswer) this.run.answered(this)
  }

  onMessage(message: Uint8Array): void {
    if (this.isOver) return
    if (!this.takesOneAnswer) {
      this.run.sink.onMessage(message)
    } else if (this.message === undefined) {
      this.message = message
    } else {
      this.call?.cancel()
      this.onEnd(broken('the server sent more than one message for a call that has one'))
    }
  }

  onDrain(): void {
    if (!this.isOver) this.run.drained(this)
  }

  onEnd(end: CallEnd): void {
    if (this.isOver || this.run.endedByTime(this, end)) return
    const isEmpty = this.takesOneAnswer && end.code === undefined && this.message === undefined
    const told = isEmpty ? broken('the server ended the call without a message') : end
    this.close(resultOf(told))
    this.run.attemptEnded(this, told)
  }

  /** Gives it up. */
  cancel(result: AttemptResult): void {
    if (this.isOver) return
    this.close(result)
    this.call?.cancel()
  }

  private close(result: AttemptResult): void {
    const { clock, upstream } = this.run.path
    this.isOver = true
    this.timer?.cancel()
    const latencyMs = this.answeredAfterMs >= 0 ? this.answeredAfterMs : clock.monotonicMs() - this.beganMs
    upstream.end(this.endpoint, result, latencyMs, this.permit)
  }
}

function broken(message: string): CallEnd {
  return { code: 'INTERNAL', message, trailers: noMetadata, isUnprocessed: false, origin: 'local' }
}
