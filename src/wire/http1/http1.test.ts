import assert from 'node:assert/strict'
import http2 from 'node:http2'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { silentLogger } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { GrpcServer } from '../grpc/index.ts'
import { ManualWorld, MemoryConnection } from '../http2/testing.ts'
import { Http1Server } from './http1-server.ts'
import type { Http1Routes } from './messages.ts'
import type { Http1Options } from './options.ts'
import { type PortOptions, PortServer } from './port-server.ts'

const routes: Http1Routes = {
  '/health': (request) => ({ status: 200, body: `${request.method} ${request.query.get('q') ?? ''}` }),
  '/echo': (request) => ({ status: 200, body: request.body }),
  '/later': async () => ({ status: 200, headers: { 'x-a': 'b\r\nx-evil: 1' }, body: 'later' }),
  '/broken': () => Promise.reject(new Error('broken')),
  '/stream': () => ({
    status: 200,
    body: (stream) => {
      stream.write('one')
      stream.write('')
      stream.write('two')
      stream.end()
    },
  }),
  '/tree/*': (request) => ({ status: 200, body: request.path }),
}

interface Peer {
  readonly world: ManualWorld
  readonly connection: MemoryConnection
  readonly server: Http1Server
  /** Sends and returns what came back once promises have settled. */
  ask(text: string): Promise<string>
}

function connect(options: Partial<Http1Options> = {}): Peer {
  const world = new ManualWorld()
  const connection = new MemoryConnection()
  const server = new Http1Server({ scheduler: world, logger: silentLogger, routes: [routes], options })
  const served = server.accept(connection, new Uint8Array(0))
  connection.setHandler(served)
  const ask = async (text: string): Promise<string> => {
    served.onData(Buffer.from(text, 'latin1'))
    for (let i = 0; i < 5; i++) await Promise.resolve()
    return connection.takeBytes().toString('latin1')
  }
  return { world, connection, server, ask }
}

test('requests are answered in order on one connection', async () => {
  const peer = connect()
  const answer = await peer.ask(
    'GET /health?q=a%20b HTTP/1.1\r\nHost: x\r\n\r\nGET /later HTTP/1.1\r\nHost: x\r\n\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc',
  )
  assert.equal(
    answer,
    'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nGET a b' +
      'HTTP/1.1 200 OK\r\nx-a: b  x-evil: 1\r\ncontent-length: 5\r\n\r\nlater' +
      'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc',
  )
  assert.equal(peer.connection.closed, 'open')
})

