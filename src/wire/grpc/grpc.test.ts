import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  dataFrame,
  FrameType,
  frame,
  greeting,
  headersFrame,
  ManualWorld,
  MemoryConnection,
  requestFields,
  uint32,
} from '../http2/testing.ts'
import { GrpcServer } from './grpc-server.ts'
import { type GrpcRoutes, streaming, unary } from './method.ts'
import type { GrpcOptions } from './options.ts'
import { decodeGrpcMessage } from './percent-encoding.ts'
import { GrpcStatusCode } from './status.ts'
import type { StreamCall } from './stream-call.ts'
import { collect, deferred, envelope, request, startServer } from './testing.ts'
import type { UnaryCall } from './unary-call.ts'

const echo: GrpcRoutes = {
  '/t.Echo/Unary': unary((call) => call.reply(call.message)),
  '/t.Echo/Fail': unary((call) => call.fail(GrpcStatusCode.notFound, 'größer als 100%\n')),
  '/t.Echo/Header': unary((call) => call.reply(Buffer.from(call.metadata('x-test') ?? 'none'))),
  '/t.Echo/Never': unary(() => {}),
  '/t.Echo/Big': unary((call) => call.reply(Buffer.alloc(5 << 20, 1), Buffer.alloc(5 << 20, 2))),
  '/t.Echo/Chat': streaming((call) => {
    call.onMessage((message) => call.send(message))
    call.onHalfClose(() => call.end())
  }),
}

const hello = Buffer.from('hello')

test('unary: one message in, one out', async (t) => {
  const { session, server } = await startServer(t, [echo])
  for (const message of [hello, Buffer.alloc(0), Buffer.alloc(200_000, 3)]) {
    const answer = await request(session, '/t.Echo/Unary', [envelope(message)])
    assert.equal(answer.httpStatus, 200)
    assert.equal(answer.status, '0')
    assert.deepEqual(answer.messages, [message])
  }
  const [counted] = server.counters().finished
  assert.deepEqual(counted, { path: '/t.Echo/Unary', status: 0, count: 3 })
})

test('unary: a message in many frames, cut anywhere', async (t) => {
  const { session } = await startServer(t, [echo])
  const body = envelope(Buffer.alloc(1000, 9))
  const pieces = [
    body.subarray(0, 3),
    body.subarray(3, 5),
    body.subarray(5, 6),
    body.subarray(6, 500),
    body.subarray(500),
  ]
  const answer = await request(session, '/t.Echo/Unary', pieces)
  assert.equal(answer.messages[0]?.length, 1000)
})

test('unary: failures are trailers-only, with the message percent-encoded', async (t) => {
  const { session } = await startServer(t, [echo])
  const answer = await request(session, '/t.Echo/Fail', [envelope(hello)])
  assert.equal(answer.status, '5')
  assert.equal(answer.message, 'gr%C3%B6%C3%9Fer als 100%25%0A')
  assert.equal(decodeGrpcMessage(answer.message), 'größer als 100%\n')
  assert.equal(answer.messages.length, 0)
})

test('request headers are there', async (t) => {
  const { session } = await startServer(t, [echo])
  const answer = await request(session, '/t.Echo/Header', [envelope(hello)], { 'x-test': 'yes' })
  assert.equal(answer.messages[0]?.toString(), 'yes')
  const other = await request(session, '/t.Echo/Header', [envelope(hello)])
  assert.equal(other.messages[0]?.toString(), 'none')
})

