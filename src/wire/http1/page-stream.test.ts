import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '../../runtime/index.ts'
import { GrpcServer } from '../grpc/index.ts'
import { Http2ErrorCode } from '../http2/index.ts'
import {
  dataFrame,
  FrameType,
  frame,
  greeting,
  headersFrame,
  ManualWorld,
  MemoryConnection,
  Setting,
  settingsFrame,
  uint32,
} from '../http2/testing.ts'
import { Http1Server } from './http1-server.ts'
import type { Http1BodyStream, Http1Routes } from './messages.ts'
import type { Http1Options } from './options.ts'

let stream: Http1BodyStream | undefined
let cancelled = 0
const routes: Http1Routes = {
  '/health': (request) => ({ status: 200, body: `${request.method} ${request.query.get('q') ?? ''}` }),
  '/echo': (request) => ({ status: 200, body: request.body }),
  '/later': async () => ({ status: 200, headers: { 'X-A': 'b\r\nx-evil: 1' }, body: 'later' }),
  '/broken': () => Promise.reject(new Error('broken')),
  '/none': () => ({ status: 204 }),
  '/host': (request) => ({ status: 200, body: `${request.headers.get('host')} ${request.headers.get('x')}` }),
  '/stream': () => ({
    status: 200,
    body: (body) => {
      stream = body
      body.onCancel(() => cancelled++)
    },
  }),
}

function connect(options: Partial<Http1Options> = {}, connectionBufferedBytesMax = 1 << 20) {
  const world = new ManualWorld()
  const connection = new MemoryConnection()
  const pages = new Http1Server({ scheduler: world, logger: silentLogger, routes: [routes], options })
  const grpc = new GrpcServer({
    clock: world,
    scheduler: world,
    routes: [],
    pages,
    options: { connectionBufferedBytesMax },
  })
  const served = grpc.accept(connection, greeting())
  connection.setHandler(served)
  world.turn()
  connection.takeFrames()
  const send = async (...frames: Uint8Array[]): Promise<string> => {
    served.onData(Buffer.concat(frames))
    for (let i = 0; i < 5; i++) await Promise.resolve()
    world.turn()
    return describe(connection)
  }
  return { world, connection, grpc, served, send }
}

/** Frames in short: `H` for HEADERS, `D<body>`, `R<code>`, `!` at the end of the stream. */
function describe(connection: MemoryConnection): string {
  const shown = connection.takeFrames().map(({ type, flags, payload }) => {
    if (type === FrameType.headers) return `H${statusOf(payload)}${(flags & 1) === 1 ? '!' : ''}`
    if (type === FrameType.data) return `D${payload.toString('latin1')}${(flags & 1) === 1 ? '!' : ''}`
    if (type === FrameType.rstStream) return `R${payload.readUInt32BE(0)}`
    return ''
  })
  return shown.filter((text) => text !== '').join(' ')
}

/** RFC 7541 appendix A: 200 is 8, 204 is 9, 404 is 13, 500 is 14; others are literals of name 8. */
function statusOf(block: Buffer): string {
  let at = 0
  while ((block[at]! & 0xe0) === 0x20) at += (block[at]! & 0x1f) === 0x1f ? 2 : 1
  const indexed: Record<number, string> = { 136: '200', 137: '204', 140: '400', 141: '404', 142: '500' }
  return indexed[block[at]!] ?? 'other'
}

function get(path: string, method = 'GET', ...more: [string, string][]): [string, string][] {
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'here'], ...more]
}

