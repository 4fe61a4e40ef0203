/** The channel against servers that others wrote: @grpc/grpc-js and node:http2. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import * as grpc from '@grpc/grpc-js'
import type { Address } from '../../runtime/index.ts'
import { GrpcStatusCode } from '../grpc/index.ts'
import { call, eventually, openChannel, reached, Transcript } from './testing.ts'

const asIs = (bytes: Buffer): Buffer => bytes
const text = (value: string): Buffer => Buffer.from(value)

function method(path: string, isStream: boolean): grpc.MethodDefinition<Buffer, Buffer> {
  const serdes = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
  return { path, requestStream: isStream, responseStream: isStream, ...serdes }
}

const definition = {
  unary: method('/test.Echo/Unary', false),
  metadata: method('/test.Echo/Metadata', false),
  deadline: method('/test.Echo/Deadline', false),
  fail: method('/test.Echo/Fail', false),
  silent: method('/test.Echo/Silent', false),
  stream: method('/test.Echo/Stream', true),
}

async function startGrpcJs(
  t: TestContext,
  options: grpc.ServerOptions = {},
): Promise<Address & { server: grpc.Server }> {
  const server = new grpc.Server(options)
  server.addService(definition, {
    unary: (one: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => reply(null, one.request),
    metadata: (one: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) =>
      reply(null, text(JSON.stringify(one.metadata.getMap()))),
    deadline: (one: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) =>
      reply(null, text(String(Number(one.getDeadline()) - Date.now()))),
    fail: (_one: unknown, reply: grpc.sendUnaryData<Buffer>) => {
      const metadata = new grpc.Metadata()
      metadata.set('hint', 'member-3')
      reply({ code: grpc.status.UNAVAILABLE, details: 'kein Führer\n', metadata })
    },
    silent: () => {},
    stream: (one: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      one.on('data', (message: Buffer) => one.write(message))
      one.on('end', () => one.end())
    },
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  t.after(() => server.forceShutdown())
  return { host: '127.0.0.1', port, server }
}

describe('a channel to a @grpc/grpc-js server', () => {
  it('calls, a thousand at a time, beyond the streams that the server allows', async (t) => {
    const channel = openChannel(t, await startGrpcJs(t, { 'grpc.max_concurrent_streams': 10 }))
    const replies = await Promise.all(
      Array.from({ length: 1_000 }, (_, at) => call(channel, '/test.Echo/Unary', text(`${at}`), { timeoutMs: 60_000 })),
    )
    for (const [at, reply] of replies.entries()) {
      assert.ok(reply.ok, reply.ok ? '' : reply.message)
      assert.equal(Buffer.from(reply.message).toString(), `${at}`)
    }
  })

  it('large messages, both ways', async (t) => {
    const address = await startGrpcJs(t, {
      'grpc.max_receive_message_length': 32 << 20,
      'grpc.max_send_message_length': 32 << 20,
    })
    const large = Buffer.alloc(9 << 20, 'xyz')
    const reply = await call(openChannel(t, address), '/test.Echo/Unary', large)
    assert.ok(reply.ok && large.equals(reply.message))
  })

  it('metadata, of the channel and of the call, and the deadline', async (t) => {
    const channel = openChannel(t, await startGrpcJs(t), { metadata: [['app', 'shop']], userAgent: 'tester/1' })
    const metadata = [['token', 'a.b=']] as const
    for (let round = 0; round < 3; round++) {
      const reply = await call(channel, '/test.Echo/Metadata', text(''), { metadata })
      assert.ok(reply.ok)
      const seen = JSON.parse(Buffer.from(reply.message).toString()) as Record<string, string>
      assert.deepEqual([seen['app'], seen['token'], seen['user-agent']], ['shop', 'a.b=', 'tester/1'])
    }
    const reply = await call(channel, '/test.Echo/Deadline', text(''), { timeoutMs: 34_567 })
    assert.ok(reply.ok)
    const leftMs = Number(Buffer.from(reply.message).toString())
    assert.ok(leftMs > 20_000 && leftMs <= 35_000, `${leftMs}`)
  })

  it('metadata that could end a header is refused before it is sent', async (t) => {
    const channel = openChannel(t, await startGrpcJs(t))
    for (const metadata of [
      [['token', 'a\r\nb: c']],
      [['Token', 'a']],
      [['grpc-status', '0']],
      [['te', 'x']],
    ] as const) {
      const reply = await call(channel, '/test.Echo/Unary', text(''), { metadata })
      assert.ok(!reply.ok && !reply.processed && reply.origin === 'local', JSON.stringify(reply))
    }
  })

  it('a failure with its message and trailers', async (t) => {
    const reply = await call(openChannel(t, await startGrpcJs(t)), '/test.Echo/Fail', text(''))
    assert.ok(!reply.ok)
    assert.deepEqual(
      [reply.status, reply.message, reply.processed],
      [GrpcStatusCode.unavailable, 'kein Führer\n', true],
    )
    assert.equal(reply.metadata.get('hint'), 'member-3')
    const unknown = await call(openChannel(t, await startGrpcJs(t)), '/test.Echo/Nothing', text(''))
    assert.ok(!unknown.ok && unknown.status === GrpcStatusCode.unimplemented)
  })

  it('streams, ended by either side', async (t) => {
    const channel = openChannel(t, await startGrpcJs(t))
    const transcript = new Transcript()
    const stream = channel.stream('/test.Echo/Stream', {}, transcript)
    for (let at = 0; at < 200; at++) stream.send(Buffer.alloc(at * 100, at))
    await transcript.until(() => transcript.messages.length === 200)
    assert.ok(transcript.messages.every((message, at) => message.equals(Buffer.alloc(at * 100, at))))
    stream.end()
    await transcript.until(() => transcript.ends.length === 1)
    assert.equal(transcript.ends[0]!.status, GrpcStatusCode.ok)
    const cut = new Transcript()
    const second = channel.stream('/test.Echo/Stream', {}, cut)
    second.send(text('a'))
    await cut.until(() => cut.messages.length === 1)
    second.cancel()
    await cut.until(() => cut.ends.length === 1)
    assert.deepEqual([cut.ends[0]!.status, cut.ends[0]!.origin], [GrpcStatusCode.cancelled, 'local'])
  })

  it('a server that shuts down: calls under way are unknown, later ones certainly not sent', async (t) => {
    const { server, ...address } = await startGrpcJs(t)
    const channel = openChannel(t, address)
    await reached(channel, 'ready')
    const underWay = call(channel, '/test.Echo/Silent', text('x'))
    assert.ok((await call(channel, '/test.Echo/Unary', text('x'))).ok)
    server.forceShutdown()
    const lost = await underWay
    assert.ok(!lost.ok && lost.processed, JSON.stringify(lost))
    assert.ok(channel.state === 'failed' || channel.state === 'idle', channel.state)
    const late = await call(channel, '/test.Echo/Unary', text('x'))
    assert.ok(!late.ok && !late.processed && late.status === GrpcStatusCode.unavailable)
    channel.connect()
    const refused = await call(channel, '/test.Echo/Unary', text('x'))
    assert.ok(!refused.ok && !refused.processed && refused.origin === 'connection')
    assert.equal(channel.state, 'failed')
    assert.match(channel.failure!, /refused/)
  })
})

/** Serves each request with `onStream`. */
async function startHttp2(
  t: TestContext,
  onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  settings: http2.Settings = {},
): Promise<Address & { sessions: http2.ServerHttp2Session[] }> {
  const server = http2.createServer({ settings })
  const sessions: http2.ServerHttp2Session[] = []
  server.on('session', (session) => {
    sessions.push(session)
    session.on('error', () => {})
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    onStream(stream, headers)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, sessions }
}

const grpcHead = { ':status': 200, 'content-type': 'application/grpc' } as const

function answer(stream: http2.ServerHttp2Stream, body: Uint8Array): void {
  stream.respond(grpcHead, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(body.length, 1)
  stream.end(Buffer.concat([prefix, body]))
}

describe('a channel to a node:http2 server', () => {
  it('sends what a gRPC request is', async (t) => {
    let seen: http2.IncomingHttpHeaders = {}
    const address = await startHttp2(t, (stream, headers) => {
      seen = headers
      const body: Buffer[] = []
      stream.on('data', (piece: Buffer) => body.push(piece))
      stream.on('end', () => answer(stream, Buffer.concat(body)))
    })
    const reply = await call(openChannel(t, address), '/a.B/C', text('hi'), { timeoutMs: 1_234 })
    assert.ok(reply.ok)
    assert.deepEqual([...reply.message], [0, 0, 0, 0, 2, 104, 105])
    const { ':method': verb, ':path': path, ':scheme': scheme, te, 'grpc-timeout': timeout } = seen
    assert.deepEqual([verb, path, scheme, te, timeout], ['POST', '/a.B/C', 'http', 'trailers', '1300m'])
    assert.equal(seen[':authority'], `127.0.0.1:${address.port}`)
    assert.equal(seen['content-type'], 'application/grpc')
  })

  it('keeps working when the server shrinks header table, windows and frames', async (t) => {
    const address = await startHttp2(
      t,
      (stream) => {
        const body: Buffer[] = []
        stream.on('data', (piece: Buffer) => body.push(piece))
        stream.on('end', () => answer(stream, Buffer.concat(body).subarray(5)))
      },
      { headerTableSize: 0, initialWindowSize: 100, maxFrameSize: 16_384 },
    )
    const channel = openChannel(t, address)
    for (let round = 0; round < 4; round++) {
      const request = Buffer.alloc(50_000, round + 1)
      const reply = await call(channel, '/a.B/C', request)
      assert.ok(reply.ok && request.equals(reply.message))
    }
  })

  it('tells refused from reset', async (t) => {
    const codes = [http2.constants.NGHTTP2_REFUSED_STREAM, http2.constants.NGHTTP2_CANCEL]
    const address = await startHttp2(t, (stream) => stream.close(codes.shift()!))
    const channel = openChannel(t, address)
    const refused = await call(channel, '/a.B/C', text(''))
    const reset = await call(channel, '/a.B/C', text(''))
    assert.ok(!refused.ok && !reset.ok)
    assert.deepEqual([refused.status, refused.processed], [GrpcStatusCode.unavailable, false])
    assert.deepEqual([reset.status, reset.processed], [GrpcStatusCode.cancelled, true])
    assert.equal(channel.state, 'ready')
  })

  it('GOAWAY: finishes what the server took, gives back what it did not, and is idle', async (t) => {
    const streams: http2.ServerHttp2Stream[] = []
    const address = await startHttp2(t, (stream) => {
      streams.push(stream)
      if (streams.length === 3) address.sessions[0]!.goaway(0, streams[1]!.id)
    })
    const channel = openChannel(t, address)
    const calls = [1, 2, 3].map((at) => call(channel, '/a.B/C', text(`${at}`)))
    const third = await calls[2]!
    assert.ok(!third.ok && !third.processed && third.status === GrpcStatusCode.unavailable)
    assert.equal(channel.state, 'idle')
    const fourth = await call(channel, '/a.B/C', text('4'))
    assert.ok(!fourth.ok && !fourth.processed)
    answer(streams[0]!, text('one'))
    answer(streams[1]!, text('two'))
    assert.ok((await calls[0]!).ok && (await calls[1]!).ok)
    channel.connect()
    const fifth = call(channel, '/a.B/C', text('5'))
    await reached(channel, 'ready')
    await eventually(() => streams.length === 4)
    answer(streams[3]!, text('five'))
    assert.ok((await fifth).ok)
  })

  it('reads a compressed answer, and bounds what it grows to', async (t) => {
    const bodies = [Buffer.from('squeezed'), Buffer.alloc(2 << 20)]
    const address = await startHttp2(t, (stream) => {
      const squeezed = gzipSync(bodies.shift()!)
      const prefix = Buffer.from([1, 0, 0, 0, 0])
      prefix.writeUInt32BE(squeezed.length, 1)
      stream.respond({ ...grpcHead, 'grpc-encoding': 'gzip' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(Buffer.concat([prefix, squeezed]))
    })
    const channel = openChannel(t, address, { maxReceiveMessageBytes: 1 << 20 })
    const small = await call(channel, '/a.B/C', text(''))
    assert.ok(small.ok && Buffer.from(small.message).toString() === 'squeezed')
    const bomb = await call(channel, '/a.B/C', text(''))
    assert.ok(!bomb.ok && bomb.status === GrpcStatusCode.resourceExhausted)
  })

  const refusals: readonly (readonly [string, http2.OutgoingHttpHeaders, GrpcStatusCode, RegExp])[] = [
    ['HTTP 503', { ':status': 503 }, GrpcStatusCode.unavailable, /HTTP status 503/],
    ['HTTP 404', { ':status': 404 }, GrpcStatusCode.unimplemented, /404/],
    ['a page', { ':status': 200, 'content-type': 'text/html' }, GrpcStatusCode.unknown, /does not speak gRPC/],
    ['an unknown encoding', { ...grpcHead, 'grpc-encoding': 'br' }, GrpcStatusCode.internal, /br/],
  ]
  for (const [title, head, status, message] of refusals) {
    it(`${title} is a failure with its status`, async (t) => {
      const address = await startHttp2(t, (stream) => {
        stream.respond(head)
        stream.end('<html>')
      })
      const reply = await call(openChannel(t, address), '/a.B/C', text(''))
      assert.ok(!reply.ok)
      assert.equal(reply.status, status)
      assert.match(reply.message, message)
    })
  }

  const bodies: readonly (readonly [string, Buffer, GrpcStatusCode])[] = [
    ['no message', Buffer.alloc(0), GrpcStatusCode.internal],
    ['half a message', Buffer.from([0, 0, 0, 0, 9, 1]), GrpcStatusCode.internal],
    ['two messages', Buffer.from([0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1]), GrpcStatusCode.internal],
    ['a message past the bound', Buffer.from([0, 0x7f, 0, 0, 0, 1]), GrpcStatusCode.resourceExhausted],
    ['a compressed message nobody announced', Buffer.from([1, 0, 0, 0, 1, 1]), GrpcStatusCode.internal],
  ]
  for (const [title, body, status] of bodies) {
    it(`${title} with status 0 is a failure`, async (t) => {
      const address = await startHttp2(t, (stream) => {
        stream.respond(grpcHead, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        stream.end(body)
      })
      const channel = openChannel(t, address, { maxReceiveMessageBytes: 1 << 20 })
      const reply = await call(channel, '/a.B/C', text(''))
      assert.ok(!reply.ok)
      assert.deepEqual([reply.status, reply.processed], [status, true])
    })
  }
})
