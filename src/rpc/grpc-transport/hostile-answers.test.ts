/** Answers that are well formed and meant ill, or to mislead: by servers, and by clients that compress. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { type EndpointView, openUpstream, upstreamSettings } from '../../traffic/upstream/index.ts'
import {
  clientStreaming,
  createClient,
  createServer,
  defineService,
  implement,
  serverStreaming,
  unary,
} from '../index.ts'
import { drainOf, failureOf } from '../testing/failure-of.ts'
import { until } from '../testing/until.ts'

const text = (value: unknown): string => String(value)
const service = defineService('texts', {
  list: serverStreaming({ request: text, response: text }),
  one: unary({ request: text, response: text, idempotent: true }),
  gather: clientStreaming({ request: text, response: text }),
})

const head = { ':status': 200, 'content-type': 'application/grpc+json', 'grpc-encoding': 'gzip' }

function framed(message: Uint8Array, isCompressed: boolean): Buffer {
  const prefix = Buffer.alloc(5)
  prefix[0] = isCompressed ? 1 : 0
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** About 4 KB that become 4 MB: the largest message that is taken. */
const bomb = framed(gzipSync(`"${'a'.repeat((4 << 20) - 2)}"`), true)

interface Peer {
  readonly target: string
  close(): void
}

async function peer(onStream: (stream: http2.ServerHttp2Stream, number: number) => void): Promise<Peer> {
  let number = 0
  const server = http2.createServer()
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    onStream(stream, ++number)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      for (const session of sessions) session.destroy()
      server.close()
    },
  }
}

describe('answers that mislead', () => {
  it('a list of headers means one thing at the beginning of an answer, and another at its end', async () => {
    const refusal = { ':status': 200, 'content-type': 'application/grpc+json', 'grpc-status': '14' }
    const server = await peer((stream, number) => {
      // Twice each, so that the blocks of the second and the later ones are equal byte for byte.
      stream.respond(refusal, { endStream: number > 2, sendDate: false } as http2.ServerStreamResponseOptions)
      if (number <= 2) stream.end()
    })
    await using client = createClient(service, { target: server.target, retry: { attemptsMax: 1 } })
    const codes: string[] = []
    for (let at = 0; at < 4; at++) codes.push((await failureOf(drainOf(client.list('')))).code)
    assert.deepEqual(codes.slice(2), ['UNAVAILABLE', 'UNAVAILABLE'])
    server.close()
  })

  it('a call that the server breaks off counts against its endpoint, whatever the code', async () => {
    const codes = [http2.constants.NGHTTP2_CANCEL, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM]
    const server = await peer((stream, number) => stream.close(codes[number - 1]!))
    const [host, port] = server.target.split(':')
    const endpoint = { id: 'one', host: host!, port: Number(port), weight: 1, priority: 0, zone: '', metadata: {} }
    const upstream = openUpstream(
      upstreamSettings('texts', [{ type: 'static', endpoints: [endpoint] }]),
      createNodeRuntime({ logLevel: 'error' }),
    )
    await using client = createClient(service, { target: upstream, retry: { attemptsMax: 1 } })
    const told = [(await failureOf(client.one(''))).code, (await failureOf(client.one(''))).code]
    assert.deepEqual(told, ['CANCELLED', 'RESOURCE_EXHAUSTED'])
    const [{ successes, failures }] = upstream.view().endpoints as readonly [EndpointView]
    assert.deepEqual([successes, failures], [0, 2])
    upstream.close()
    server.close()
  })

  it('what a listener of a call throws is its own, and harms no other call', async () => {
    const server = await createServer({ services: [implement(service, { one: (said) => said })] })
    await using client = createClient(service, { target: `127.0.0.1:${server.address.port}` })
    for (const what of ['onHeaders', 'onTrailers'] as const) {
      const listener = (): void => {
        throw new TypeError('no')
      }
      const [error, other] = await Promise.all([failureOf(client.one('a', { [what]: listener })), client.one('b')])
      assert.deepEqual([error.code, other], ['INTERNAL', 'b'])
      assert.match(error.message, new RegExp(`${what} threw.*no`))
    }
    await server.close({ drainMs: 0 })
  })

  it('requests that are no stream are refused, and count for nothing', async () => {
    const limits = { methodCallsMax: { 'texts/gather': 1 } }
    const server = await createServer({
      services: [implement(service, { gather: async (all) => String((await drainOf(all)).length) })],
    })
    await using client = createClient(service, { target: `127.0.0.1:${server.address.port}`, limits })
    for (let at = 0; at < 3; at++)
      assert.equal((await failureOf(client.gather(7 as unknown as string[]))).code, 'INVALID_ARGUMENT')
    const broken = {
      [Symbol.asyncIterator](): AsyncIterator<string> {
        throw new TypeError('no iterator today')
      },
    }
    assert.match((await failureOf(client.gather(broken))).message, /no iterator today/)
    assert.equal(await client.gather(['a', 'b']), '2')
    await server.close({ drainMs: 0 })
  })
})

describe('compressed messages', () => {
  it('that a client does not read end its call past what they may take', async () => {
    let isReset = false
    const server = await peer((stream) => {
      stream.on('close', () => {
        isReset = true
      })
      stream.respond(head)
      for (let sent = 0; sent < 200; sent++) stream.write(bomb)
    })
    await using client = createClient(service, { target: server.target, retry: { attemptsMax: 1 } })
    const answers = client.list('')[Symbol.asyncIterator]()
    assert.equal((await answers.next()).value?.length, (4 << 20) - 2)
    // Their bytes fit the window: without a bound of their own all would be held, 800 MB.
    await until(() => isReset, 'the client ends the call')
    const rest = drainOf({ [Symbol.asyncIterator]: () => answers })
    assert.equal((await failureOf(rest)).code, 'RESOURCE_EXHAUSTED')
    server.close()
  })

  it('that a handler does not read are refused past what one connection may hold', async () => {
    let isServed = false
    const server = await createServer({
      services: [
        implement(service, {
          gather: (_, { signal }) => {
            isServed = true
            return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
          },
        }),
      ],
    })
    const session = http2.connect(`http://127.0.0.1:${server.address.port}`)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/texts/gather',
      'content-type': 'application/grpc+json',
      'grpc-encoding': 'gzip',
      te: 'trailers',
    })
    stream.on('error', () => {})
    for (let at = 0; at < 100; at++) stream.write(bomb)
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    assert.equal(headers['grpc-status'], '8')
    assert.equal(isServed, true)
    session.destroy()
    await server.close({ drainMs: 0 })
  })

  it('that say they are longer than is allowed end their call, and no more', async () => {
    const server = await peer((stream, number) => {
      stream.respond(head, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      if (number === 1) stream.end(framed(gzipSync(Buffer.alloc(64 << 20, 0x20)), true))
      else stream.end(framed(Buffer.from('"well"'), false))
    })
    await using client = createClient(service, { target: server.target, retry: { attemptsMax: 1 } })
    assert.equal((await failureOf(client.one(''))).code, 'RESOURCE_EXHAUSTED')
    assert.equal(await client.one(''), 'well')
    server.close()
  })
})
