/** The exchange over the real HTTP/1.1, real sockets, and servers of node:http that die in every way. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import * as http from 'node:http'
import type * as net from 'node:net'
import { describe, it } from 'node:test'
import { emptyBytes } from '../../base/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { openUpstream } from '../../traffic/upstream/index.ts'
import { createHttp1Downstream, createHttp1Pool } from '../http1/index.ts'
import { ProxyMetrics } from '../metrics/index.ts'
import { type RouteParts, routeWith } from '../routing/testing/routes.ts'
import { createExchangeHandler, type ExchangeHandler, ProxyUpstream } from './index.ts'
import { listenerOf, upstreamConfig } from './testing/exchange-ground.ts'

const runtime = createNodeRuntime({ logLevel: 'error' })

interface Backend {
  readonly server: http.Server
  readonly port: number
  requests: number
}

async function openBackend(serve: http.RequestListener): Promise<Backend> {
  const server = http.createServer((request, response) => {
    backend.requests++
    serve(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const backend = { server, port: (server.address() as net.AddressInfo).port, requests: 0 }
  return backend
}

interface Site {
  readonly port: number
  readonly handler: ExchangeHandler
  readonly metrics: ProxyMetrics
}

async function withSite(
  route: RouteParts,
  backends: readonly Backend[],
  work: (site: Site) => Promise<void>,
): Promise<void> {
  const base = upstreamConfig(
    'app',
    backends.map((each) => String(each.port)),
  )
  const endpoints = backends.map(({ port }) => ({
    id: String(port),
    host: '127.0.0.1',
    port,
    weight: 1,
    priority: 0,
    zone: '',
    metadata: {},
  }))
  const config = {
    ...base,
    settings: {
      ...base.settings,
      sources: [{ type: 'static' as const, endpoints }],
      retryBudget: { percent: 100, minPerSecond: 1_000 },
    },
  }
  const upstream = openUpstream(config.settings, runtime)
  await upstream.ready()
  const pools = { http1: createHttp1Pool, http2: createHttp1Pool }
  const proxied = new ProxyUpstream({ ...runtime, upstream, config, pools })
  const metrics = new ProxyMetrics()
  const listener = listenerOf({ routes: [routeWith(route)], forwardedHeaders: 'x-forwarded' })
  const upstreams = new Map([['app', proxied]])
  const handler = createExchangeHandler({ ...runtime, metrics, listener, upstreams })
  const downstream = createHttp1Downstream({ ...runtime, handler, limits: listener.limits })
  const port = await runtime.network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    const client = { address: '127.0.0.1', port: 0, localPort: 0, tls: undefined, listener: 'web' }
    connection.setHandler(downstream.accept(connection, client, emptyBytes))
  })
  try {
    await work({ port: port.address.port, handler, metrics })
  } finally {
    await port.close()
    proxied.close()
    for (const { server } of backends) {
      server.closeAllConnections()
      server.close()
    }
  }
}

interface Answer {
  readonly status: number
  readonly body: Buffer
}

function ask(port: number, options: http.RequestOptions, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, ...options }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (bytes: Buffer) => chunks.push(bytes))
      response.on('end', () => resolve({ status: response.statusCode!, body: Buffer.concat(chunks) }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

const retry: RouteParts = {
  retry: { attemptsMax: 4, on: ['connect-failure', 'broken-connection', 'timeout', 'gateway-error'] },
}
const fine: http.RequestListener = (request, response) => {
  request.resume()
  request.on('end', () => response.end(`fine ${request.url}`))
}

async function untilIdle(handler: ExchangeHandler): Promise<void> {
  const deadline = Date.now() + 10_000
  while (handler.active > 0) {
    assert.ok(Date.now() < deadline, `${handler.active} exchanges do not end`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('over real connections', () => {
  it('no idempotent request fails while one server is gone, one breaks off, and one answers 503', async () => {
    const gone = await openBackend(fine)
    gone.server.close()
    const breaking = await openBackend((request) => request.socket.destroy())
    const unwell = await openBackend((_request, response) => response.writeHead(503).end('unwell'))
    const well = await openBackend(fine)
    await withSite(retry, [gone, breaking, unwell, well], async ({ port, handler, metrics }) => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
      const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(port, { path: `/${i}`, agent })))
      agent.destroy()
      for (const [i, answer] of answers.entries()) {
        assert.deepEqual([answer.status, String(answer.body)], [200, `fine /${i}`])
      }
      await untilIdle(handler)
      assert.ok(metrics.snapshot().listeners['web']!.retries > 100)
      for (const backend of [breaking, unwell, well]) assert.ok(backend.requests > 10)
    })
  })

  it('what is not idempotent is tried again only where nothing was processed', async () => {
    const gone = await openBackend(fine)
    gone.server.close()
    const breaking = await openBackend((request) => request.socket.destroy())
    await withSite(retry, [gone, breaking], async ({ port, handler }) => {
      for (let i = 0; i < 6; i++) {
        const before = breaking.requests
        const { status } = await ask(port, { path: '/', method: 'POST' }, Buffer.from('x'))
        assert.equal(status, 502)
        assert.equal(breaking.requests, before + 1, 'sent once, and only once')
      }
      await untilIdle(handler)
    })
  })

  it('a body of 20 MB arrives whole both ways', async () => {
    const echo = await openBackend((request, response) => void request.pipe(response))
    await withSite({}, [echo], async ({ port, handler, metrics }) => {
      const body = Buffer.allocUnsafe(20 << 20)
      for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(Math.imul(i, 2_654_435_761) >>> 0, i)
      const answer = await ask(port, { path: '/', method: 'POST' }, body)
      const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
      assert.equal(digest(answer.body), digest(body))
      await untilIdle(handler)
      const { bytesIn, bytesOut } = metrics.snapshot().listeners['web']!
      assert.deepEqual([bytesIn, bytesOut], [body.length, body.length])
    })
  })

  it('a server that dies within its response breaks it for the client, who is not told that it is whole', async () => {
    const half = await openBackend((request, response) => {
      response.writeHead(200)
      response.write('half', () => request.socket.destroy())
    })
    await withSite(retry, [half], async ({ port, handler }) => {
      await assert.rejects(ask(port, { path: '/' }))
      await untilIdle(handler)
      assert.equal(half.requests, 1)
    })
  })

  it('a client that goes away takes its request to the server with it', async () => {
    let hasClosed: () => void = () => {}
    const closed = new Promise<void>((resolve) => {
      hasClosed = resolve
    })
    const slow = await openBackend((request) => void request.socket.on('close', () => hasClosed()))
    await withSite({}, [slow], async ({ port, handler }) => {
      const request = http.get({ host: '127.0.0.1', port })
      request.on('error', () => {})
      await once(slow.server, 'request')
      // A reset: a mere end of the client's half may be one that waits for its answer.
      request.socket!.resetAndDestroy()
      await closed
      await untilIdle(handler)
    })
  })
})
