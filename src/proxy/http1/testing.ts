/** For tests: a handler that forwards everything to one pool, listeners of it, and a scheduler whose time is turned by hand. */
import { assert } from '../../base/index.ts'
import type { Connection, ConnectionHandler, Network, Scheduler, Timer } from '../../runtime/index.ts'
import type { ServedConnection } from '../../wire/http2/index.ts'
import type { HttpLimits, ProxyUpstreamConfig } from '../config/index.ts'
import type {
  AttemptFailure,
  ClientInfo,
  DownstreamProtocol,
  EndpointPool,
  Fields,
  OutgoingRequest,
  RequestConsumer,
  RequestHandler,
  RequestHead,
  Responder,
  ResponseHead,
  ResponseReceiver,
  UpstreamCall,
} from '../http/index.ts'
import { createHttp1Downstream } from './downstream.ts'
import { createHttp1Pool } from './pool.ts'

export const testLimits: HttpLimits = {
  headBytesMax: 8_192,
  headerFieldsMax: 100,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  bodyIdleTimeoutMs: 10_000,
  requestsPerConnectionMax: 1_000_000,
  http2StreamsMax: 100,
}

export const testClient: ClientInfo = {
  address: '127.0.0.1',
  port: 1,
  localPort: 2,
  tls: undefined,
  listener: 'test',
}

/** An upstream as far as a pool reads it. */
export function testUpstream(
  over: Partial<ProxyUpstreamConfig> & { connectionsMax?: number; pendingMax?: number } = {},
): ProxyUpstreamConfig {
  const { connectionsMax = 100, pendingMax = 100, ...rest } = over
  return {
    settings: {
      name: 'test',
      sources: [],
      balance: {
        policy: 'round-robin',
        hashKey: { type: 'client-ip' },
        boundedLoadFactor: 0,
        slowStartMs: 0,
        panicThresholdPercent: 50,
        zone: '',
        subsetSize: 0,
      },
      activeCheck: undefined,
      outlier: undefined,
      circuit: { requestsMax: 1_000, connectionsMax, pendingMax, consecutiveFailures: 0, openMs: 1_000 },
      retryBudget: { percent: 20, minPerSecond: 10 },
      connectTimeoutMs: 2_000,
    },
    protocol: 'http1',
    tls: undefined,
    idleConnectionsMax: 100,
    idleTimeoutMs: 60_000,
    requestsPerConnectionMax: 0,
    ...rest,
  }
}

/** A response head as a handler would make it. */
export function responseHead(status: number, fields: Fields, bodyLength: ResponseHead['bodyLength']): ResponseHead {
  return {
    status,
    fields,
    bodyLength,
    memo: undefined,
    get: (name) => fields[fields.findIndex((field, i) => i % 2 === 0 && field === name) + 1],
  }
}

/** Forwards each request to a pool as it is, once; notes how exchanges ended. */
export class Forwarder implements RequestHandler {
  finished = 0
  readonly aborted: string[] = []
  readonly refused: { readonly status: number; readonly reason: string }[] = []
  readonly failures: AttemptFailure[] = []
  private readonly pool: EndpointPool

  constructor(pool: EndpointPool) {
    this.pool = pool
  }

  onRequest(head: RequestHead, responder: Responder): RequestConsumer {
    const back = new ResponseForward(this, responder)
    const call = this.pool.send(head, back)
    back.call = call
    return new RequestForward(this, responder, call)
  }

  onRefused(_client: ClientInfo, status: number, reason: string): void {
    this.refused.push({ status, reason })
  }
}

/** The request's way: client to endpoint. */
class RequestForward implements RequestConsumer {
  private readonly owner: Forwarder
  private readonly responder: Responder
  private readonly call: UpstreamCall

  constructor(owner: Forwarder, responder: Responder, call: UpstreamCall) {
    this.owner = owner
    this.responder = responder
    this.call = call
  }

  onData(bytes: Uint8Array): void {
    if (!this.call.write(bytes)) this.responder.pause()
  }

  onEnd(trailers: Fields | undefined): void {
    this.call.end(trailers)
  }

  onDrain(): void {
    this.call.resume()
  }

  onAborted(reason: string): void {
    this.owner.aborted.push(reason)
    this.call.abort()
  }

  onFinished(): void {
    this.owner.finished++
  }
}

