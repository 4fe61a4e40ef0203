import type { Connection, Logger, Scheduler } from '../../runtime/index.ts'
import type {
  Http2Stream,
  ProtocolServer,
  RequestReceiver,
  ServedConnection,
  StreamContext,
  StreamServer,
} from '../http2/index.ts'
import { Http1Connection, type Http1Owner } from './http1-connection.ts'
import type { Http1Handler, Http1Routes } from './messages.ts'
import { type Http1Options, http1OptionsDefault } from './options.ts'
import { PageStream } from './page-stream.ts'

/** What an {@link Http1Server} is made of. */
export interface Http1ServerInit {
  readonly scheduler: Scheduler
  readonly logger: Logger
  /** Later tables override earlier ones. */
  readonly routes: readonly Http1Routes[]
  readonly options?: Partial<Http1Options>
}

/** Serves small requests on accepted HTTP/1.1 connections, and on streams of HTTP/2 ones. */
export class Http1Server implements ProtocolServer, StreamServer, Http1Owner {
  readonly scheduler: Scheduler
  readonly options: Http1Options
  /** Responses by status. */
  readonly responses = new Map<number, number>()
  private readonly logger: Logger
  private readonly exact = new Map<string, Http1Handler>()
  /** Prefixes, `/` included, the longest first. */
  private readonly prefixes: { readonly prefix: string; readonly handler: Http1Handler }[] = []
  private readonly connections = new Set<Http1Connection>()

  constructor(init: Http1ServerInit) {
    this.scheduler = init.scheduler
    this.logger = init.logger
    this.options = { ...http1OptionsDefault, ...init.options }
    for (const [path, handler] of Object.entries(Object.assign({}, ...init.routes) as Http1Routes)) {
      if (path.endsWith('/*')) this.prefixes.push({ prefix: path.slice(0, -1), handler })
      else this.exact.set(path, handler)
    }
    this.prefixes.sort((a, b) => b.prefix.length - a.prefix.length)
  }

  get connectionsOpen(): number {
    return this.connections.size
  }

  accept(connection: Connection, firstBytes: Uint8Array): ServedConnection {
    const served = new Http1Connection(connection, this)
    this.connections.add(served)
    if (firstBytes.length > 0) served.onData(firstBytes)
    return served
  }

  onStream(stream: Http2Stream, endStream: boolean, context: StreamContext): RequestReceiver {
    const page = new PageStream(stream, this, context)
    if (endStream) page.onData(noBytes, 0, 0, true)
    return page
  }

  find(path: string): Http1Handler | undefined {
    return this.exact.get(path) ?? this.prefixes.find(({ prefix }) => path.startsWith(prefix))?.handler
  }

  finished(status: number): void {
    this.responses.set(status, (this.responses.get(status) ?? 0) + 1)
  }

  failed(path: string, error: unknown): void {
    this.logger.error('an HTTP handler failed', { path, error: error instanceof Error ? error.message : String(error) })
  }

  connectionClosed(connection: Http1Connection): void {
    this.connections.delete(connection)
  }
}

const noBytes: Buffer = Buffer.alloc(0)
