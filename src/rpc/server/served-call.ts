/**
 * One call being served: decodes its requests, runs its handler, sends what comes of it.
 *
 * I1. `isOver` is final: set when the call was ended here or is over at the client; nothing is sent after it.
 * I2. The handler runs once, after the request of a method that takes one has been decoded.
 * I3. The signal fires when the call is over otherwise than by its handler's own end.
 */
import type { Clock } from '../../runtime/index.ts'
import {
  addOutcome,
  type CallContext,
  checkMetadata,
  contractName,
  detailsName,
  encodeErrorDetails,
  keepArrival,
  keepChoice,
  type Metadata,
  type MetadataValue,
  metadataFrom,
  noMetadata,
  type RpcCode,
  RpcError,
  schemaClash,
} from '../service/index.ts'
import { type CallSpan, serverSpan, traceOf } from '../tracing/index.ts'
import { type IncomingCall, type IncomingEvents, MessageStream } from '../transport/index.ts'

/** What a call needs of its server. */
export interface CallHost {
  readonly clock: Clock
  /** Runs the handler, interceptors around it. */
  invoke(call: ServedCall, request: unknown): unknown
  /** A handler failed with what is no `RpcError`, or its answer does not fit: for the log. */
  faulted(call: ServedCall, error: unknown): void
  ended(call: ServedCall, code: RpcCode | undefined): void
  /** The number of gRPC's status of a code: what `google.rpc.Status` says. */
  statusOf(code: RpcCode): number
}

export class ServedCall implements CallContext, IncomingEvents {
  readonly incoming: IncomingCall
  readonly beganMs: number
  private readonly host: CallHost
  private readonly span: CallSpan
  private readonly requests: MessageStream | undefined
  private hasRequest = false
  private request: unknown = undefined
  private isOver = false
  private controller: AbortController | undefined = undefined
  private abortReason: RpcError | undefined = undefined
  private trailers: Map<string, MetadataValue> | undefined = undefined
  private drained: (() => void) | undefined = undefined
  private responses: AsyncIterator<unknown> | undefined = undefined

  constructor(host: CallHost, incoming: IncomingCall) {
    const { service, method, metadata } = incoming
    this.host = host
    this.incoming = incoming
    this.beganMs = host.clock.monotonicMs()
    this.span = serverSpan(service.name, method.name, traceOf(metadata.get('traceparent'), metadata.get('tracestate')))
    const isStream = method.kind === 'client-streaming' || method.kind === 'bidi-streaming'
    this.requests = isStream ? new MessageStream(incoming, 'requests') : undefined
  }

  get service(): string {
    return this.incoming.service.name
  }

  get method(): string {
    return this.incoming.method.name
  }

  get metadata(): Metadata {
    return this.incoming.metadata
  }

  get peer(): string {
    return this.incoming.peer
  }

  get traceparent(): string | undefined {
    return this.span.traceparent
  }

