/** Over real TCP, with clients and servers that are not ours. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import * as http from 'node:http'
import * as net from 'node:net'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { WebSocket, WebSocketServer } from 'ws'
import { MemoryNetwork } from '../../runtime/memory/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { Forwarder } from '../http/testing/forwarder.ts'
import { listen } from '../http/testing/listen.ts'
import { responseHead } from '../http/testing/response-head.ts'
import { testUpstream } from '../http/testing/settings.ts'
import { createHttp1Downstream, createHttp1Pool } from './index.ts'
import { RecordingHandler } from './testing/recording.ts'
import { tightLimits } from './testing/scripted.ts'

const runtime = createNodeRuntime({ logLevel: 'error' })
const run = promisify(execFile)
const waitMs = 20_000

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port
}

async function listening<T extends net.Server>(server: T): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** Looks again, turn after turn, until `condition` holds. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadlineMs = Date.now() + waitMs
  while (!condition()) {
    assert.ok(Date.now() < deadlineMs, `never came: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A proxy in front of what listens at `port`. */
async function proxyTo(port: number, config = testUpstream(), limits = tightLimits) {
  const pool = createHttp1Pool({ ...runtime, host: '127.0.0.1', port, config })
  const forwarder = new Forwarder(pool)
  const downstream = createHttp1Downstream({ ...runtime, handler: forwarder, limits })
  const listener = await listen(runtime.network, downstream)
  return {
    ...listener,
    pool,
    forwarder,
    downstream,
    close: async () => {
      pool.drain()
      await listener.close()
    },
  }
}

/** Also the connections that a failed test left open. */
async function closeAll(proxy: { close(): Promise<void> }, server: net.Server): Promise<void> {
  await proxy.close()
  if (server instanceof http.Server) server.closeAllConnections()
  server.close()
}

/** What comes back on a connection to which `text` is written, until it closes. */
function exchangeRaw(port: number, text: string, halfClose = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let received = ''
    socket.setTimeout(waitMs, () => socket.destroy(new Error(`timed out with: ${received}`)))
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1')
    })
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(received))
    socket.on('error', reject)
    socket.write(text, 'latin1')
    if (halfClose) socket.end()
  })
}

