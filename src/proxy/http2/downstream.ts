/**
 * The HTTP/2 side of a listener (RFC 9113): owns its connections and what they share, namely buffers, the encoder and the
 * worker's bound on memory. Called by the worker, which accepts connections.
 */
import type { Connection, Scheduler } from '../../runtime/index.ts'
import {
  HeaderBlockWriter,
  type Http2Options,
  Http2ServerConnection,
  OutputArena,
  type ServedConnection,
} from '../../wire/http2/index.ts'
import type { HttpLimits } from '../config/index.ts'
import {
  type BufferLedger,
  bufferLedgerOf,
  type ClientInfo,
  type DownstreamInit,
  type DownstreamProtocol,
  type RequestHandler,
} from '../http/index.ts'
import { DownstreamConnection } from './downstream-connection.ts'
import { FieldBlocks } from './field-blocks.ts'

/** What a client may send on one stream before the handler takes it. With `http2StreamsMax` streams: memory. */
const streamWindowBytes = 256 << 10
const connectionWindowBytes = 8 << 20
/** Response bytes that wait for the windows of one client. Past it new streams are refused; at four times it, close. */
const queuedBodyBytesMax = 32 << 20
/** RFC 7541 §4.1 counts as much for a field besides name and value. */
const fieldOverheadBytes = 32
const framePayloadBytes = 16_384

/**
 * Speaks HTTP/2 with clients: over TLS by ALPN or by prior knowledge, whichever the caller has found out.
 *
 * Requests are refused with 400 (no host, a path or an authority that are none), 405 (CONNECT) and 431 (too large a head);
 * malformed ones by RST_STREAM, as RFC 9113 §8.1.1 says. Beyond `http2StreamsMax` streams REFUSED_STREAM. Windows: 256 KiB
 * a stream, 8 MiB a connection. A connection that has served `requestsPerConnectionMax` requests, or has been idle for
 * `idleTimeoutMs`, is told GOAWAY; what it has begun goes on.
 */
export function createHttp2Downstream(init: DownstreamInit): DownstreamProtocol {
  return new Http2Downstream(init)
}

export class Http2Downstream implements DownstreamProtocol {
  readonly handler: RequestHandler
  readonly scheduler: Scheduler
  readonly writer = new HeaderBlockWriter()
  readonly blocks = new FieldBlocks(this.writer, false)
  limits: HttpLimits
  private readonly init: DownstreamInit
  private readonly arena = new OutputArena()
  readonly ledger: BufferLedger
  private readonly open = new Set<DownstreamConnection>()

  constructor(init: DownstreamInit) {
    this.init = init
    this.handler = init.handler
    this.scheduler = init.scheduler
    this.ledger = bufferLedgerOf(init.scheduler)
    this.limits = init.limits
  }

  get connections(): number {
    return this.open.size
  }

  get idleConnections(): number {
    let count = 0
    for (const connection of this.open) if (connection.isIdle) count++
    return count
  }

  accept(connection: Connection, client: ClientInfo, firstBytes: Uint8Array): ServedConnection {
    const served = new Http2ServerConnection({
      connection,
      scheduler: this.init.scheduler,
      clock: this.init.clock,
      arena: this.arena,
      ledger: this.ledger,
      options: optionsFor(this.limits),
      handler: (http2) => {
        const made = new DownstreamConnection(this, http2, client)
        this.open.add(made)
        return made
      },
    })
    if (firstBytes.length > 0) served.onData(firstBytes)
    return served
  }

  reconfigure(limits: HttpLimits): void {
    this.limits = limits
    for (const connection of this.open) connection.reconfigure()
  }

  closed(connection: DownstreamConnection): void {
    this.open.delete(connection)
  }
}

function optionsFor(limits: HttpLimits): Partial<Http2Options> {
  const headerBlockBytesMax = Math.max(64 << 10, 2 * limits.headBytesMax)
  return {
    concurrentStreamsMax: limits.http2StreamsMax,
    headerListBytesMax: limits.headBytesMax + fieldOverheadBytes * limits.headerFieldsMax,
    headerBlockBytesMax,
    continuationFramesMax: 64 + Math.ceil(headerBlockBytesMax / framePayloadBytes),
    streamReceiveWindowBytes: streamWindowBytes,
    connectionReceiveWindowBytes: connectionWindowBytes,
    prefaceTimeoutMs: limits.headTimeoutMs,
    frameTimeoutMs: limits.headTimeoutMs,
    sendTimeoutMs: limits.bodyIdleTimeoutMs,
    queuedBodyBytesMax,
    // Each has begun an attempt upstream. Four times all that a client can have under way at once.
    resetsBurst: Math.max(256, 4 * limits.http2StreamsMax),
  }
}
