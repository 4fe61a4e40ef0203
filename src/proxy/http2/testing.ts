/** A proxy that forwards everything to one endpoint, as the exchange does it, and no more. Not part of the face. */

import type { Listener, Network } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { upstreamSettingsDefault } from '../../traffic/upstream/index.ts'
import type { HttpLimits, ProxyUpstreamConfig } from '../config/index.ts'
import type {
  AttemptFailure,
  ClientInfo,
  DownstreamProtocol,
  EndpointPool,
  Fields,
  RequestConsumer,
  RequestHandler,
  RequestHead,
  Responder,
  ResponseHead,
  ResponseReceiver,
  UpstreamCall,
} from '../http/index.ts'
import { createHttp2Downstream, createHttp2Pool } from './index.ts'

export const limitsForTests: HttpLimits = {
  headBytesMax: 32 << 10,
  headerFieldsMax: 100,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  bodyIdleTimeoutMs: 60_000,
  requestsPerConnectionMax: 0,
  http2StreamsMax: 128,
}

export function upstreamForTests(changes: Partial<ProxyUpstreamConfig> = {}): ProxyUpstreamConfig {
  return {
    settings: { ...upstreamSettingsDefault, name: 'test', sources: [] },
    protocol: 'http2',
    tls: undefined,
    idleConnectionsMax: 8,
    idleTimeoutMs: 60_000,
    requestsPerConnectionMax: 0,
    ...changes,
  }
}

export const clientForTests: ClientInfo = {
  address: '127.0.0.1',
  port: 1,
  localPort: 2,
  tls: undefined,
  listener: 'test',
}

/** A head made here. */
export class LocalHead implements ResponseHead {
  readonly status: number
  readonly fields: Fields
  readonly bodyLength: number | 'unknown'
  memo: unknown = undefined

  constructor(status: number, fields: Fields = [], bodyLength: number | 'unknown' = 0) {
    this.status = status
    this.fields = fields
    this.bodyLength = bodyLength
  }

  get(name: string): string | undefined {
    const at = this.fields.findIndex((field, place) => place % 2 === 0 && field === name)
    return at === -1 ? undefined : this.fields[at + 1]
  }
}

/** What became of the requests. */
export class Outcomes {
  finished = 0
  aborted = 0
  readonly failures: AttemptFailure[] = []
  readonly refusals: string[] = []
  /** So many times a request that was not processed is sent again. */
  retries = 0
}

/** One exchange: passes on what comes on either side, and heeds what they say about their queues. */
class Forwarding implements RequestConsumer, ResponseReceiver {
  call: UpstreamCall | undefined
  private readonly pool: EndpointPool
  private readonly head: RequestHead
  private readonly responder: Responder
  private readonly outcomes: Outcomes
  private hasResponded = false

  constructor(pool: EndpointPool, head: RequestHead, responder: Responder, outcomes: Outcomes) {
    this.pool = pool
    this.head = head
    this.responder = responder
    this.outcomes = outcomes
    this.attempt()
  }

  onData(bytes: Uint8Array): void {
    if (!this.call!.write(bytes)) this.responder.pause()
  }

  onEnd(trailers: Fields | undefined): void {
    this.call!.end(trailers)
  }

  onAborted(_reason: string): void {
    this.outcomes.aborted++
    this.call!.abort()
  }

  onFinished(): void {
    this.outcomes.finished++
  }

  // The response; `onDrain` of either side starts the other, which is harmless where it was not stopped.

  onInformational(status: number, fields: Fields): void {
    this.responder.sendInformational(status, fields)
  }

  onHead(head: ResponseHead, end: boolean): void {
    this.hasResponded = true
    this.responder.sendHead(head, end)
  }

  onResponseData(bytes: Uint8Array): void {
    if (!this.responder.sendData(bytes)) this.call!.pause()
  }

  onResponseEnd(trailers: Fields | undefined): void {
    this.responder.sendEnd(trailers)
  }

  onDrain(): void {
    this.call?.resume()
    this.responder.resume()
  }

  onFailed(failure: AttemptFailure): void {
    if (failure.isUnprocessed && this.head.bodyLength === 0 && this.outcomes.retries < 10_000) {
      this.outcomes.retries++
      this.attempt()
      return
    }
    this.outcomes.failures.push(failure)
    if (this.hasResponded) this.responder.abort()
    else this.responder.sendHead(new LocalHead(502), true)
  }

  private attempt(): void {
    const { method, target, scheme, authority, fields, bodyLength, expectsContinue } = this.head
    this.call = this.pool.send(
      { method, target, scheme, authority, fields, bodyLength, upgrade: undefined, expectsContinue },
      {
        onInformational: (status, list) => this.onInformational(status, list),
        onHead: (head, end) => this.onHead(head, end),
        onData: (bytes) => this.onResponseData(bytes),
        onEnd: (trailers) => this.onResponseEnd(trailers),
        onDrain: () => this.onDrain(),
        onFailed: (failure) => this.onFailed(failure),
      },
    )
  }
}

export function forwardTo(pool: EndpointPool, outcomes: Outcomes = new Outcomes()): RequestHandler {
  return {
    onRequest: (head, responder) => new Forwarding(pool, head, responder, outcomes),
    onRefused: (_client, status, reason) => outcomes.refusals.push(`${status} ${reason}`),
  }
}

/** A proxy on a real port. */
export interface TestProxy {
  readonly port: number
  readonly pool: EndpointPool
  readonly downstream: DownstreamProtocol
  readonly outcomes: Outcomes
  /** Tells all clients to go. */
  shutdown(drainMs: number): void
  close(): Promise<void>
}

export interface TestProxyInit {
  readonly endpointPort: number
  readonly limits?: Partial<HttpLimits>
  readonly upstream?: Partial<ProxyUpstreamConfig>
  /** To the endpoint. */
  readonly network?: Network
  /** Instead of forwarding. */
  readonly handler?: RequestHandler
}

export async function startTestProxy(init: TestProxyInit): Promise<TestProxy> {
  const { clock, scheduler, network } = createNodeRuntime({ logLevel: 'error' })
  const config = upstreamForTests(init.upstream)
  const outcomes = new Outcomes()
  const endpoint = { host: '127.0.0.1', port: init.endpointPort }
  const pool = createHttp2Pool({ clock, scheduler, network: init.network ?? network, config, ...endpoint })
  const handler = init.handler ?? forwardTo(pool, outcomes)
  const downstream = createHttp2Downstream({ clock, scheduler, handler, limits: { ...limitsForTests, ...init.limits } })
  const open = new Map<{ shutdown(drainMs: number): void }, { destroy(): void }>()
  const listener: Listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    const served = downstream.accept(connection, clientForTests, new Uint8Array(0))
    connection.setHandler(served)
    open.set(served, connection)
  })
  return {
    port: listener.address.port,
    pool,
    downstream,
    outcomes,
    shutdown: (drainMs) => {
      for (const served of open.keys()) served.shutdown(drainMs)
    },
    close: async () => {
      for (const connection of open.values()) connection.destroy()
      pool.drain()
      await listener.close()
    },
  }
}