test('refusals are those of grpc-go', async (t) => {
  const { session } = await startServer(t, [echo], { requestBytesMax: 1000 })
  const cases: [
    path: string,
    body: Buffer[],
    headers: Record<string, string>,
    http: number,
    status: string,
    text: string,
  ][] = [
    ['/t.Echo/Nope', [envelope(hello)], {}, 200, '12', 'unknown method Nope for service t.Echo'],
    ['/t.Nope/Unary', [envelope(hello)], {}, 200, '12', 'unknown service t.Nope'],
    ['/nope', [envelope(hello)], {}, 200, '12', 'malformed method name: "/nope"'],
    [
      '/t.Echo/Unary',
      [hello],
      { 'content-type': 'text/plain' },
      415,
      '3',
      'invalid gRPC request content-type "text/plain"',
    ],
    [
      '/t.Echo/Unary',
      [hello],
      { ':method': 'PUT' },
      405,
      '13',
      'Received a HEADERS frame with :method "PUT" which should be POST',
    ],
    [
      '/t.Echo/Unary',
      [],
      { 'grpc-timeout': '1x' },
      400,
      '13',
      'malformed grpc-timeout: transport: timeout unit is not recognized: "1x"',
    ],
    [
      '/t.Echo/Unary',
      [envelope(Buffer.alloc(1001))],
      {},
      200,
      '8',
      'grpc: received message larger than max (1001 vs. 1000)',
    ],
    [
      '/t.Echo/Unary',
      [],
      {},
      200,
      '13',
      'cardinality violation: received no request message from non-client-streaming RPC',
    ],
    ['/t.Echo/Unary', [envelope(hello).subarray(0, 8)], {}, 200, '13', 'unexpected EOF'],
    ['/t.Echo/Unary', [envelope(hello, 1)], {}, 200, '13', 'grpc: compressed flag set with identity or empty encoding'],
    ['/t.Echo/Unary', [envelope(hello, 7)], {}, 200, '13', 'grpc: received unexpected payload format 7'],
    [
      '/t.Echo/Unary',
      [envelope(hello, 1)],
      { 'grpc-encoding': 'br' },
      200,
      '12',
      'grpc: Decompressor is not installed for grpc-encoding "br"',
    ],
    ['/t.Echo/Chat', [envelope(hello).subarray(0, 8)], {}, 200, '13', 'unexpected EOF'],
  ]
  for (const [path, body, headers, http, status, text] of cases) {
    const answer = await request(session, path, body, headers)
    assert.deepEqual([answer.httpStatus, answer.status, answer.message], [http, status, text])
  }
  const twice = await request(session, '/t.Echo/Unary', [envelope(hello), envelope(hello)])
  assert.equal(twice.status, '13')
})

test('gzip requests are inflated, within the bound', async (t) => {
  const { session } = await startServer(t, [echo], { requestBytesMax: 1000 })
  const gzip = { 'grpc-encoding': 'gzip' }
  const small = await request(session, '/t.Echo/Unary', [envelope(gzipSync(Buffer.alloc(1000, 5)), 1)], gzip)
  assert.equal(small.messages[0]?.length, 1000)
  const bomb = await request(session, '/t.Echo/Unary', [envelope(gzipSync(Buffer.alloc(100_000)), 1)], gzip)
  assert.equal(bomb.status, '8')
  const broken = await request(session, '/t.Echo/Unary', [envelope(hello, 1)], gzip)
  assert.equal(broken.status, '13')
})

test('a deadline ends a call that nobody answers', async (t) => {
  let cancelled = 0
  let waiting: UnaryCall | undefined
  const routes: GrpcRoutes = {
    '/t.Wait/Unary': unary((call) => {
      waiting = call
      call.onCancel(() => cancelled++)
    }),
    '/t.Wait/Stream': streaming((call) => call.onCancel(() => cancelled++)),
  }
  const { session } = await startServer(t, [routes])
  const answers = await Promise.all([
    request(session, '/t.Wait/Unary', [envelope(hello)], { 'grpc-timeout': '30m' }),
    request(session, '/t.Wait/Stream', [envelope(hello)], { 'grpc-timeout': '30000u' }),
  ])
  assert.deepEqual(
    answers.map((answer) => answer.status),
    ['4', '4'],
  )
  assert.equal(cancelled, 2)
  assert.equal(waiting?.cancelled, true)
  waiting?.reply(hello)
})

test('streaming: messages both ways, in order, in one call', async (t) => {
  const { session } = await startServer(t, [echo])
  const messages = Array.from({ length: 500 }, (_, i) => Buffer.from(`message ${i}`))
  const answer = await request(
    session,
    '/t.Echo/Chat',
    messages.map((message) => envelope(message)),
  )
  assert.equal(answer.status, '0')
  assert.deepEqual(answer.messages, messages)
})

test('streaming: a reset by the client cancels the call once', async (t) => {
  const events: string[] = []
  const { promise, resolve } = deferred<void>()
  const routes: GrpcRoutes = {
    '/t.Watch/Watch': streaming((call) => {
      call.onMessage(() => call.send(hello))
      call.onHalfClose(() => events.push('half-close'))
      call.onCancel(() => {
        events.push('cancel')
        resolve()
      })
    }),
  }
  const { session, server } = await startServer(t, [routes])
  const stream = session.request({ ':method': 'POST', ':path': '/t.Watch/Watch', 'content-type': 'application/grpc' })
  stream.on('error', () => {})
  stream.write(envelope(hello))
  stream.once('data', () => stream.close(8))
  await promise
  // The client of node:http2 ends the request before it resets the stream.
  assert.deepEqual(events, ['half-close', 'cancel'])
  assert.deepEqual(server.counters().finished, [{ path: '/t.Watch/Watch', status: 1, count: 1 }])
})

