/**
 * Bytes through a real worker, each known by its place: HTTP/1.1, TLS and HTTP/2 clients, fast, slow, and such as go away,
 * over kept connections and memory that is read into again (`Connection.giveBack`), with mirrors, retries and hedges, and
 * with next to no memory for data in flight. `SYNOD_BYTES_ROUNDS` makes it longer.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import * as https from 'node:https'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import type { ProxyWorker } from './index.ts'
import { startOnMachine } from './testing/worker-on-machine.ts'

const rounds = Number(process.env['SYNOD_BYTES_ROUNDS'] ?? 1)
const bytesMax = 400_000
/** More than the operating system takes for a client that reads nothing: one in so many is as long. */
const largeBytes = 12 << 20
const largeEvery = 32
/** A client of a large body begins to read after so many turns, so that it waits in the proxy. */
const turnsBeforeLarge = 1_500
const patternBytes = 16 << 20

/** At place `i` of body `seed`: pattern[(seed * 7919 + i) % length]; no two places near each other agree for long. */
const pattern = Buffer.alloc(2 * patternBytes)
for (let i = 0, state = 12345; i < patternBytes; i += 4) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  pattern.writeUInt32LE(state, i)
}
pattern.copy(pattern, patternBytes, 0, patternBytes)

function bodyOf(seed: number, size: number): Buffer {
  const start = (seed * 7_919) % patternBytes
  return pattern.subarray(start, start + size)
}

function sizeOf(seed: number, next: (below: number) => number): number {
  return seed % largeEvery === 0 ? largeBytes : next([100, 20_000, bytesMax][next(3)]!)
}

async function turns(count: number): Promise<void> {
  for (let i = count; i > 0; i--) await new Promise((resolve) => setImmediate(resolve))
}

/** Deterministic chance. */
function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** `/SEED/SIZE/FRAMING`: that body, in pieces; a POST's own body comes back. */
async function backend(t: TestContext): Promise<number> {
  const server = http.createServer((request, response) => {
    const [, seed, size, framing] = request.url!.split('/')
    request.on('error', () => {})
    response.on('error', () => {})
    if (request.method !== 'GET') {
      response.writeHead(200, framing === 'length' ? { 'content-length': size } : {})
      request.pipe(response)
      return
    }
    const body = bodyOf(Number(seed), Number(size))
    if (framing === 'length') response.setHeader('content-length', body.length)
    if (framing === 'close') response.setHeader('connection', 'close')
    const next = chance(Number(seed))
    let at = 0
    const write = (): void => {
      while (at < body.length) {
        const end = Math.min(body.length, at + 1 + next([200, 9_000, 70_000][next(3)]!))
        const piece = body.subarray(at, end)
        at = end
        if (response.destroyed) return
        if (!response.write(piece)) return void response.once('drain', write)
        if (next(4) === 0) return void setImmediate(write)
      }
      response.end()
    }
    write()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

async function started(t: TestContext, buffers: string): Promise<ProxyWorker> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-bytes-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const certificate = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    '/CN=shop.example',
  ]
  execFileSync('openssl', ['req', '-x509', ...certificate, '-keyout', 'key.pem', '-out', 'cert.pem'], {
    cwd: folder,
    stdio: 'pipe',
  })
  const [app, copy] = [await backend(t), await backend(t)]
  const routes = '[{path: /, to: app, mirror: {to: copy, share: 30%}, retry: {attempts: 3, hedgeAfter: 20ms}}]'
  const text = `
buffers: ${buffers}
listeners:
  - {name: plain, address: '127.0.0.1:0', routes: ${routes}}
  - {name: secure, address: '127.0.0.1:0', tls: {cert: cert.pem, key: key.pem}, routes: ${routes}}
  - {name: bare, address: '127.0.0.1:0', protocol: tcp, to: app}
upstreams:
  app: {endpoints: ['127.0.0.1:${app}']}
  copy: {endpoints: ['127.0.0.1:${copy}']}
`
  const worker = await startOnMachine(text, folder)
  t.after(() => worker.stop())
  return worker
}

type Outcome = 'whole' | 'left' | 'reset'

/** Reads `body` in the manner that chance chooses, and compares each byte with what belongs in its place. */
async function compare(
  body: Readable | http2.ClientHttp2Stream,
  expected: Buffer,
  next: (below: number) => number,
): Promise<Outcome> {
  const manner = next(10)
  const leavesAt = manner === 0 ? next(expected.length + 1) : Number.POSITIVE_INFINITY
  const isSlow = manner <= 3
  let at = 0
  if (expected.length > bytesMax) await turns(turnsBeforeLarge)
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      if (!piece.equals(expected.subarray(at, at + piece.length))) {
        const wrong = piece.findIndex((byte, i) => byte !== expected[at + i])
        assert.fail(`another byte at ${at + wrong} of ${expected.length}`)
      }
      at += piece.length
      if (at > leavesAt) return 'left'
      if (isSlow) await turns(next(6))
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    return 'reset'
  } finally {
    body.destroy()
  }
  // Node ends the body of a stream that was reset as if it were whole.
  if (at < expected.length && 'rstCode' in body && (body.aborted === true || body.rstCode !== 0)) return 'reset'
  assert.equal(at, expected.length, 'all of it came')
  return 'whole'
}

interface Ways {
  readonly plain: number
  readonly secure: number
  readonly bare: number
}

