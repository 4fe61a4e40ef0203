/** Between a client and a server of `node:http2`, on real sockets. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { responseHead } from '../http/testing/response-head.ts'
import { startTestProxy, type TestProxy, type TestProxyInit } from './testing.ts'

type Serve = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, raw: string[]) => void

interface World {
  readonly proxy: TestProxy
  readonly client: http2.ClientHttp2Session
  readonly server: http2.Http2Server
  readonly sessions: Set<http2.ServerHttp2Session>
}

async function start(
  t: TestContext,
  serve: Serve,
  init: Partial<TestProxyInit> = {},
  settings: http2.ServerOptions = {},
): Promise<World> {
  const server = http2.createServer(settings)
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => {})
  })
  server.on('stream', (stream, headers, _flags, raw) => {
    stream.on('error', () => {})
    serve(stream, headers, raw as unknown as string[])
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = await startTestProxy({ endpointPort: (server.address() as AddressInfo).port, ...init })
  const client = http2.connect(`http://127.0.0.1:${proxy.port}`)
  client.on('error', () => {})
  t.after(async () => {
    client.destroy()
    await proxy.close()
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { proxy, client, server, sessions }
}

interface Answer {
  readonly status: number
  readonly headers: http2.IncomingHttpHeaders
  readonly informational: number[]
  readonly trailers: http2.IncomingHttpHeaders | undefined
  readonly body: string
  readonly resetCode: number
}

function answerTo(stream: http2.ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve) => {
    let headers: http2.IncomingHttpHeaders = {}
    let trailers: http2.IncomingHttpHeaders | undefined
    const informational: number[] = []
    let body = ''
    stream.on('headers', (interim) => informational.push(Number(interim[':status'])))
    stream.on('response', (response) => {
      headers = response
    })
    stream.on('trailers', (fields) => {
      trailers = fields
    })
    stream.setEncoding('latin1')
    stream.on('data', (piece: string) => {
      body += piece
    })
    stream.on('error', () => {})
    stream.on('close', () =>
      resolve({
        status: Number(headers[':status']),
        headers,
        informational,
        trailers,
        body,
        resetCode: stream.rstCode,
      }),
    )
  })
}

const get = (client: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders): Promise<Answer> =>
  answerTo(client.request(headers, { endStream: true }))

async function eventually(holds: () => boolean): Promise<void> {
  for (const endsAt = Date.now() + 10_000; !holds(); ) {
    assert.ok(Date.now() < endsAt, 'it never came true')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('requests through the proxy', () => {
  it('keep method, path, authority and fields, and lose those of the hop', async (t) => {
    const seen: http2.IncomingHttpHeaders[] = []
    const { client } = await start(t, (stream, headers) => {
      seen.push({ ...headers })
      stream.respond({ ':status': 201, 'x-answer': 'yes', 'set-cookie': ['a=1', 'b=2'] })
      stream.end('body')
    })
    for (let round = 0; round < 3; round++) {
      const answer = await get(client, {
        ':method': 'PATCH',
        ':path': '/a/b?c=d',
        ':authority': 'shop.example:81',
        te: 'trailers',
        cookie: ['one=1', 'two=2'],
        'x-many': ['1', '2'],
      })
      assert.equal(answer.status, 201)
      assert.equal(answer.headers['x-answer'], 'yes')
      assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2'])
      assert.equal(answer.body, 'body')
    }
    assert.equal(seen.length, 3)
    for (const headers of seen) {
      assert.equal(headers[':method'], 'PATCH')
      assert.equal(headers[':path'], '/a/b?c=d')
      assert.equal(headers[':authority'], 'shop.example:81')
      assert.equal(headers.cookie, 'one=1; two=2')
      assert.equal(headers['x-many'], '1, 2')
      assert.equal(headers.te, undefined)
    }
  })

  it('say that trailers are welcome where gRPC servers insist on it', async (t) => {
    const { client } = await start(t, (stream, headers) => {
      stream.respond({ ':status': 200, 'x-te': headers.te ?? 'none' }, { endStream: true })
    })
    const type = { ':method': 'POST', ':path': '/s/M', 'content-type': 'application/grpc+proto', te: 'trailers' }
    for (let round = 0; round < 3; round++) assert.equal((await get(client, type)).headers['x-te'], 'trailers')
    assert.equal((await get(client, { ':path': '/', te: 'trailers' })).headers['x-te'], 'none')
  })

  it('carry bodies and trailers both ways', async (t) => {
    const { client } = await start(t, (stream) => {
      let body = ''
      let trailers: http2.IncomingHttpHeaders = {}
      stream.on('trailers', (fields) => {
        trailers = fields
      })
      stream.on('data', (piece: Buffer) => {
        body += piece.toString('latin1')
      })
      stream.on('end', () => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': body, 'x-client': trailers['x-client'] ?? '' }))
        stream.end('echo')
      })
    })
    const stream = client.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-client': 'said' }))
    stream.write('ab')
    stream.end('cd')
    const answer = await answerTo(stream)
    assert.equal(answer.body, 'echo')
    assert.equal(answer.trailers?.['x-sum'], 'abcd')
    assert.equal(answer.trailers?.['x-client'], 'said')
  })

  it('pass on interim responses, HEAD, 204, 304 and empty bodies', async (t) => {
    const { client } = await start(t, (stream, headers) => {
      const path = headers[':path']
      if (path === '/hints') {
        stream.additionalHeaders({ ':status': 103, link: '</a>' })
        stream.respond({ ':status': 200 })
        stream.end('after')
      } else if (path === '/head') stream.respond({ ':status': 200, 'content-length': 1234 }, { endStream: true })
      else if (path === '/none') stream.respond({ ':status': 204 }, { endStream: true })
      else if (path === '/same') stream.respond({ ':status': 304, 'content-length': 99 }, { endStream: true })
      else stream.respond({ ':status': 200, 'content-length': 0 }, { endStream: true })
    })
    const hints = await get(client, { ':path': '/hints' })
    assert.deepEqual([hints.informational, hints.status, hints.body], [[103], 200, 'after'])
    const head = await get(client, { ':path': '/head', ':method': 'HEAD' })
    assert.deepEqual([head.status, head.headers['content-length']], [200, '1234'])
    assert.equal((await get(client, { ':path': '/none' })).status, 204)
    assert.equal((await get(client, { ':path': '/same' })).status, 304)
    assert.deepEqual((await get(client, { ':path': '/' })).body, '')
  })

  it('wait for 100-continue where the client does', async (t) => {
    const { client } = await start(t, (stream, headers) => {
      if (headers.expect === '100-continue') stream.additionalHeaders({ ':status': 100 })
      stream.resume()
      stream.on('end', () => {
        stream.respond({ ':status': 200 })
        stream.end('thanks')
      })
    })
    const stream = client.request({ ':method': 'POST', ':path': '/', expect: '100-continue' })
    stream.on('continue', () => stream.end('the body'))
    const answer = await answerTo(stream)
    assert.deepEqual([answer.informational, answer.body], [[100], 'thanks'])
  })

  it('are refused here when they are none', async (t) => {
    const { client, proxy } = await start(t, (stream) => stream.respond({ ':status': 200 }, { endStream: true }))
    const connect = await answerTo(client.request({ ':method': 'CONNECT', ':authority': 'a:1' }, { endStream: true }))
    assert.equal(connect.status, 405)
    assert.equal((await get(client, { ':path': '/a b' })).status, 400)
    assert.equal((await get(client, { ':path': '/', ':authority': 'user@host' })).status, 400)
    assert.equal((await get(client, { ':path': '/', ':authority': 'one', host: 'two' })).status, 400)
    assert.equal((await get(client, { ':path': '/', 'x-big': 'x'.repeat(40_000) })).status, 431)
    assert.equal((await get(client, { ':path': '/' })).status, 200)
    assert.equal(proxy.forwarder.refused.length, 5)
  })

  it('that are reset by the client are given up at the server', async (t) => {
    let resets = 0
    const { client, proxy } = await start(t, (stream) => {
      stream.respond({ ':status': 200 })
      stream.write('begun')
      stream.on('close', () => {
        if (stream.rstCode === http2.constants.NGHTTP2_CANCEL) resets++
      })
    })
    const stream = client.request({ ':path': '/' })
    stream.on('data', () => stream.close(http2.constants.NGHTTP2_CANCEL))
    await answerTo(stream)
    await eventually(() => resets === 1 && proxy.forwarder.aborted.length === 1)
  })

  it('survive an answer from here that ends at once', async (t) => {
    const { client } = await start(t, () => {}, {
      handler: {
        onRequest: (_head, responder) => {
          responder.sendHead(responseHead(200, ['grpc-status', '14', 'content-type', 'application/grpc']), true)
          return { onData() {}, onEnd() {}, onDrain() {}, onAborted() {}, onFinished() {} }
        },
        onRefused() {},
      },
    })
    const answer = await get(client, { ':method': 'POST', ':path': '/s/M', 'content-type': 'application/grpc' })
    assert.equal(answer.headers['grpc-status'], '14')
    assert.equal(answer.headers['content-length'], undefined)
  })
})

describe('servers behind the proxy', () => {
  it('that die within a response break it off, and the proxy goes on', async (t) => {
    const { client, sessions, proxy } = await start(t, (stream, headers) => {
      stream.respond({ ':status': 200 })
      if (headers[':path'] === '/die') stream.write('part', () => stream.session?.destroy())
      else stream.end('whole')
    })
    const broken = await get(client, { ':path': '/die' })
    assert.equal(broken.status, 200)
    assert.equal(broken.resetCode, http2.constants.NGHTTP2_INTERNAL_ERROR)
    assert.equal(proxy.forwarder.failures[0]?.kind, 'broken-response')
    assert.equal((await get(client, { ':path': '/' })).body, 'whole')
    assert.equal(sessions.size, 1)
  })

  it('that nobody listens at are said to refuse', async (t) => {
    const { client, server, proxy } = await start(t, () => {})
    await new Promise((resolve) => server.close(resolve))
    assert.equal((await answerTo(client.request({ ':path': '/', ':method': 'POST' }))).status, 502)
    const [failure] = proxy.forwarder.failures
    assert.deepEqual([failure?.kind, failure?.isUnprocessed], ['connect-refused', true])
  })

  it('that refuse a stream or say GOAWAY lose no request', async (t) => {
    let served = 0
    const { client, proxy, sessions } = await start(t, (stream) => {
      served++
      if (served % 10 === 0) {
        stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
        return
      }
      stream.respond({ ':status': 200 })
      stream.end('fine')
      if (served % 25 === 0) for (const session of sessions) session.close()
    })
    const answers = await Promise.all(Array.from({ length: 200 }, () => get(client, { ':path': '/' })))
    assert.deepEqual(new Set(answers.map(({ body }) => body)), new Set(['fine']))
    assert.deepEqual(proxy.forwarder.failures, [])
    assert.ok(proxy.forwarder.retries >= 20)
  })

  it('get another connection once their streams are used up, and no more than allowed', async (t) => {
    const waiting: (() => void)[] = []
    const world = await start(
      t,
      (stream) =>
        waiting.push(() => {
          stream.respond({ ':status': 200 })
          stream.end('fine')
        }),
      {},
      { settings: { maxConcurrentStreams: 4 } },
    )
    const answers = Promise.all(Array.from({ length: 20 }, () => get(world.client, { ':path': '/' })))
    await eventually(() => waiting.length === 20)
    assert.equal(world.sessions.size, 5)
    assert.equal(world.proxy.pool.connections, 5)
    for (const answer of waiting) answer()
    assert.equal((await answers).length, 20)
    assert.equal(world.proxy.pool.idleConnections, 5)
  })

  it('that send another length than they said are cut off', async (t) => {
    const { client, proxy } = await start(t, (stream) => {
      stream.respond({ ':status': 200, 'content-length': 10 })
      stream.end('short')
    })
    const answer = await get(client, { ':path': '/' })
    assert.notEqual(answer.resetCode, 0)
    assert.equal(proxy.forwarder.failures[0]?.kind, 'broken-response')
  })
})

describe('connections of clients', () => {
  it('are counted, and told to go with what they have begun finished', async (t) => {
    const asked: http2.ServerHttp2Stream[] = []
    const { client, proxy } = await start(t, (stream) => asked.push(stream))
    const late = get(client, { ':path': '/' })
    await eventually(() => asked.length === 1)
    assert.deepEqual([proxy.downstream.connections, proxy.downstream.idleConnections], [1, 0])
    const told = new Promise((resolve) => client.on('goaway', resolve))
    proxy.shutdown(10_000)
    await told
    asked[0]!.respond({ ':status': 200 })
    asked[0]!.end('late')
    assert.equal((await late).body, 'late')
    await eventually(() => proxy.downstream.connections === 0)
    assert.deepEqual([proxy.forwarder.finished, proxy.forwarder.aborted.length], [1, 0])
  })

  it('close after their share of requests, and when idle', async (t) => {
    const serve: Serve = (stream) => stream.respond({ ':status': 200 }, { endStream: true })
    const limited = await start(t, serve, { limits: { requestsPerConnectionMax: 3 } })
    for (let at = 0; at < 3; at++) assert.equal((await get(limited.client, { ':path': '/' })).status, 200)
    await eventually(() => limited.proxy.downstream.connections === 0)
    const idle = await start(t, serve, { limits: { idleTimeoutMs: 30 }, upstream: { idleTimeoutMs: 30 } })
    assert.equal((await get(idle.client, { ':path': '/' })).status, 200)
    await eventually(() => idle.proxy.downstream.connections === 0 && idle.proxy.pool.connections === 0)
  })

  it('whose bodies stand still end those exchanges', async (t) => {
    const { client, proxy } = await start(t, (stream) => stream.resume(), { limits: { bodyIdleTimeoutMs: 40 } })
    const stream = client.request({ ':method': 'POST', ':path': '/' })
    stream.write('begun and never ended')
    const answer = await answerTo(stream)
    assert.equal(answer.resetCode, http2.constants.NGHTTP2_CANCEL)
    assert.equal(proxy.forwarder.aborted.length, 1)
  })
})