test('streaming: pause holds messages back and resume hands them on', async (t) => {
  const seen: number[] = []
  const { promise, resolve } = deferred<StreamCall>()
  const routes: GrpcRoutes = {
    '/t.S/S': streaming((call) => {
      call.onMessage((message) => {
        seen.push(message.length)
        if (seen.length !== 1) return
        call.pause()
        resolve(call)
      })
      call.onHalfClose(() => call.end())
    }),
  }
  const { session } = await startServer(t, [routes], { http2: { streamReceiveWindowBytes: 100_000 } })
  const messages = Array.from({ length: 50 }, (_, i) => envelope(Buffer.alloc(10_000 + i)))
  const answering = request(session, '/t.S/S', messages)
  const call = await promise
  assert.deepEqual(seen, [10_000])
  call.resume()
  assert.equal((await answering).status, '0')
  assert.deepEqual(
    seen,
    Array.from({ length: 50 }, (_, i) => 10_000 + i),
  )
})

test('streaming: send says when to stop, and onDrain when to go on', async (t) => {
  let sent = 0
  let refusals = 0
  const total = 200
  const routes: GrpcRoutes = {
    '/t.S/S': streaming((call) => {
      const pump = (): void => {
        while (sent < total) {
          sent++
          if (call.send(Buffer.alloc(20_000, sent))) continue
          refusals++
          return
        }
        call.end()
      }
      call.onDrain(pump)
      call.onMessage(pump)
    }),
  }
  const { session } = await startServer(t, [routes])
  const answer = await request(session, '/t.S/S', [envelope(hello)])
  assert.equal(answer.status, '0')
  assert.deepEqual(
    answer.messages.map((message) => message[0]),
    Array.from({ length: total }, (_, i) => (i + 1) & 255),
  )
  assert.ok(refusals > 1)
})

test('10 MiB responses through small windows', async (t) => {
  const { session } = await startServer(t, [echo], {}, { settings: { initialWindowSize: 20_000 } })
  const [first, second] = await Promise.all([
    request(session, '/t.Echo/Big', [envelope(hello)]),
    request(session, '/t.Echo/Big', [envelope(hello)]),
  ])
  for (const answer of [first, second]) {
    const message = answer.messages[0]!
    assert.equal(message.length, 10 << 20)
    assert.equal(message.indexOf(2), 5 << 20)
    assert.equal(answer.status, '0')
  }
})

test('10,000 calls at once on one connection', async (t) => {
  const held: UnaryCall[] = []
  const { promise, resolve } = deferred<void>()
  const routes: GrpcRoutes = {
    '/t.H/Hold': unary((call) => {
      held.push(call)
      if (held.length === 10_000) resolve()
    }),
  }
  const { session, server } = await startServer(t, [routes], {}, { peerMaxConcurrentStreams: 20_000 })
  const answers = Array.from({ length: 10_000 }, () => request(session, '/t.H/Hold', [envelope(hello)]))
  await promise
  assert.equal(server.counters().streamsOpen, 10_000)
  for (const call of held) call.reply(call.message)
  for (const answer of await Promise.all(answers)) assert.equal(answer.status, '0')
  assert.equal(server.counters().streamsOpen, 0)
})

test('an answer before the request has ended stops the client without an error', async (t) => {
  const { session } = await startServer(t, [echo])
  const stream = session.request({ ':method': 'POST', ':path': '/t.Echo/Nope', 'content-type': 'application/grpc' })
  stream.write(envelope(hello))
  const answer = await collect(stream)
  assert.equal(answer.status, '12')
  assert.equal(answer.resetCode, 0)
})

/** A server without sockets: the test sends frames and moves the time. */
function byHand(options: Partial<GrpcOptions> = {}) {
  const world = new ManualWorld()
  const connection = new MemoryConnection()
  const server = new GrpcServer({ clock: world, scheduler: world, routes: [echo], options })
  connection.setHandler(server.accept(connection, greeting()))
  world.turn()
  connection.takeFrames()
  const send = (...frames: Uint8Array[]) => {
    connection.handler!.onData(Buffer.concat(frames))
    world.turn()
    return connection.takeFrames()
  }
  return { world, connection, server, send }
}

const unaryFields = [...requestFields.filter(([name]) => name !== ':path'), [':path', '/t.Echo/Unary']] as const
const sortedFields = [...unaryFields].sort(([a], [b]) => Number(b.startsWith(':')) - Number(a.startsWith(':')))