test('HEAD, streams, prefixes, chunked requests, errors', async () => {
  const cases: [string, RegExp][] = [
    ['HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 200 OK\r\ncontent-length: 5\r\n\r\n$/],
    ['GET /stream HTTP/1.1\r\nHost: x\r\n\r\n', /chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/],
    ['GET /tree/a/b HTTP/1.1\r\nHost: x\r\n\r\n', /\r\n\r\n\/tree\/a\/b$/],
    [
      'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
      /\r\n\r\nabcde$/,
    ],
    ['GET /nope HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 404 /],
    ['PUT /echo HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 405 /],
    ['GET /broken HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 500 /],
    ['GET /health HTTP/1.0\r\n\r\n', /connection: close/],
    ['GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n', /^HTTP\/1.1 200 /],
  ]
  for (const [text, expected] of cases) assert.match(await connect().ask(text), expected)
})

test('what is not a request is refused, and the connection closes', async () => {
  const host = 'Host: x\r\n'
  const cases: [string, number][] = [
    ['GET / HTTP/1.1\r\n\r\n', 400],
    [`GET http://x/ HTTP/1.1\r\n${host}\r\n`, 400],
    [`GET / HTTP/1.1\r\n${host}${host}\r\n`, 400],
    [`GET / HTTP/1.1\r\n${host}A : b\r\n\r\n`, 400],
    [`GET / HTTP/1.1\r\n${host} folded\r\n\r\n`, 400],
    [`GET / HTTP/1.1\r\n${host}A: b\nC: d\r\n\r\n`, 400],
    [`GET / HTTP/2.0\r\n${host}\r\n`, 505],
    [`POST /echo HTTP/1.1\r\n${host}Content-Length: 1x\r\n\r\n`, 400],
    [`POST /echo HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
    [`POST /echo HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    [`POST /echo HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\n`, 501],
    [`POST /echo HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\n`, 400],
    [`POST /echo HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nfffff0\r\n`, 413],
    [`POST /echo HTTP/1.1\r\n${host}Content-Length: 2000000\r\n\r\n`, 413],
    [`GET / HTTP/1.1\r\n${host}A: ${'b'.repeat(17_000)}`, 431],
    [`GET / HTTP/1.1\r\n${host}${'A: b\r\n'.repeat(101)}\r\n`, 431],
  ]
  for (const [text, status] of cases) {
    const peer = connect()
    assert.match(await peer.ask(text), new RegExp(`^HTTP/1.1 ${status} `), text.slice(0, 60))
    assert.equal(peer.connection.closed, 'ended')
  }
})

test('what is not HTTP/1 by its first line is closed without an answer', async () => {
  const cases = [
    '\x16\x03\x01\x02',
    'get / HTTP/1.1\r\n',
    'INVALID CONNECTION PREFACE\r\n\r\n',
    'GET /\r\n\r\n',
    'GET / HTTP/1.1x\r\nHost: x\r\n\r\n',
  ]
  for (const text of cases) {
    const peer = connect()
    assert.equal(await peer.ask(text), '', text)
    assert.equal(peer.connection.closed, 'ended', text)
  }
})

test('slow and idle clients are cut off', async () => {
  const idle = connect()
  idle.world.advance(61_000)
  assert.notEqual(idle.connection.closed, 'open')
  for (const text of ['GET / HT', 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc']) {
    const peer = connect()
    await peer.ask(text)
    peer.world.advance(21_000)
    assert.match(peer.connection.takeBytes().toString(), /^HTTP\/1.1 408 /)
  }
})

test('a client that pipelines and never reads is paused, then dropped', async () => {
  const peer = connect()
  peer.connection.isStuck = true
  const post = `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n${'x'.repeat(60_000)}`
  for (let i = 0; i < 100 && !peer.connection.isPaused; i++) await peer.ask(post)
  assert.ok(peer.connection.isPaused)
  assert.ok(peer.connection.queuedBytes < 2 << 20)
  peer.world.advance(61_000)
  assert.equal(peer.connection.closed, 'destroyed')
})

test('arbitrary bytes never throw', async () => {
  const anyPiece = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.constantFrom(
      'GET /health HTTP/1.1\r\n',
      'Host: x\r\n',
      '\r\n',
      'Content-Length: 5\r\n',
      'Transfer-Encoding: chunked\r\n',
      '5\r\nabcde\r\n',
      '0\r\n\r\n',
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(anyPiece, { maxLength: 12 }), async (pieces) => {
      const peer = connect()
      for (const piece of pieces) await peer.ask(piece)
      peer.connection.handler!.onEnd!()
      peer.world.advance(200_000)
      assert.notEqual(peer.connection.closed, 'open')
      peer.connection.close('ended')
      assert.equal(peer.server.connectionsOpen, 0)
    }),
    { numRuns: 500 },
  )
})

async function startPort(
  t: TestContext,
  options: Partial<PortOptions> = {},
): Promise<{ port: PortServer; at: number }> {
  const { clock, scheduler, network } = createNodeRuntime({ logLevel: 'error' })
  const http1 = new Http1Server({ scheduler, logger: silentLogger, routes: [routes] })
  const grpc = new GrpcServer({ clock, scheduler, routes: [] })
  const port = new PortServer({ network, scheduler, logger: silentLogger, http1, http2: grpc, options })
  const address = await port.listen({ host: '127.0.0.1', port: 0 })
  t.after(() => port.close({ drainMs: 0 }))
  return { port, at: address.port }
}

test('one port serves both protocols, and closes gracefully', async (t) => {
  const { port, at } = await startPort(t)
  const response = await fetch(`http://127.0.0.1:${at}/later`)
  assert.equal(await response.text(), 'later')
  const session = http2.connect(`http://127.0.0.1:${at}`)
  const stream = session.request({ ':path': '/later' })
  const [headers] = await new Promise<[http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader]>((resolve) => {
    stream.on('response', (received) => resolve([received]))
  })
  assert.equal(headers[':status'], 415)
  assert.ok(port.connectionsOpen >= 1)
  const closed = new Promise((resolve) => session.once('close', resolve))
  await port.close({ drainMs: 5_000 })
  await closed
  assert.equal(port.connectionsOpen, 0)
})

test('one connection too many is closed at once', async (t) => {
  const { port, at } = await startPort(t, { connectionsMax: 1 })
  const first = net.connect(at, '127.0.0.1')
  t.after(() => first.destroy())
  await new Promise((resolve) => first.once('connect', resolve))
  const second = net.connect(at, '127.0.0.1')
  await new Promise((resolve) => second.once('close', resolve).resume())
  assert.equal(port.connectionsRefused, 1)
})

test('a connection that says nothing is closed', async (t) => {
  const { at } = await startPort(t, { sniffTimeoutMs: 20 })
  for (const text of ['', 'PRI * HTT']) {
    const socket = net.connect(at, '127.0.0.1')
    socket.write(text)
    await new Promise((resolve) => socket.once('close', resolve).resume())
  }
})