/** The response's way: endpoint to client. */
class ResponseForward implements ResponseReceiver {
  call: UpstreamCall | undefined
  private readonly owner: Forwarder
  private readonly responder: Responder
  private hasBegun = false

  constructor(owner: Forwarder, responder: Responder) {
    this.owner = owner
    this.responder = responder
  }

  onInformational(status: number, fields: Fields): void {
    this.responder.sendInformational(status, fields)
  }

  onHead(head: ResponseHead, end: boolean): void {
    this.hasBegun = true
    this.responder.sendHead(head, end)
  }

  onData(bytes: Uint8Array): void {
    if (!this.responder.sendData(bytes)) this.call!.pause()
  }

  onEnd(trailers: Fields | undefined): void {
    this.responder.sendEnd(trailers)
  }

  onDrain(): void {
    this.responder.resume()
  }

  onFailed(failure: AttemptFailure): void {
    this.owner.failures.push(failure)
    if (this.hasBegun) this.responder.abort()
    else this.responder.sendHead(responseHead(502, [], 0), true)
  }
}

/** Serves what is accepted on `network`, until closed. */
export async function listen(
  network: Network,
  downstream: DownstreamProtocol,
  host = '127.0.0.1',
): Promise<{ readonly port: number; readonly served: ServedConnection[]; close(): Promise<void> }> {
  const open = new Set<Connection>()
  const served: ServedConnection[] = []
  const listener = await network.listen({ host, port: 0 }, (connection) => {
    open.add(connection)
    const taken = downstream.accept(connection, testClient, new Uint8Array(0))
    served.push(taken)
    connection.setHandler({
      onData: (bytes) => taken.onData(bytes),
      onEnd: () => taken.onEnd?.(),
      onDrain: () => taken.onDrain?.(),
      onClose: (reason) => {
        open.delete(connection)
        taken.onClose(reason)
      },
    })
  })
  return {
    port: listener.address.port,
    served,
    close: async () => {
      await listener.close()
      for (const connection of open) connection.destroy()
    },
  }
}

/** Time that passes when it is told to. Ends of turns are run by `settle`. */
export class ManualScheduler implements Scheduler {
  private nowMs = 0
  private timers: { readonly atMs: number; readonly callback: () => void }[] = []
  private callbacks: (() => void)[] = []

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, callback }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer)
      },
    }
  }

  endOfTurn(callback: () => void): void {
    this.callbacks.push(callback)
  }

  /** Runs ends of turns until none is asked for. */
  settle(): void {
    for (let passes = 0; this.callbacks.length > 0; passes++) {
      assert(passes < 10_000, 'the ends of turns never end')
      const pass = this.callbacks
      this.callbacks = []
      for (const callback of pass) callback()
    }
  }

  /** Lets `ms` go by, with every timer in its turn. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms
    this.settle()
    for (;;) {
      const due = this.timers.filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.timers = this.timers.filter((other) => other !== due)
      this.nowMs = due.atMs
      due.callback()
      this.settle()
    }
    this.nowMs = endMs
  }
}

/** A transport's end in a test's hand: what is written is kept, what should arrive is passed in. */
export class ScriptedConnection implements Connection {
  readonly remoteAddress = '127.0.0.1:1'
  queuedBytes = 0
  isPaused = false
  isEnded = false
  isDestroyed = false
  writes = 0
  /** Whether `write` says that there is room. */
  hasRoom = true
  private handler: ConnectionHandler | undefined
  private written = ''

  /** All that was written, one unit a byte. */
  get text(): string {
    return this.written
  }

  get peer(): ConnectionHandler {
    return this.handler!
  }

  setHandler(handler: ConnectionHandler): void {
    this.handler = handler
  }

  write(bytes: Uint8Array): boolean {
    if (this.isEnded || this.isDestroyed) return true
    this.writes++
    this.written += Buffer.from(bytes).toString('latin1')
    return this.hasRoom
  }

  /** Forgets what was written, and returns it. */
  take(): string {
    const text = this.written
    this.written = ''
    return text
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  end(): void {
    this.isEnded = true
  }

  destroy(): void {
    this.isDestroyed = true
  }
}

/** A network whose connections are in a test's hand, in the order they were asked for. */
export class ScriptedNetwork implements Network {
  readonly made: ScriptedConnection[] = []

  async listen(): Promise<never> {
    throw new Error('nothing listens on a scripted network')
  }