test('unary: a deadline that passes while the request is arriving is answered, and its memory freed', () => {
  const { world, connection, server, send } = byHand()
  send(
    headersFrame(1, false, [...sortedFields, ['grpc-timeout', '50m']]),
    dataFrame(1, envelope(Buffer.alloc(5000)).subarray(0, 4000), false),
  )
  world.advance(40)
  assert.deepEqual(connection.takeFrames(), [])
  world.advance(20)
  // The reset comes a moment after the response.
  world.advance(20)
  const seen = connection.takeFrames()
  assert.deepEqual(
    seen.map((one) => [one.type, one.streamId, one.flags & 1]),
    [
      [FrameType.headers, 1, 1],
      [FrameType.rstStream, 1, 0],
    ],
  )
  assert.deepEqual(server.counters().finished, [
    { path: '/t.Echo/Unary', status: GrpcStatusCode.deadlineExceeded, count: 1 },
  ])
  assert.equal(server.counters().streamsOpen, 0)
  assert.deepEqual(send(dataFrame(1, Buffer.alloc(1001), true)), [])
})

test('unary: a request without a deadline must arrive within twice the bound', () => {
  const { world, connection, server, send } = byHand({ unaryRequestTimeoutMs: 100 })
  send(headersFrame(1, false, sortedFields), dataFrame(1, envelope(hello).subarray(0, 7), false))
  world.advance(101)
  assert.equal(server.counters().streamsOpen, 1)
  send(headersFrame(3, false, sortedFields))
  world.advance(101)
  assert.equal(server.counters().streamsOpen, 1)
  assert.equal(connection.takeFrames()[0]?.streamId, 1)
  world.advance(101)
  assert.equal(server.counters().streamsOpen, 0)
  assert.deepEqual(server.counters().finished, [
    { path: '/t.Echo/Unary', status: GrpcStatusCode.deadlineExceeded, count: 2 },
  ])
})

test('streaming: messages that wait for a paused call are charged, and refused past the bound', () => {
  let paused: StreamCall | undefined
  const routes: GrpcRoutes = {
    '/t.Echo/Unary': streaming((call) => {
      paused = call
      call.onMessage(() => {})
      call.pause()
    }),
  }
  const world = new ManualWorld()
  const connection = new MemoryConnection()
  const server = new GrpcServer({
    clock: world,
    scheduler: world,
    routes: [routes],
    options: { connectionBufferedBytesMax: 1000 },
  })
  connection.setHandler(server.accept(connection, greeting()))
  const piece = (id: number) => dataFrame(id, envelope(Buffer.alloc(395)), false)
  connection.handler!.onData(Buffer.concat([headersFrame(1, false, sortedFields), piece(1), piece(1)]))
  assert.equal(server.counters().streamsOpen, 1)
  connection.handler!.onData(Buffer.concat([headersFrame(3, false, sortedFields), piece(3)]))
  assert.equal(server.counters().streamsOpen, 1)
  assert.deepEqual(server.counters().finished, [
    { path: '/t.Echo/Unary', status: GrpcStatusCode.resourceExhausted, count: 1 },
  ])
  connection.handler!.onData(
    Buffer.concat([
      frame(FrameType.rstStream, 0, 1, uint32(8)),
      headersFrame(5, false, sortedFields),
      piece(5),
      piece(5),
    ]),
  )
  assert.equal(server.counters().streamsOpen, 1)
  paused!.resume()
  connection.handler!.onData(Buffer.concat([piece(5), piece(5), piece(5)]))
  assert.equal(server.counters().streamsOpen, 1)
})

test('unary: answers in the making are charged, refused past the bound, and freed with their calls', () => {
  const calls: UnaryCall[] = []
  const routes: GrpcRoutes = { '/t.Echo/Unary': unary((call) => calls.push(call)) }
  const world = new ManualWorld()
  const connection = new MemoryConnection()
  const http2 = { queuedBodyBytesMax: 250 }
  const server = new GrpcServer({ clock: world, scheduler: world, routes: [routes], options: { http2 } })
  connection.setHandler(server.accept(connection, greeting()))
  for (const id of [1, 3, 5]) {
    connection.handler!.onData(
      Buffer.concat([headersFrame(id, false, sortedFields), dataFrame(id, envelope(hello), true)]),
    )
  }
  const [first, second, third] = calls
  assert.equal(first!.prepare(400), true)
  assert.equal(first!.prepare(400), true)
  assert.equal(second!.prepare(400), false)
  assert.equal(second!.prepare(1), false)
  assert.deepEqual(server.counters().finished, [
    { path: '/t.Echo/Unary', status: GrpcStatusCode.resourceExhausted, count: 1 },
  ])
  first!.reply(Buffer.alloc(800))
  world.turn()
  assert.equal(third!.prepare(1000), true)
})
