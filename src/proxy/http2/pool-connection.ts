/**
 * One HTTP/2 connection to an endpoint. Owned by `Http2Pool`, which gives it requests; frames, flow control and defences
 * are `Http2ClientConnection`'s.
 *
 * I1. `holding` are the calls that hold a piece for the end of this turn; a flush is scheduled while there are any.
 */
import type { CloseReason, Connection, Timer } from '../../runtime/index.ts'
import {
  type ClientStream,
  Http2ClientConnection,
  type Http2ClientHandler,
  type Http2ClientOptions,
} from '../../wire/http2-client/index.ts'
import type { ClientCall } from './client-call.ts'
import type { Http2Pool } from './pool.ts'

/** Bounds towards servers. */
const options: Partial<Http2ClientOptions> = {
  // What a server may send before it is taken: with the streams of a connection, memory.
  streamReceiveWindowBytes: 256 << 10,
  connectionReceiveWindowBytes: 16 << 20,
  // grpc-go's servers count pings closer than 5 minutes as abuse (`MinTime` of its keepalive.EnforcementPolicy).
  keepAliveTimeMs: 310_000,
  keepAliveTimeoutMs: 10_000,
}
/** A request that is given up after so much silence of the whole connection raises the suspicion that it is dead. */
const suspiciousSilenceMs = 2_000
const drainedReason = 'no longer needed'

export class PoolConnection implements Http2ClientHandler {
  readonly http2: Http2ClientConnection
  /** The server's SETTINGS have come. */
  isReady = false
  isTimedOut = false
  private readonly pool: Http2Pool
  private readonly transport: Connection
  private holding: ClientCall[] = []
  private requests = 0
  private emptyTableIsAnnounced = false
  private idleSinceMs = 0
  private timer: Timer

  constructor(pool: Http2Pool) {
    const { network, host, port, clock, scheduler, config } = pool.init
    this.pool = pool
    const timeoutMs = config.settings.connectTimeoutMs
    const connection = network.connect({ host, port }, { timeoutMs })
    this.transport = connection
    this.http2 = new Http2ClientConnection({ connection, scheduler, clock, arena: pool.arena, options, handler: this })
    this.timer = scheduler.setTimer(timeoutMs, () => {
      this.isTimedOut = true
      this.http2.close(`the server did not answer in ${timeoutMs} ms`)
    })
  }

  /** Once closed: what the operating system or TLS said. */
  get closeDetail(): string | undefined {
    return this.transport.closeDetail
  }

  get isIdle(): boolean {
    return this.http2.streams.size === 0
  }

  /** Sends the head of `call`. Only while `http2.canOpen`. */
  open(call: ClientCall): ClientStream {
    const { request } = call
    const { writer, blocks, init } = this.pool
    writer.begin()
    if (!this.emptyTableIsAnnounced) {
      this.emptyTableIsAnnounced = true
      writer.announceEmptyTable()
    }
    writer.request(request.method, request.scheme, request.target, request.authority)
    blocks.write(request.fields)
    if (request.expectsContinue) writer.field('expect', '100-continue')
    const { bodyLength } = request
    if (bodyLength !== 'unknown' && bodyLength !== 0) writer.field('content-length', String(bodyLength))
    writer.finish()
    const stream = this.http2.open(writer, call, bodyLength === 0)
    if (++this.requests === init.config.requestsPerConnectionMax) this.http2.retire('it has had its share of requests')
    return stream
  }

  hold(call: ClientCall): void {
    this.holding.push(call)
    this.http2.scheduleFlush()
  }

  /** A request on it was given up. */
  gaveUp(): void {
    this.http2.suspect(suspiciousSilenceMs)
  }

  retire(): void {
    this.http2.retire(drainedReason)
  }

  beforeFlush(): void {
    if (this.holding.length === 0) return
    const holding = this.holding
    this.holding = []
    for (const call of holding) call.releaseHeld()
  }

  onReady(): void {
    this.timer.cancel()
    this.isReady = true
    this.becameIdle()
    this.watchIdleness(this.pool.init.config.idleTimeoutMs)
    this.pool.becameReady(this)
    this.pool.serve()
  }

  onCanOpen(): void {
    if (this.isIdle) this.becameIdle()
    this.pool.onFree(this)
  }

  onDraining(): void {
    this.pool.leave(this)
  }

  onClosed(reason: string, cause: CloseReason | undefined): void {
    this.timer.cancel()
    this.pool.onClosed(this, reason, cause)
  }

  private becameIdle(): void {
    this.idleSinceMs = this.pool.init.clock.monotonicMs()
  }

  /** One lazy timer: finds out when it fires whether the connection was idle all the time. */
  private watchIdleness(delayMs: number): void {
    const { scheduler, clock, config } = this.pool.init
    this.timer = scheduler.setTimer(delayMs, () => {
      const idleMs = this.isIdle ? clock.monotonicMs() - this.idleSinceMs : 0
      if (idleMs >= config.idleTimeoutMs) this.http2.close('idle for too long')
      else this.watchIdleness(config.idleTimeoutMs - idleMs)
    })
  }
}