  connect(): Connection {
    const connection = new ScriptedConnection()
    this.made.push(connection)
    return connection
  }
}

/** What a client saw of the requests that a {@link RecordingHandler} was handed. */
export interface RecordedRequest {
  readonly head: RequestHead
  readonly responder: Responder
  body: string
  trailers: Fields | undefined
  isEnded: boolean
  isFinished: boolean
  aborted: string | undefined
  drains: number
}

/** Keeps what it is handed; with `answer` replies to each request as soon as it is complete. */
export class RecordingHandler implements RequestHandler {
  readonly requests: RecordedRequest[] = []
  readonly refused: { readonly status: number; readonly reason: string }[] = []
  private readonly answer: ((request: RecordedRequest) => void) | undefined

  constructor(answer?: (request: RecordedRequest) => void) {
    this.answer = answer
  }

  onRequest(head: RequestHead, responder: Responder): RequestConsumer {
    const request: RecordedRequest = {
      head,
      responder,
      body: '',
      trailers: undefined,
      isEnded: head.bodyLength === 0,
      isFinished: false,
      aborted: undefined,
      drains: 0,
    }
    this.requests.push(request)
    if (request.isEnded) this.answer?.(request)
    return {
      onData: (bytes) => {
        request.body += Buffer.from(bytes).toString('latin1')
      },
      onEnd: (trailers) => {
        request.isEnded = true
        request.trailers = trailers
        this.answer?.(request)
      },
      onDrain: () => {
        request.drains++
      },
      onAborted: (reason) => {
        assert(request.aborted === undefined && !request.isFinished, 'told twice how an exchange ended')
        request.aborted = reason
      },
      onFinished: () => {
        assert(request.aborted === undefined && !request.isFinished, 'told twice how an exchange ended')
        request.isFinished = true
      },
    }
  }

  onRefused(_client: ClientInfo, status: number, reason: string): void {
    this.refused.push({ status, reason })
  }
}

/** One scripted client of a downstream whose requests `handler` takes. */
export function scriptedClient(handler: RequestHandler, limits: HttpLimits = testLimits) {
  const scheduler = new ManualScheduler()
  const clock = { wallMs: () => 0, monotonicMs: () => 0 }
  const downstream = createHttp1Downstream({ clock, scheduler, handler, limits })
  const connection = new ScriptedConnection()
  const served = downstream.accept(connection, testClient, new Uint8Array(0))
  const send = (text: string): void => {
    served.onData(Buffer.from(text, 'latin1'))
    scheduler.settle()
  }
  return { scheduler, downstream, connection, served, send }
}

/** A pool on a scripted network. */
export function scriptedPool(config: ProxyUpstreamConfig = testUpstream()) {
  const scheduler = new ManualScheduler()
  const clock = { wallMs: () => 0, monotonicMs: () => 0 }
  const network = new ScriptedNetwork()
  const pool = createHttp1Pool({ clock, scheduler, network, host: '127.0.0.1', port: 1, config })
  return { scheduler, network, pool }
}

/** A request to send to a pool. */
export function outgoing(over: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: 'GET',
    target: '/',
    scheme: 'http',
    authority: 'a',
    fields: [],
    bodyLength: 0,
    upgrade: undefined,
    expectsContinue: false,
    ...over,
  }
}

/** Keeps what comes back from a pool. */
export class RecordingReceiver implements ResponseReceiver {
  readonly informational: number[] = []
  head: ResponseHead | undefined
  body = ''
  trailers: Fields | undefined
  isEnded = false
  failure: AttemptFailure | undefined
  drains = 0

  onInformational(status: number): void {
    this.informational.push(status)
  }

  onHead(head: ResponseHead, end: boolean): void {
    assert(this.head === undefined, 'a second head')
    this.head = head
    this.isEnded = end
  }

  onData(bytes: Uint8Array): void {
    assert(!this.isEnded, 'data after the end')
    this.body += Buffer.from(bytes).toString('latin1')
  }

  onEnd(trailers: Fields | undefined): void {
    assert(!this.isEnded, 'a second end')
    this.isEnded = true
    this.trailers = trailers
  }

  onDrain(): void {
    this.drains++
  }

  onFailed(failure: AttemptFailure): void {
    assert(this.failure === undefined && !this.isEnded, 'a failure after the end')
    this.failure = failure
  }
}
