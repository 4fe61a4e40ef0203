/**
 * Clients: turns a service into functions, one a method, over one call path.
 *
 * I1. `open` counts the calls under way by method, where there is a bound on them.
 */
import { createNodeRuntime, NodeCommands, NodeNameService, NodeTextFiles } from '../../runtime/node/index.ts'
import { openUpstream, type Upstream, upstreamSettings } from '../../traffic/upstream/index.ts'
import { CallCounts, countFor } from '../metrics/index.ts'
import {
  type Callers,
  keepChoice,
  type MetadataValue,
  type Method,
  metadataFrom,
  type Requests,
  RpcError,
  type Service,
  type ServiceMethods,
} from '../service/index.ts'
import { type CallSpan, clientSpan, noTrace } from '../tracing/index.ts'
import { type ClientTransport, type TransportRuntime, tlsNetwork } from '../transport/index.ts'
import { startCall } from './begin-call.ts'
import { CallPath } from './call-path.ts'
import type { CallPlan } from './call-run.ts'
import { deferredAnswers } from './deferred-answers.ts'
import {
  type CallOptions,
  type ClientInterceptor,
  type ClientOptions,
  channelLimitsDefault,
  type OutgoingCall,
  requestBytesMaxDefault,
  timeoutMsDefault,
} from './options.ts'
import { sourceOfTarget } from './target.ts'

/** A function for each method. Dispose of it (`await using`, or {@link closeClient}) when done: it holds connections. */
export type RpcClient<Methods extends ServiceMethods> = Callers<Methods, CallOptions> & AsyncDisposable

/** Ends a client: calls under way fail with `UNAVAILABLE`, their connections close. Safe to repeat. */
export async function closeClient(client: AsyncDisposable): Promise<void> {
  await client[Symbol.asyncDispose]()
}

/** Opens a client: see `createClient`. */
export function openClient<Methods extends ServiceMethods>(
  service: Service<Methods>,
  options: ClientOptions,
  transport: ClientTransport,
): RpcClient<Methods> {
  const spoken = options.transport ?? transport
  const outside = outsideOf(options, spoken)
  const limits = { ...channelLimitsDefault, ...options.limits }
  const ownsUpstream = typeof options.target === 'string'
  const upstream = upstreamOf(options, outside)
  const path = new CallPath({ upstream, ownsUpstream, transport: spoken, outside, limits })
  const calls = new ServiceCalls(path, service, options)
  const functions = Object.entries(service.methods).map(([name, method]) => [name, calls.functionOf(method)])
  const dispose = { [Symbol.asyncDispose]: async () => path.close() }
  const client = Object.assign(Object.fromEntries(functions), dispose) as RpcClient<Methods>
  countFor(client, () => ({ kind: 'client', name: upstream.name, counts: calls.counts, upstream }))
  return client
}

function outsideOf({ runtime, tls, logger }: ClientOptions, { alpnProtocols }: ClientTransport): TransportRuntime {
  const here = { ...createNodeRuntime({ logLevel: 'error' }), ...runtime }
  const { clock, scheduler, random } = here
  const own = logger ?? here.logger
  if (tls === undefined) {
    return { clock, scheduler, random, network: here.network, logger: own, isSecure: runtime?.isSecure }
  }
  if (runtime?.network !== undefined) {
    throw new RpcError('INVALID_ARGUMENT', 'both `tls` and a network are given: give one of them')
  }
  const network = tlsNetwork({ ...tls, alpnProtocols: alpnProtocols ?? [] }, own)
  return { clock, scheduler, random, network, logger: own, isSecure: true }
}

function upstreamOf(options: ClientOptions, outside: TransportRuntime): Upstream {
  const { target, synod, tls, upstream } = options
  if (typeof target !== 'string') return target
  const source = sourceOfTarget(target)
  if (source.type === 'registry' && synod === undefined) {
    const message = `the target '${target}' is in Synod's registry: give the plane of connect() as 'synod'`
    throw new RpcError('INVALID_ARGUMENT', message)
  }
  const names = new NodeNameService()
  const world = {
    ...outside,
    names,
    files: new NodeTextFiles(),
    commands: new NodeCommands(),
    registry: synod?.registry,
  }
  // Checks that speak another protocol than the calls offer none.
  const isOther = tls !== undefined && upstream?.activeCheck !== undefined && upstream.activeCheck.check.type !== 'grpc'
  const checkNetwork = isOther ? tlsNetwork({ ...tls, alpnProtocols: [] }, outside.logger) : undefined
  return openUpstream(upstreamSettings(target, [source], upstream), world, { checkNetwork })
}

class ServiceCalls {
  private readonly path: CallPath
  private readonly service: Service
  private readonly options: ClientOptions
  private readonly interceptors: readonly ClientInterceptor[]
  readonly counts = new CallCounts()
  private readonly open = new Map<string, number>()

  constructor(path: CallPath, service: Service, options: ClientOptions) {
    this.path = path
    this.service = service
    this.options = options
    this.interceptors = options.interceptors ?? []
  }

  functionOf(method: Method): (request: unknown, options?: CallOptions) => unknown {
    const { service } = this
    const streamsAnswers = method.kind === 'server-streaming' || method.kind === 'bidi-streaming'
    if (this.interceptors.length === 0) {
      if (streamsAnswers) return (request, options = {}) => this.begin({ service, method, request, options })
      // What is wrong with a call is told by its promise, never thrown.
      return async (request, options = {}) => this.begin({ service, method, request, options })
    }
    return (request, options = {}) => {
      const answer = this.through(0, { service, method, request, options })
      return streamsAnswers ? deferredAnswers(answer as Promise<AsyncIterable<unknown>>) : answer
    }
  }