  get tracestate(): string | undefined {
    return this.span.tracestate
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.abortReason !== undefined) this.controller.abort(this.abortReason)
    }
    return this.controller.signal
  }

  // Handlers may take these out of their context, `({ id }, { remainingMs }) => …`: each is bound where it is asked for.
  get remainingMs(): CallContext['remainingMs'] {
    return () => {
      const { deadlineMs } = this.incoming
      return deadlineMs === undefined ? undefined : Math.max(0, deadlineMs - this.host.clock.monotonicMs())
    }
  }

  get sendHeaders(): CallContext['sendHeaders'] {
    return (metadata) => {
      if (!this.isOver) this.incoming.sendHeaders(metadataFrom(metadata))
    }
  }

  get setTrailer(): CallContext['setTrailer'] {
    return (name, value) => {
      const lower = name.toLowerCase()
      checkMetadata(lower, value)
      this.trailers ??= new Map()
      this.trailers.set(lower, value)
    }
  }

  /** Begins to serve it. */
  start(): void {
    this.incoming.receive(this)
    if (this.requests !== undefined) void this.run(this.requests)
  }

  /** Refuses it before its handler runs: certainly nothing was done. */
  refuse(code: RpcCode, message: string): void {
    this.fail(new RpcError(code, message, { outcome: 'not-applied' }))
  }

  onMessage(bytes: Uint8Array): void {
    if (this.isOver) return
    let message: unknown
    try {
      message = keepArrival(bytes, this.incoming.method.request.decode(bytes))
    } catch (error) {
      const wrong = wrongRequest(this, error)
      // What a streaming handler did with earlier messages is its own to know.
      if (this.requests === undefined) this.fail(wrong)
      else this.abort(wrong, 'end')
      return
    }
    if (this.requests !== undefined) {
      this.requests.push(message, bytes.length)
      return
    }
    this.request = message
    this.hasRequest = true
  }

  onHalfClose(): void {
    if (this.isOver) return
    if (this.requests !== undefined) this.requests.end()
    else if (this.hasRequest) void this.run(this.request)
  }

  onDrain(): void {
    const drained = this.drained
    this.drained = undefined
    drained?.()
  }

  onCancel(why: 'cancelled' | 'deadline'): void {
    if (this.isOver) return
    const reason =
      why === 'deadline'
        ? new RpcError('DEADLINE_EXCEEDED', 'the deadline of the call passed')
        : new RpcError('CANCELLED', 'the client gave the call up, or is gone')
    this.abort(reason, 'gone')
  }

  private async run(request: unknown): Promise<void> {
    const { kind } = this.incoming.method
    try {
      const answer = this.span.run(() => this.host.invoke(this, request))
      if (kind === 'unary' || kind === 'client-streaming') this.finish(await answer)
      else await this.stream((await answer) as AsyncIterable<unknown>)
    } catch (error) {
      this.fail(error)
    }
  }

  private finish(answer: unknown): void {
    if (this.isOver) return
    this.incoming.send(this.encode(answer))
    this.end(undefined, '', this.trailers ?? noMetadata)
  }

  private async stream(answers: AsyncIterable<unknown>): Promise<void> {
    const iterator = answers[Symbol.asyncIterator]()
    this.responses = iterator
    for (;;) {
      const step = await iterator.next()
      if (this.isOver) return
      if (step.done === true) break
      let isLow: boolean
      try {
        isLow = this.incoming.send(this.encode(step.value))
      } catch (error) {
        void iterator.return?.()
        throw error
      }
      if (!isLow) await this.whenDrained()
      if (this.isOver) return
    }
    this.end(undefined, '', this.trailers ?? noMetadata)
  }

  private whenDrained(): Promise<void> {
    return new Promise((resolve) => {
      this.drained = resolve
    })
  }

  private encode(answer: unknown): Uint8Array {
    try {
      return keepChoice(answer, this.incoming.method.response.encode(answer))
    } catch (error) {
      throw new AnswerMisfit(`the answer of ${this.service}/${this.method} does not fit its contract`, { cause: error })
    }
  }

  private fail(error: unknown): void {
    if (this.isOver) return
    const isOwn = error instanceof RpcError
    if (!isOwn) this.host.faulted(this, error)
    const told = isOwn ? error : faultOf(error)
    this.end(told.code, told.message, this.trailersOf(told), told)
  }

  /** Ends the call from outside its handler, which hears of it. */
  private abort(reason: RpcError, how: 'end' | 'gone'): void {
    if (how === 'end') this.end(reason.code, reason.message, this.trailersOf(reason), reason)
    else this.close(reason.code, reason)
    this.abortReason = reason
    this.controller?.abort(reason)
    this.requests?.fail(reason)
    this.onDrain()
    this.leaveResponses()
  }

  /** A generator that waits for something else is told when that comes. */
  private leaveResponses(): void {
    const left = this.responses?.return?.()
    if (left !== undefined) Promise.resolve(left).catch(() => {})
  }

  private trailersOf(error: RpcError): Metadata {
    const trailers = new Map(this.trailers)
    const outcome = error.isReceived ? 'unknown' : error.outcome
    if (!error.isReceived) {
      for (const [name, value] of error.metadata) trailers.set(name, value)
      if (error.details.length > 0) {
        const status = this.host.statusOf(error.code)
        trailers.set(detailsName, encodeErrorDetails(status, error.message, error.details))
      }
    }
    addOutcome(trailers, error.code, outcome)
    return trailers
  }

  private end(code: RpcCode | undefined, message: string, trailers: Metadata, error?: RpcError): void {
    this.incoming.end(code, message, trailers)
    this.close(code, error)
  }

  private close(code: RpcCode | undefined, error: RpcError | undefined): void {
    this.isOver = true
    this.request = undefined
    this.span.end(error)
    this.host.ended(this, code)
  }
}

/** An answer that its codec refuses: the server's fault. */
class AnswerMisfit extends Error {}

function faultOf(error: unknown): RpcError {
  if (error instanceof AnswerMisfit) {
    const { cause } = error
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    return new RpcError('INTERNAL', `${error.message}${why}`, { cause: error })
  }
  // What a handler did not mean for its clients stays in the server's log.
  return new RpcError('UNKNOWN', 'the handler of the call failed: its server has the reason in its log', {
    cause: error,
  })
}

function wrongRequest(call: ServedCall, error: unknown): RpcError {
  if (error instanceof RpcError) return error
  const why = error instanceof Error ? error.message : String(error)
  const { method } = call.incoming
  const clash = schemaClash(call.metadata.get(contractName), method.contract)
  const code = clash === undefined ? 'INVALID_ARGUMENT' : 'FAILED_PRECONDITION'
  const reason = clash === undefined ? why : `${why}; ${clash}`
  return new RpcError(code, `the request of ${call.service}/${call.method} is not one: ${reason}`, {
    outcome: method.kind === 'unary' ? 'not-applied' : 'unknown',
    cause: error,
  })
}