async function overHttp1(
  ports: Ways,
  agents: { readonly plain: http.Agent; readonly secure: https.Agent },
  seed: number,
): Promise<Outcome> {
  const next = chance(seed)
  const size = sizeOf(seed, next)
  const expected = bodyOf(seed, size)
  const way = (['plain', 'secure', 'bare'] as const)[next(3)]!
  const method = size <= bytesMax && next(3) === 0 ? 'PUT' : 'GET'
  const path = `/${seed}/${size}/${['length', 'chunked', 'close'][next(3)]}`
  const options = { host: '127.0.0.1', port: ports[way], method, path, rejectUnauthorized: false }
  const agent = way === 'secure' ? agents.secure : agents.plain
  const request = (way === 'secure' ? https : http).request({ ...options, agent } as https.RequestOptions)
  request.on('error', () => {})
  const failed = once(request, 'error').then(() => undefined)
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>
  if (method === 'PUT') {
    for (let at = 0; at < size; ) {
      const end = Math.min(size, at + 1 + next(60_000))
      request.write(expected.subarray(at, end))
      at = end
    }
  }
  request.end()
  const [response] = (await Promise.race([answered, failed])) ?? []
  if (response === undefined) return 'reset'
  assert.equal(response.statusCode, 200)
  return compare(response, expected, next)
}

async function overHttp2(session: http2.ClientHttp2Session, seed: number): Promise<Outcome> {
  const next = chance(seed)
  const size = sizeOf(seed, next)
  const expected = bodyOf(seed, size)
  const method = size <= bytesMax && next(3) === 0 ? 'PUT' : 'GET'
  const path = `/${seed}/${size}/${['length', 'chunked', 'close'][next(3)]}`
  const stream = session.request({ ':method': method, ':path': path }, { endStream: method === 'GET' })
  stream.on('error', () => {})
  if (method === 'PUT') stream.end(expected)
  return compare(stream, expected, next)
}

for (const buffers of ['256MiB', '1MiB']) {
  test(`every byte is in its place, with buffers of ${buffers}`, async (t) => {
    const worker = await started(t, buffers)
    const portOf = (name: string): number => worker.view().listeners.find((each) => each.name === name)!.port
    const ports: Ways = { plain: portOf('plain'), secure: portOf('secure'), bare: portOf('bare') }
    const agents = { plain: new http.Agent({ keepAlive: true }), secure: new https.Agent({ keepAlive: true }) }
    const counts: Record<Outcome, number> = { whole: 0, left: 0, reset: 0 }
    const connect = (): http2.ClientHttp2Session =>
      http2.connect(`https://127.0.0.1:${ports.secure}`, { rejectUnauthorized: false }).on('error', () => {})
    let seed = 1
    await Promise.all(
      Array.from({ length: 24 }, async (_, client) => {
        let session = connect()
        for (let i = 0; i < 12 * rounds; i++) {
          const mine = seed++
          if (session.closed || session.destroyed) session = connect()
          counts[await (client % 3 === 0 ? overHttp2(session, mine) : overHttp1(ports, agents, mine))]++
        }
        session.destroy()
      }),
    )
    agents.plain.destroy()
    agents.secure.destroy()
    const deadlineMs = performance.now() + 20_000
    while (worker.view().listeners.some(({ connections }) => connections > 0) || worker.view().buffered.bytes > 0) {
      assert.ok(performance.now() < deadlineMs, JSON.stringify(worker.view().buffered))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const { resets } = worker.view().buffered
    if (buffers === '256MiB') assert.deepEqual([counts.reset, resets], [0, 0])
    assert.ok(counts.reset <= resets * 8, JSON.stringify({ counts, resets }))
    assert.ok(counts.whole > 200 * rounds, JSON.stringify(counts))
    t.diagnostic(JSON.stringify({ counts, buffered: worker.view().buffered }))
  })
}

test('clients that take nothing hold no more than the bound together, and others are served meanwhile', async (t) => {
  const worker = await started(t, '1MiB')
  const port = worker.view().listeners.find(({ name }) => name === 'plain')!.port
  const idlers = Array.from({ length: 32 }, (_, i) => {
    const socket = net.connect(port, '127.0.0.1').pause()
    socket.on('error', () => {})
    socket.write(`GET /${i}/${largeBytes}/length HTTP/1.1\r\nHost: shop.example\r\n\r\n`)
    return socket
  })
  let mostBytes = 0
  const watched = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await turns(1)
      mostBytes = Math.max(mostBytes, worker.view().buffered.bytes)
    }
  }
  while (worker.view().buffered.earlyPauses < 8) await watched(1)
  const agent = new http.Agent()
  const get = async (seed: number): Promise<Outcome> => {
    const request = http.get({ host: '127.0.0.1', port, path: `/${seed}/20000/length`, agent })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    const body = Buffer.concat((await response.toArray()) as Buffer[])
    return body.equals(bodyOf(seed, 20_000)) ? 'whole' : 'reset'
  }
  for (let i = 0; i < 20; i++) {
    assert.equal(await get(i), 'whole')
    await watched(20)
  }
  const { bytesMax, bytes } = worker.view().buffered
  assert.ok(bytes > bytesMax / 4, 'they do hold something')
  assert.ok(mostBytes <= bytesMax, `${mostBytes} of ${bytesMax}`)
  for (const socket of idlers) socket.destroy()
  while (worker.view().buffered.bytes > 0) await turns(1)
  t.diagnostic(JSON.stringify({ mostBytes, buffered: worker.view().buffered }))
})
