/** Compression chosen message by message, and the refusals of grpc/grpc doc/compression.md. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { cameCompressed, compressed, grpcClientTransport, grpcServerTransport, uncompressed } from '../grpc/index.ts'
import {
  bidiStreaming,
  type ClientOptions,
  createClient,
  createServer,
  defineService,
  implement,
  unary,
} from '../index.ts'
import { failureOf } from '../testing/failure-of.ts'

interface Note {
  readonly text: string
  /** How the other end got it, or shall send it. */
  readonly isCompressed?: boolean
}

const note = (value: unknown): Note => value as Note
const text = (value: unknown): string => String(value)
const service = defineService('notes', {
  echo: unary({ request: note, response: note, idempotent: true }),
  each: bidiStreaming({ request: note, response: note }),
  plain: unary({ request: text, response: text }),
})

const sent = (one: Note): Note => (one.isCompressed === true ? compressed(one) : uncompressed(one))

/** Answers tell how requests came, and come as the requests say. */
const notes = implement(service, {
  echo: (request) => {
    const answer = { text: request.text, isCompressed: cameCompressed(request) }
    return request.isCompressed === undefined ? answer : sent({ ...request, text: String(answer.isCompressed) })
  },
  async *each(requests) {
    for await (const request of requests) {
      assert.equal(cameCompressed(request), request.isCompressed, request.text)
      yield sent({ ...request })
    }
  },
  plain: (request) => request,
})

const compression = 'gzip'
const marked = { compression, compressFromBytes: Number.POSITIVE_INFINITY } as const
const long = 'long '.repeat(1_000)

async function withEnds(
  client: Parameters<typeof grpcClientTransport>[0],
  server: Parameters<typeof grpcServerTransport>[0],
  use: (client: ReturnType<typeof clientAt>, port: number) => Promise<void>,
): Promise<void> {
  await using served = await createServer({ services: [notes], transport: grpcServerTransport(server) })
  const { port } = served.address
  await using calling = clientAt({ target: `127.0.0.1:${port}`, transport: grpcClientTransport(client) })
  await use(calling, port)
}

function clientAt(options: ClientOptions) {
  return createClient(service, options)
}

describe('compression message by message', () => {
  it('what nothing is said of is compressed from a length on, both ways', async () => {
    await withEnds({ compression }, { compression, compressFromBytes: 100 }, async (client) => {
      const [short, middle, all] = ['short', 'm'.repeat(500), long].map((one) => client.echo({ text: one }))
      assert.deepEqual([(await short)!.isCompressed, cameCompressed(await short)], [false, false])
      assert.deepEqual([(await middle)!.isCompressed, cameCompressed(await middle)], [false, true])
      assert.deepEqual([(await all)!.isCompressed, cameCompressed(await all)], [true, true])
    })
  })

  it('what is said of a message holds, however long it is', async () => {
    for (const ends of [marked, { compression }] as const) {
      await withEnds(ends, ends, async (client) => {
        for (const words of ['short', long]) {
          for (const choice of [true, false]) {
            const answer = await client.echo(sent({ text: words, isCompressed: choice }))
            assert.deepEqual([answer.text, cameCompressed(answer)], [String(choice), choice])
          }
        }
      })
    }
  })

  it('in streams too, also for messages that wait to be read', async () => {
    await withEnds(marked, marked, async (client) => {
      const requests = Array.from({ length: 300 }, (_, at) =>
        sent({ text: `${at} ${long.repeat(20)}`, isCompressed: at % 3 === 0 }),
      )
      const seen: boolean[] = []
      for await (const answer of client.each(requests)) {
        assert.equal(cameCompressed(answer), answer.isCompressed)
        seen.push(cameCompressed(answer))
        // So slowly that both ends hold messages back.
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.deepEqual(
        seen,
        requests.map(({ isCompressed }) => isCompressed),
      )
    })
  })

  it('ends that do not compress pay no heed', async () => {
    await withEnds({}, {}, async (client) => {
      const answer = await client.echo(compressed({ text: long, isCompressed: true }))
      assert.deepEqual([answer.text, cameCompressed(answer)], ['false', false])
    })
  })

  it('a text is no object to keep anything by', async () => {
    await withEnds({ compression }, { compression }, async (client) => {
      const answer = await client.plain(long)
      assert.deepEqual([answer, cameCompressed(answer)], [long, false])
    })
  })
})

function framed(message: Uint8Array, flag: number): Buffer {
  const prefix = Buffer.alloc(5)
  prefix[0] = flag
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

const message = Buffer.from('{"text":"x"}')

describe('compression that was not agreed on', () => {
  async function ask(port: number, encoding: string | undefined, body: Buffer): Promise<http2.IncomingHttpHeaders> {
    const session = http2.connect(`http://127.0.0.1:${port}`)
    const headers = {
      ':method': 'POST',
      ':path': '/notes/echo',
      'content-type': 'application/grpc+json',
      te: 'trailers',
    }
    const stream = session.request(encoding === undefined ? headers : { ...headers, 'grpc-encoding': encoding })
    let trailers: http2.IncomingHttpHeaders = {}
    stream.on('trailers', (fields) => {
      trailers = fields
    })
    stream.end(body)
    const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    stream.resume()
    await once(stream, 'close')
    session.destroy()
    return { ...head, ...trailers }
  }

  it('a server refuses what it cannot read, and tells what it can', async () => {
    await withEnds({}, {}, async (_client, port) => {
      const unread = await ask(port, 'br', framed(message, 1))
      assert.equal(unread['grpc-status'], '12')
      assert.match(String(unread['grpc-message']), /"br"/)
      assert.equal(unread['grpc-accept-encoding'], 'identity,gzip')
      for (const [encoding, body] of [
        ['identity', framed(message, 1)],
        [undefined, framed(gzipSync(message), 1)],
        ['gzip', framed(message, 1)],
        ['gzip', framed(gzipSync(message), 2)],
      ] as const) {
        assert.equal((await ask(port, encoding, body))['grpc-status'], '13', `${encoding} ${body[0]}`)
      }
      assert.equal((await ask(port, 'gzip', framed(gzipSync(message), 1)))['grpc-status'], '0')
      assert.equal((await ask(port, 'gzip', framed(message, 0)))['grpc-status'], '0')
    })
  })

  it('a client does not take such an answer', async () => {
    for (const [encoding, body] of [
      ['identity', framed(gzipSync(message), 1)],
      [undefined, framed(gzipSync(message), 1)],
      ['br', framed(message, 1)],
      ['gzip', framed(gzipSync(message), 3)],
    ] as const) {
      const server = http2.createServer()
      server.on('stream', (stream) => {
        const head = { ':status': 200, 'content-type': 'application/grpc+json' }
        stream.respond(encoding === undefined ? head : { ...head, 'grpc-encoding': encoding }, {
          waitForTrailers: true,
        })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        stream.on('error', () => {})
        stream.end(body)
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      {
        await using client = clientAt({ target: `127.0.0.1:${(server.address() as AddressInfo).port}` })
        assert.equal((await failureOf(client.echo({ text: 'x' }))).code, 'INTERNAL', `${encoding} ${body[0]}`)
      }
      server.close()
    }
  })
})