function request(
  options: http.RequestOptions,
  body?: Buffer | string,
): Promise<{ head: http.IncomingMessage; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: '127.0.0.1', ...options }, (head) => {
      const parts: Buffer[] = []
      head.on('data', (part: Buffer) => parts.push(part))
      head.on('end', () => resolve({ head, body: Buffer.concat(parts) }))
      head.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Answers as its path says. */
const backend = http.createServer((incoming, outgoing) => {
  const url = new URL(incoming.url!, 'http://a')
  if (url.pathname === '/echo') {
    outgoing.writeHead(200, { 'x-length': incoming.headers['content-length'] ?? 'chunked' })
    incoming.on('end', () => outgoing.addTrailers({ ...incoming.trailers }))
    incoming.pipe(outgoing)
    return
  }
  incoming.resume()
  if (url.pathname === '/bytes') {
    const size = Number(url.searchParams.get('size'))
    outgoing.writeHead(200, { 'content-length': size })
    outgoing.end(Buffer.alloc(size, 'x'))
  } else if (url.pathname === '/headers') outgoing.end(JSON.stringify(incoming.rawHeaders))
  else if (url.pathname === '/trailers') {
    outgoing.writeHead(200, { trailer: 'X-Sum' })
    outgoing.write('hello')
    outgoing.addTrailers({ 'X-Sum': '42' })
    outgoing.end()
  } else if (url.pathname === '/hints') {
    outgoing.writeEarlyHints({ link: '</a.css>; rel=preload' })
    outgoing.end('hinted')
  } else outgoing.end(`${incoming.method} ${incoming.url}`)
})

describe('curl and node:http through a forwarder to node:http', () => {
  let proxy: Awaited<ReturnType<typeof proxyTo>>

  before(async () => {
    await listening(backend)
    proxy = await proxyTo(portOf(backend))
  })

  after(async () => {
    await proxy.close()
    backend.closeAllConnections()
    backend.close()
  })

  const curl = async (...args: string[]): Promise<string> =>
    (await run('curl', ['-sS', '--max-time', '20', ...args], { maxBuffer: 10 << 20 })).stdout
  const url = (path: string): string => `http://127.0.0.1:${proxy.port}${path}`

  it('GET, HEAD, POST, PUT with Expect, chunked upload, HTTP/1.0, several on one connection', async () => {
    assert.equal(await curl(url('/a?b=c')), 'GET /a?b=c')
    assert.match(await curl('-I', url('/bytes?size=5')), /^HTTP\/1\.1 200 OK\r\n[\s\S]*content-length: 5\r\n/)
    assert.equal(await curl('-d', 'hello', url('/echo')), 'hello')
    const large = 'x'.repeat(100_000)
    assert.equal(await curl('-H', 'Expect: 100-continue', '-T', '/dev/null', url('/put')), 'PUT /put')
    assert.equal((await curl('-H', 'Transfer-Encoding: chunked', '-d', large, url('/echo'))).length, large.length)
    assert.equal(await curl('--http1.0', url('/old')), 'GET /old')
    assert.equal(await curl('--http1.0', '-d', 'hello', url('/echo')), 'hello')
    assert.equal(await curl(url('/1'), url('/2'), url('/3')), 'GET /1GET /2GET /3')
    assert.equal(await curl('--request-target', 'http://other/x', url('/')), 'GET /x')
  })

  it('Expect: 100-continue waits for the endpoint and is told', async () => {
    const stdout = await curl('-v', '--stderr', '-', '-H', 'Expect: 100-continue', '-d', 'hello', url('/echo'))
    assert.match(stdout, /< HTTP\/1\.1 100 Continue[\s\S]*hello/)
  })

  it('bodies of 64 KB, and of every size around the buffers, come back the same', async () => {
    for (const size of [0, 1, 4_095, 4_096, 16_383, 16_384, 16_385, 65_536, 300_000]) {
      const body = Buffer.alloc(size, `${size}-`)
      const answer = await request({ port: proxy.port, path: '/echo', method: 'POST' }, body)
      assert.equal(answer.body.equals(body), true, `${size}`)
      assert.equal(answer.head.headers['x-length'], `${size}`)
      assert.equal((await request({ port: proxy.port, path: `/bytes?size=${size}` })).body.length, size)
    }
  })

  it('trailers go both ways', async () => {
    const answer = await request({ port: proxy.port, path: '/trailers' })
    assert.deepEqual([answer.body.toString(), answer.head.trailers], ['hello', { 'x-sum': '42' }])
    const sent = await exchangeRaw(
      proxy.port,
      'POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Up: 1\r\n\r\n',
    )
    assert.match(sent, /2\r\nhi\r\n0\r\nx-up: 1\r\n\r\n$/i)
  })

  it('interim responses are passed on', async () => {
    const raw = await exchangeRaw(proxy.port, 'GET /hints HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(raw, /^HTTP\/1\.1 103 Early Hints\r\nlink: [\s\S]*HTTP\/1\.1 200 OK[\s\S]*hinted/i)
  })

  it('hop-by-hop fields stay on their hop', async () => {
    const { body } = await request({
      port: proxy.port,
      path: '/headers',
      headers: { connection: 'x-hop, keep-alive', 'x-hop': '1', 'x-end': '2', 'keep-alive': '5' },
    })
    const names = (JSON.parse(body.toString()) as string[]).filter((_, i) => i % 2 === 0)
    assert.deepEqual(names, ['host', 'x-end'])
  })

  it('pipelined requests are answered in order', async () => {
    const paths = [...Array(200).keys()].map((i) => `/${i}`)
    const text = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join('')
    const raw = await exchangeRaw(proxy.port, text, true)
    const order = [...raw.matchAll(/GET (\/[0-9]+)/g)].map((match) => match[1])
    assert.deepEqual(order, paths)
  })

  it('a client that closes its half still gets its answer', async () => {
    const raw = await exchangeRaw(proxy.port, 'GET /half HTTP/1.1\r\nHost: a\r\n\r\n', true)
    assert.match(raw, /GET \/half$|GET \/half\r\n0\r\n\r\n$/)
  })

  it('an error is read by a client that is still sending', async () => {
    const raw = await exchangeRaw(
      proxy.port,
      `POST / HTTP/1.1\r\nHost: a b\r\nContent-Length: 9\r\n\r\n${'x'.repeat(400_000)}`,
    )
    assert.match(raw, /^HTTP\/1\.1 400 Bad Request\r\n/)
  })

  it('connections to the endpoint are kept and shared', async () => {
    const connectionsBefore = proxy.pool.connections
    for (let i = 0; i < 20; i++) assert.equal((await request({ port: proxy.port, path: '/k' })).head.statusCode, 200)
    assert.ok(proxy.pool.connections <= Math.max(connectionsBefore, 1))
    await until(() => proxy.pool.idleConnections === proxy.pool.connections, 'all connections idle')
  })

  it('nothing is left under way', async () => {
    await until(() => proxy.downstream.idleConnections === proxy.downstream.connections, 'no exchange under way')
    assert.deepEqual(proxy.forwarder.failures, [])
  })
})

describe('large bodies', () => {
  const total = 200 << 20

  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void

  function liveMb(): number {
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    return (heapUsed + external) / (1 << 20)
  }

  /** Peak of what was alive in the process while `work` ran: proxy, client and endpoint together. */
  async function peakMb(work: Promise<unknown>): Promise<number> {
    let peak = 0
    const look = setInterval(() => {
      peak = Math.max(peak, liveMb())
    }, 25)
    await work.finally(() => clearInterval(look))
    return peak
  }

  it('200 MB go both ways in flat memory, past a slow reader', async (t) => {
    const echo = await listening(http.createServer((incoming, outgoing) => incoming.pipe(outgoing)))
    const proxy = await proxyTo(portOf(echo))
    t.after(() => closeAll(proxy, echo))
    const startMb = liveMb()
    let received = 0
    const work = new Promise<void>((resolve, reject) => {
      const sent = http.request({ port: proxy.port, host: '127.0.0.1', method: 'POST', path: '/' }, (head) => {
        head.on('data', (part: Buffer) => {
          received += part.length
          // A pause now and then, long enough for every queue on the way to fill.
          if (received % (50 << 20) < part.length) {
            head.pause()
            setTimeout(() => head.resume(), 300)
          }
        })
        head.on('end', resolve)
        head.on('error', reject)
      })
      sent.on('error', reject)
      const piece = Buffer.alloc(64 << 10, 'x')
      let left = total
      const pump = (): void => {
        while (left > 0) {
          left -= piece.length
          if (!sent.write(piece)) {
            sent.once('drain', pump)
            return
          }
        }
        sent.end()
      }
      pump()
    })
    const peak = await peakMb(work)
    assert.equal(received, total)
    // What was read and is not collected yet counts too: some 40 MB, however much goes through.
    assert.ok(peak - startMb < 80, `grew by ${(peak - startMb).toFixed(0)} MB`)
  })
})

describe('endpoints that die', () => {
  /** An endpoint that answers each first read with `answer`, and then does `last`. */
  async function dying(answer: string, last: 'end' | 'reset'): Promise<net.Server> {
    return listening(
      net.createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', () => {
          const finish = (): void => {
            if (last === 'end') socket.end()
            else socket.resetAndDestroy()
          }
          if (answer === '') finish()
          else socket.write(answer, () => setTimeout(finish, 20))
        })
      }),
    )
  }

  const get = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  for (const last of ['end', 'reset'] as const) {
    it(`before, in and after a response (${last})`, async (t) => {
      const answers: readonly (readonly [answer: string, kind: string | undefined, seen: RegExp])[] = [
        ['', 'closed-before-response', /^HTTP\/1\.1 502 /],
        ['HTTP/1.1 200', 'broken-response', /^HTTP\/1\.1 502 /],
        ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf', 'broken-response', /\r\n\r\nhalf$/],
        ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', 'broken-response', /4\r\nhalf\r\n$/],
        ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole', undefined, /\r\n\r\nwhole$/],
      ]
      for (const [answer, kind, seen] of answers) {
        const server = await dying(answer, last)
        const proxy = await proxyTo(portOf(server))
        t.after(() => closeAll(proxy, server))
        const raw = await exchangeRaw(proxy.port, get)
        assert.match(raw, seen, answer)
        assert.deepEqual(
          proxy.forwarder.failures.map((failure) => failure.kind),
          kind === undefined ? [] : [kind],
          answer,
        )
        await until(() => proxy.pool.connections === 0, 'the dead connection is forgotten')
      }
    })
  }

  it('is not there at all: certainly unprocessed', async (t) => {
    const server = await listening(net.createServer())
    const port = portOf(server)
    await new Promise((resolve) => server.close(resolve))
    const proxy = await proxyTo(port)
    t.after(() => proxy.close())
    assert.match(await exchangeRaw(proxy.port, get), /^HTTP\/1\.1 502 /)
    assert.deepEqual(
      proxy.forwarder.failures.map((failure) => [failure.kind, failure.isUnprocessed]),
      [['connect-refused', true]],
    )
  })

  it('a client that goes away takes its call with it', async (t) => {
    let closed = false
    const server = await listening(
      net.createServer((socket) => {
        socket.on('error', () => {})
        socket.on('close', () => {
          closed = true
        })
        socket.resume()
      }),
    )
    const proxy = await proxyTo(portOf(server))
    t.after(() => closeAll(proxy, server))
    const socket = net.connect({ port: proxy.port, host: '127.0.0.1' })
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => proxy.pool.connections === 1, 'the call')
    socket.resetAndDestroy()
    await until(() => closed, 'the end of the call')
    assert.equal(proxy.forwarder.aborted.length, 1)
    assert.equal(proxy.downstream.connections, 0)
  })
})