  private async through(at: number, call: OutgoingCall): Promise<unknown> {
    const interceptor = this.interceptors[at]
    if (interceptor === undefined) return this.begin(call)
    return interceptor(call, (next) => this.through(at + 1, next))
  }

  /** A promise of the answer, or the stream of them. */
  private begin(call: OutgoingCall): Promise<unknown> | AsyncIterable<unknown> {
    const { service, method, request, options } = call
    const span = clientSpan(service.name, method.name, options.context ?? noTrace)
    const counts = this.counts.of(service.name, method.name)
    const beganMs = this.path.clock.monotonicMs()
    counts.begin()
    const isStream = method.kind === 'client-streaming' || method.kind === 'bidi-streaming'
    try {
      if (this.path.isClosed) throw new RpcError('CANCELLED', 'the client was closed: open another')
      if (isStream && !isIterable(request)) {
        const what = `the requests of ${service.name}/${method.name} are no stream`
        throw new RpcError('INVALID_ARGUMENT', `${what}: give an array, an iterable, or an async iterable`)
      }
      const message = isStream ? undefined : this.encode(method, request)
      const plan = this.planOf(call, span, message)
      const release = this.claim(method)
      return startCall({
        path: this.path,
        plan,
        requests: isStream ? (request as Requests<unknown>) : undefined,
        encode: (one) => this.encode(method, one),
        options,
        onDone: (error) => {
          release()
          span.end(error)
          counts.end(error?.code, this.path.clock.monotonicMs() - beganMs)
        },
      })
    } catch (error) {
      span.end(error)
      const refused = error instanceof RpcError ? error : new RpcError('INTERNAL', String(error), { cause: error })
      counts.end(refused.code, 0)
      const isPromised = method.kind === 'unary' || method.kind === 'client-streaming'
      const rejected: Promise<never> = Promise.reject(refused)
      return isPromised ? rejected : deferredAnswers(rejected)
    }
  }

  private encode(method: Method, request: unknown): Uint8Array {
    const bytes = encodeRequest(this.service, method, request)
    const bytesMax = this.options.limits?.requestBytesMax ?? requestBytesMaxDefault
    if (bytes.length <= bytesMax) return keepChoice(request, bytes)
    const what = `the request of ${this.service.name}/${method.name} has ${bytes.length} bytes`
    throw new RpcError(
      'RESOURCE_EXHAUSTED',
      `${what}, and ${bytesMax} may be sent: send less, or raise requestBytesMax`,
      {
        outcome: 'not-applied',
        retryable: false,
      },
    )
  }

  private planOf(
    { service, method, options }: OutgoingCall,
    span: CallSpan,
    message: Uint8Array | undefined,
  ): CallPlan {
    const retry = { ...this.options.retry, ...options.retry }
    return {
      service,
      method,
      message,
      metadata: metadataWith(options, span),
      deadlineMs: this.deadlineOf(method, options),
      key: options.key,
      isIdempotent: options.idempotent ?? method.isIdempotent,
      waitForReady: options.waitForReady ?? false,
      attemptsMax: retry.attemptsMax ?? 3,
      retryOn: retry.on ?? ['UNAVAILABLE'],
      attemptTimeoutMs: retry.attemptTimeoutMs,
      hedgeAfterMs: retry.hedgeAfterMs,
      signals: [options.signal, options.context?.signal].filter((signal) => signal !== undefined),
    }
  }

  private deadlineOf({ kind }: Method, { timeoutMs, context }: CallOptions): number {
    const hasOneAnswer = kind === 'unary' || kind === 'client-streaming'
    const own = timeoutMs ?? this.options.timeoutMs ?? (hasOneAnswer ? timeoutMsDefault : Number.POSITIVE_INFINITY)
    if (!(own > 0)) {
      throw new RpcError('INVALID_ARGUMENT', `timeoutMs is ${own}; it must be a number of milliseconds above 0`)
    }
    const leftMs = Math.min(own, context?.remainingMs() ?? Number.POSITIVE_INFINITY)
    return this.path.clock.monotonicMs() + leftMs
  }

  /** See I1. */
  private claim(method: Method): () => void {
    const name = `${this.service.name}/${method.name}`
    const callsMax = this.options.limits?.methodCallsMax?.[name]
    if (callsMax === undefined) return () => {}
    const open = this.open.get(name) ?? 0
    if (open >= callsMax) {
      const message = `${open} calls of ${name} are under way, and the client allows no more: wait for one to end`
      throw new RpcError('RESOURCE_EXHAUSTED', message, { outcome: 'not-applied' })
    }
    this.open.set(name, open + 1)
    return () => this.open.set(name, this.open.get(name)! - 1)
  }
}

function isIterable(value: unknown): boolean {
  if (typeof value === 'string') return false
  const { [Symbol.iterator]: each, [Symbol.asyncIterator]: eachLater } = Object(value) as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >
  return typeof each === 'function' || typeof eachLater === 'function'
}

function encodeRequest(service: Service, method: Method, request: unknown): Uint8Array {
  try {
    return method.request.encode(request)
  } catch (error) {
    if (error instanceof RpcError) throw error
    const why = error instanceof Error ? error.message : String(error)
    const message = `the request of ${service.name}/${method.name} cannot be sent: ${why}`
    throw new RpcError('INVALID_ARGUMENT', message, { cause: error })
  }
}

function metadataWith(
  { metadata }: CallOptions,
  { traceparent, tracestate }: CallSpan,
): ReadonlyMap<string, MetadataValue> {
  const given = metadataFrom(metadata)
  if (traceparent === undefined || given.has('traceparent')) return given
  const traced = new Map(given).set('traceparent', traceparent)
  return tracestate === undefined || tracestate === '' ? traced : traced.set('tracestate', tracestate)
}