test('pages are answered as over HTTP/1.1', async () => {
  const cases: [fields: [string, string][], expected: string][] = [
    [get('/health?q=a%20b'), 'H200 DGET a b!'],
    [get('/health', 'HEAD'), 'H200!'],
    [get('/later'), 'H200 Dlater!'],
    [get('/none'), 'H204!'],
    [get('/nope'), 'H404 D404 Not Found\n!'],
    [get('/broken'), 'H500 D500 Internal Server Error\n!'],
    [get('/echo', 'PUT'), 'Hother D405 Method Not Allowed\n!'],
    [get('*', 'OPTIONS'), 'Hother D405 Method Not Allowed\n!'],
    [get('*'), 'H400 D400 Bad Request\n!'],
    [get('/host', 'GET', ['x', '1'], ['x', '2']), 'H200 Dhere 1, 2!'],
    [get('/health', 'POST', ['content-type', 'application/grpc']), 'H200!'],
    [get('/health', 'GET', ['content-type', 'application/grpcx']), 'Hother!'],
  ]
  for (const [fields, expected] of cases) assert.equal(await connect().send(headersFrame(1, true, fields)), expected)
})

test('the answer waits for the whole request', async () => {
  const { send } = connect()
  assert.equal(await send(headersFrame(1, false, get('/echo', 'POST'))), '')
  assert.equal(await send(dataFrame(1, Buffer.from('ab'), false)), '')
  assert.equal(await send(dataFrame(1, Buffer.from('cd'), true)), 'H200 Dabcd!')
})

test('a body that is too large, too slow, or too much with others is refused', async () => {
  const large = connect({ bodyBytesMax: 10 })
  await large.send(headersFrame(1, false, get('/echo', 'POST')))
  assert.equal(await large.send(dataFrame(1, Buffer.alloc(11), false)), 'Hother D413 Content Too Large\n!')
  // A moment after the response, so that clients read that first.
  large.world.advance(19)
  assert.equal(describe(large.connection), '')
  large.world.advance(1)
  assert.equal(describe(large.connection), 'R0')

  const slow = connect()
  await slow.send(headersFrame(1, false, get('/echo', 'POST')), dataFrame(1, Buffer.from('a'), false))
  slow.world.advance(30_001)
  assert.equal(describe(slow.connection), '')
  slow.world.advance(30_001)
  assert.equal(describe(slow.connection), 'Hother D408 Request Timeout\n!')

  const many = connect({}, 100)
  await many.send(headersFrame(1, false, get('/echo', 'POST')), dataFrame(1, Buffer.alloc(60), false))
  const second = [headersFrame(3, false, get('/echo', 'POST')), dataFrame(3, Buffer.alloc(60), false)]
  assert.equal(await many.send(...second), 'Hother D503 Service Unavailable\n!')
  // The rest of that request is ignored, and who gives it up need not be told to stop.
  await many.send(
    dataFrame(3, Buffer.alloc(60), false),
    frame(FrameType.rstStream, 0, 3, uint32(Http2ErrorCode.cancel)),
  )
  many.world.advance(20)
  assert.equal(describe(many.connection), '')
  await many.send(dataFrame(1, Buffer.alloc(0), true))
  assert.equal(
    await many.send(headersFrame(5, false, get('/echo', 'POST')), dataFrame(5, Buffer.from('x'), true)),
    'H200 Dx!',
  )
})

test('a streamed body waits for the peer, and hears of its end', async () => {
  const { send, world, connection } = connect()
  await send(settingsFrame([Setting.initialWindowSize, 3]))
  assert.equal(await send(headersFrame(1, true, get('/stream'))), 'H200')
  assert.equal(stream!.write('abcdef'), true)
  let drained = 0
  stream!.onDrain(() => drained++)
  assert.equal(stream!.write(Buffer.alloc(100_000)), false)
  world.turn()
  assert.equal(describe(connection), 'Dabc')
  await send(frame(FrameType.windowUpdate, 0, 1, uint32(90_000)))
  world.turn()
  await send(frame(FrameType.windowUpdate, 0, 0, uint32(200_000)))
  assert.equal(drained, 1)
  await send(frame(FrameType.rstStream, 0, 1, uint32(Http2ErrorCode.cancel)))
  assert.equal(cancelled, 1)
  assert.equal(stream!.write('x'), true)
  stream!.end()
})