describe('upgrades', () => {
  it('WebSocket echo through the forwarder, text, large binary, and a clean close', async (t) => {
    const server = await listening(http.createServer())
    const sockets = new WebSocketServer({ server })
    sockets.on('connection', (socket) => {
      socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }))
    })
    const proxy = await proxyTo(portOf(server))
    t.after(() => {
      sockets.close()
      return closeAll(proxy, server)
    })
    const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/chat`)
    const next = (): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        client.once('message', (data) => resolve(data as Buffer))
        client.once('error', reject)
      })
    await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject))
    client.send('hello')
    assert.equal((await next()).toString(), 'hello')
    const large = Buffer.alloc(3 << 20, 'abc')
    client.send(large)
    assert.equal((await next()).equals(large), true)
    assert.equal(proxy.downstream.idleConnections, 0)
    const code = new Promise((resolve) => client.once('close', resolve))
    client.close(4_001)
    assert.equal(await code, 4_001)
    await until(() => proxy.downstream.connections === 0 && proxy.pool.connections === 0, 'both connections closed')
    await until(() => proxy.forwarder.finished + proxy.forwarder.aborted.length === 1, 'the end of the exchange')
  })
})

describe('on the memory network', () => {
  it('request and response pass, and both ends close', async () => {
    const network = new MemoryNetwork(runtime.scheduler, ['front', 'back'])
    const origin = new RecordingHandler(({ responder, body }) => {
      responder.sendHead(responseHead(200, [], 'unknown'), false)
      responder.sendData(Buffer.from(body))
      responder.sendEnd()
    })
    const back = await listen(
      network,
      createHttp1Downstream({ ...runtime, handler: origin, limits: tightLimits }),
      'back',
    )
    const config = testUpstream()
    const pool = createHttp1Pool({ ...runtime, network, host: 'back', port: back.port, config })
    const forwarder = new Forwarder(pool)
    const downstream = createHttp1Downstream({ ...runtime, handler: forwarder, limits: tightLimits })
    const front = await listen(network, downstream, 'front')
    const client = network.connect({ host: 'front', port: front.port })
    let received = ''
    let isClosed = false
    client.setHandler({
      onData: (bytes) => {
        received += Buffer.from(bytes).toString()
      },
      onEnd: () => client.end(),
      onClose: () => {
        isClosed = true
      },
    })
    const body = 'b'.repeat(500_000)
    client.write(
      Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    )
    await until(() => isClosed, 'the end')
    assert.match(received, /^HTTP\/1\.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n/)
    assert.equal(received.match(/b/g)!.length, body.length)
    await until(() => downstream.connections === 0, 'the end of the server side')
    assert.deepEqual([forwarder.finished, pool.connections, pool.idleConnections], [1, 1, 1])
    pool.drain()
    await back.close()
    await front.close()
  })
})
