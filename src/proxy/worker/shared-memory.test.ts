// Reads share memory and lend it anew: no byte of one exchange may show up in another.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import type * as net from 'node:net'
import { after, test } from 'node:test'
import { startOnMachine } from './testing/worker-on-machine.ts'

const cleanups: (() => unknown)[] = []
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

const sizes = [3, 700, 9_000, 66_000, 700_000]

/** Every exchange has a pattern of its own, in which every place has a value of its own. */
function pattern(seed: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  for (let i = 0; i < size; i++) bytes[i] = (seed * 31 + i * 7 + (i >> 8) * 13) & 0xff
  return bytes
}

/** Answers `/SEED/SIZE` with its pattern, with a length or in chunks; and a POST with what it got. */
async function startBackend(): Promise<number> {
  const server = http.createServer((request, response) => {
    if (request.method === 'POST') {
      request.pipe(response)
      return
    }
    const [seed, size] = request.url!.slice(1).split('/').map(Number) as [number, number]
    if (seed % 2 === 0) response.setHeader('content-length', size)
    response.end(pattern(seed, size))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return (server.address() as net.AddressInfo).port
}

async function startProxy(): Promise<number> {
  const text = `
listeners:
  - { name: web, address: 127.0.0.1:0, protocol: http, routes: [{ path: /, to: a, retry: { attempts: 2 } }] }
upstreams:
  a: { endpoints: [127.0.0.1:${await startBackend()}] }
`
  const worker = await startOnMachine(text)
  cleanups.push(() => worker.stop())
  return worker.view().listeners[0]!.port
}

/** Reads a body; `isSlow`: not before others had their turns, so that it backs up into the proxy. */
async function bodyOf(stream: NodeJS.ReadableStream, isSlow: boolean): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream) {
    pieces.push(piece as Buffer)
    if (isSlow) for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return Buffer.concat(pieces)
}

async function overHttp1(port: number, agent: http.Agent, seed: number, size: number): Promise<void> {
  const isPost = seed % 3 === 0
  const request = http.request({ port, agent, path: `/${seed}/${size}`, method: isPost ? 'POST' : 'GET' })
  const answered = once(request, 'response')
  request.end(isPost ? pattern(seed, size) : undefined)
  const [response] = (await answered) as [http.IncomingMessage]
  const body = await bodyOf(response, seed % 5 === 0)
  assert.ok(body.equals(pattern(seed, size)), `HTTP/1.1, exchange ${seed} of ${size} bytes`)
}

async function overHttp2(session: http2.ClientHttp2Session, seed: number, size: number): Promise<void> {
  const isPost = seed % 3 === 0
  const stream = session.request({ ':path': `/${seed}/${size}`, ':method': isPost ? 'POST' : 'GET' })
  stream.end(isPost ? pattern(seed, size) : undefined)
  const body = await bodyOf(stream, seed % 5 === 0)
  assert.ok(body.equals(pattern(seed, size)), `HTTP/2, exchange ${seed} of ${size} bytes`)
}

/** A body that nobody reads until the result is called: more than the operating system takes, so the proxy holds some. */
async function startLate(port: number): Promise<() => Promise<void>> {
  const [seed, size] = [1_000, 16_000_000]
  const request = http.get({ port, path: `/${seed}/${size}`, agent: false })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return async () => {
    const body = await bodyOf(response, false)
    assert.ok(body.equals(pattern(seed, size)), 'a body that was read late')
  }
}

test('many exchanges at once, fast and slow, small and large, both ways: each has its own bytes', async () => {
  const port = await startProxy()
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
  const session = http2.connect(`http://127.0.0.1:${port}`)
  const readLate = await startLate(port)
  const running: Promise<void>[] = []
  for (let seed = 0; seed < 150; seed++) {
    const size = sizes[seed % sizes.length]!
    running.push(seed % 4 === 1 ? overHttp2(session, seed, size) : overHttp1(port, agent, seed, size))
  }
  try {
    await Promise.all(running)
    await readLate()
  } finally {
    agent.destroy()
    session.destroy()
  }
})
