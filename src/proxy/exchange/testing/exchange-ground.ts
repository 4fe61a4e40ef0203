/** A handler over real upstreams and fake connections, for tests. */
import assert from 'node:assert/strict'
import { silentLogger } from '../../../runtime/index.ts'
import { MemoryNetwork } from '../../../runtime/memory/index.ts'
import {
  type EndpointAddress,
  openUpstream,
  type Upstream,
  type UpstreamSettings,
  upstreamSettingsDefault,
} from '../../../traffic/upstream/index.ts'
import { AccessLog } from '../../access-log/index.ts'
import type { HttpListenerConfig, ProxyUpstreamConfig, RouteConfig } from '../../config/index.ts'
import { bufferLedgerOf, type RequestConsumer, type RequestHead } from '../../http/index.ts'
import { ProxyMetrics } from '../../metrics/index.ts'
import { headOf } from '../../routing/testing/routes.ts'
import { createExchangeHandler, type ExchangeHandler, type ExchangeHandlerInit, ProxyUpstream } from '../index.ts'
import { type FakeCall, FakePool } from './fake-pool.ts'
import { FakeResponder } from './fake-responder.ts'
import { type FakeTime, fakeTime } from './fake-time.ts'

export interface GroundOptions {
  readonly routes: readonly RouteConfig[]
  /** Endpoints of each upstream; by default `app` with `a`, `b` and `c`. */
  readonly upstreams?: Readonly<Record<string, readonly string[]>>
  readonly settings?: Partial<UpstreamSettings>
  readonly protocol?: ProxyUpstreamConfig['protocol']
  readonly listener?: Partial<HttpListenerConfig>
  readonly init?: Partial<ExchangeHandlerInit>
}

export interface Sent {
  readonly responder: FakeResponder
  readonly consumer: RequestConsumer
}

export interface ExchangeGround {
  readonly time: FakeTime
  readonly handler: ExchangeHandler
  readonly metrics: ProxyMetrics
  readonly upstreams: ReadonlyMap<string, ProxyUpstream>
  /** All attempts so far, mirrors included. */
  readonly calls: FakeCall[]
  /** Lines of the log, parsed. */
  log(): Record<string, unknown>[]
  request(parts?: Parameters<typeof headOf>[0] | RequestHead): Sent
  listenerWith(routes: readonly RouteConfig[]): HttpListenerConfig
  /** Every exchange is over, all begun attempts have ended, no timer is left. */
  assertAtRest(): void
  close(): void
}

export function listenerOf(parts: Partial<HttpListenerConfig> = {}): HttpListenerConfig {
  return {
    name: 'web',
    host: '127.0.0.1',
    port: 8_080,
    protocol: 'http',
    proxyProtocolFrom: [],
    connectionsMax: 100,
    tls: undefined,
    http2: true,
    trustedProxies: [],
    forwardedHeaders: 'none',
    requestIds: 'pass',
    limits: {
      headBytesMax: 16_384,
      headerFieldsMax: 100,
      headTimeoutMs: 10_000,
      idleTimeoutMs: 60_000,
      bodyIdleTimeoutMs: 30_000,
      requestsPerConnectionMax: 0,
      http2StreamsMax: 100,
    },
    routes: [],
    ...parts,
  }
}

export function upstreamConfig(
  name: string,
  endpoints: readonly string[],
  parts: Partial<UpstreamSettings> = {},
  protocol: ProxyUpstreamConfig['protocol'] = 'http1',
): ProxyUpstreamConfig {
  const addresses: EndpointAddress[] = endpoints.map((id, index) => ({
    id,
    host: `10.0.0.${index + 1}`,
    port: 80,
    weight: 1,
    priority: 0,
    zone: '',
    metadata: {},
  }))
  const sources = [{ type: 'static' as const, endpoints: addresses }]
  return {
    settings: { ...upstreamSettingsDefault, outlier: undefined, name, sources, ...parts },
    protocol,
    tls: undefined,
    idleConnectionsMax: 8,
    idleTimeoutMs: 60_000,
    requestsPerConnectionMax: 0,
  }
}

/** Counts what is begun and ended on the real upstream. */
function counting(upstream: Upstream, balance: { begun: number; ended: number }): void {
  const { begin, end } = upstream
  upstream.begin = (endpoint, isRetry) => {
    balance.begun++
    return begin.call(upstream, endpoint, isRetry)
  }
  upstream.end = (endpoint, result, latencyMs, permit) => {
    balance.ended++
    assert.ok(latencyMs >= 0)
    end.call(upstream, endpoint, result, latencyMs, permit)
  }
}

export async function openGround(options: GroundOptions): Promise<ExchangeGround> {
  const time = fakeTime()
  const { clock, scheduler, random } = time
  // Round robin starts where chance says: here at the first endpoint, so that tests can name it.
  const noChance = { ...random, float: () => 0, below: () => 0, uint32: () => 0 }
  const calls: FakeCall[] = []
  const balance = { begun: 0, ended: 0 }
  const network = new MemoryNetwork(scheduler, [])
  const upstreams = new Map<string, ProxyUpstream>()
  for (const [name, endpoints] of Object.entries(options.upstreams ?? { app: ['a', 'b', 'c'] })) {
    const config = upstreamConfig(name, endpoints, options.settings, options.protocol)
    const upstream = openUpstream(config.settings, {
      clock,
      scheduler,
      random: noChance,
      network,
      logger: silentLogger,
    })
    counting(upstream, balance)
    const opened = upstream.ready()
    time.advance(1)
    await opened
    const createPool = ({ host }: { host: string }) =>
      new FakePool(endpoints[Number(host.split('.')[3]) - 1] ?? host, calls)
    const pools = { http1: createPool, http2: createPool }
    upstreams.set(name, new ProxyUpstream({ upstream, config, network, pools, clock, scheduler }))
  }
  const lines: string[] = []
  const sink = { append: (bytes: Uint8Array) => lines.push(Buffer.from(bytes).toString()) }
  const accessLog = new AccessLog({ format: 'json', clock, scheduler, sink })
  const metrics = new ProxyMetrics()
  const listener = listenerOf({ ...options.listener, routes: options.routes })
  const handler = createExchangeHandler({
    ...{ clock, scheduler, random, metrics, accessLog, listener, upstreams },
    ...options.init,
  })
  return {
    time,
    handler,
    metrics,
    upstreams,
    calls,
    log() {
      accessLog.flush()
      const text = lines.join('')
      return text === ''
        ? []
        : text
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line))
    },
    request(parts = {}) {
      const head = 'get' in parts ? parts : headOf(parts)
      const responder = new FakeResponder(head.method)
      return { responder, consumer: handler.onRequest(head, responder) }
    },
    listenerWith: (routes) => listenerOf({ ...options.listener, routes }),
    assertAtRest() {
      assert.equal(handler.active, 0, 'exchanges under way')
      assert.equal(bufferLedgerOf(scheduler).bytes, 0, 'bytes that the ledger still counts')
      assert.equal(balance.begun, balance.ended, 'attempts begun and ended')
      for (const upstream of upstreams.values()) {
        for (const endpoint of upstream.upstream.endpoints) assert.equal(endpoint.active, 0)
      }
      for (const counters of Object.values(metrics.snapshot().routes)) assert.equal(counters.active, 0)
    },
    close() {
      for (const upstream of upstreams.values()) upstream.close()
    },
  }
}
