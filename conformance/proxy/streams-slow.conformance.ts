// Slow readers and slow writers at the real proxy: whoever does not read stops whoever writes, over each protocol, and
// nothing is lost when it goes on.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'
import { beginPeak, checkPattern, megabyte, peakBytes, writePattern } from './streams-ground.ts'

/** Between who writes and who does not read: the kernel's buffers of two connections, and the bounded queues of the proxy. */
const betweenBytesMax = 2 * (kernelBufferMax('tcp_rmem') + kernelBufferMax('tcp_wmem')) + 8 * megabyte
const bodyBytes = betweenBytesMax + 64 * megabyte
const peakBytesMax = 320 * megabyte

/** As far as the kernel lets one connection's buffer grow. */
function kernelBufferMax(name: 'tcp_rmem' | 'tcp_wmem'): number {
  return Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim().split(/\s+/)[2])
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Resolves when a counter has stood still for a while. */
async function standsStill(what: string, count: () => number): Promise<void> {
  let last = -1
  let looks = 0
  await until(what, () => {
    looks = count() === last ? looks + 1 : 0
    last = count()
    return last > 0 && looks >= 25
  })
}

/** One way of carrying bytes from an end that writes to an end that reads. */
interface Carriage {
  readonly to: Writable
  readonly from: Readable
}

describe('slow readers and slow writers', () => {
  let folder = ''
  let proxy: ProxyProcess
  const servers: { close(): unknown }[] = []
  const closing: (() => unknown)[] = []
  /** What arrives at the servers, one at a time. */
  let arrived: ((request: Readable, response: Writable) => void) | undefined

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synod-streams-'))
    const http1 = http.createServer((request, response) => arrived!(request, response))
    const h2c = http2.createServer((request, response) => arrived!(request, response as unknown as Writable))
    const tcp = createServer({ allowHalfOpen: true }, (socket) => arrived!(socket, socket))
    servers.push(http1, h2c, tcp)
    const ports = [await listen(http1), await listen(h2c as unknown as Server), await listen(tcp)]
    proxy = await startProxy(
      folder,
      `
workers: 1
admin: 127.0.0.1:0
listeners:
  - name: web
    address: 127.0.0.1:0
    http2: true
    routes:
      - { path: /http2, to: http2, requestBodyMax: 0 }
      - { path: /, to: http1, requestBodyMax: 0 }
  - { name: tcp, address: '127.0.0.1:0', protocol: tcp, to: tcp }
upstreams:
  http1: { endpoints: ['127.0.0.1:${ports[0]}'] }
  http2: { endpoints: ['127.0.0.1:${ports[1]}'], protocol: http2 }
  tcp: { endpoints: ['127.0.0.1:${ports[2]}'] }
`,
    )
  })
  after(async () => {
    for (const close of closing) close()
    await proxy?.kill()
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true })
  })

  /** A client's both ends, over one of the protocols. */
  const clients: Readonly<
    Record<string, () => Promise<{ readonly request: Writable; readonly response: Promise<Readable> }>>
  > = {
    'HTTP/1.1': async () => {
      const init = { host: '127.0.0.1', port: proxy.port('web'), method: 'PUT', agent: false as const }
      const request = http.request(init)
      request.flushHeaders()
      const response = once(request, 'response').then(([head]) => head as Readable)
      response.catch(() => {})
      return { request, response }
    },
    'HTTP/2': () => overHttp2('/'),
    'HTTP/2 to HTTP/2': () => overHttp2('/http2'),
    TCP: async () => {
      const socket = connect({ host: '127.0.0.1', port: proxy.port('tcp'), allowHalfOpen: true })
      return { request: socket, response: Promise.resolve(socket) }
    },
  }

  async function overHttp2(path: string) {
    const session = http2.connect(`http://127.0.0.1:${proxy.port('web')}`)
    closing.push(() => session.destroy())
    const stream = session.request({ ':method': 'PUT', ':path': path }, { endStream: false })
    return { request: stream, response: Promise.resolve(stream) }
  }

  /** The writer stops while nobody reads, and all arrives once somebody does. */
  async function carry({ to, from }: Carriage): Promise<void> {
    beginPeak(proxy.processId)
    const { written } = writePattern(to, bodyBytes)
    await standsStill('the writer is stopped', written)
    assert.ok(written() < betweenBytesMax, `${written() / megabyte} MB went to somebody who does not read`)
    assert.equal(await checkPattern(from), bodyBytes)
    const peak = peakBytes(proxy.processId)
    assert.ok(peak < peakBytesMax, `the proxy held ${peak / megabyte} MB`)
  }

  for (const [name, open] of Object.entries(clients)) {
    it(`${name}: a client that does not read stops the server`, async () => {
      let server: Writable | undefined
      arrived = (request, response) => {
        if (request !== (response as unknown)) request.resume()
        server = response
      }
      const { request, response } = await open()
      if (name === 'TCP') await once(request, 'connect')
      else request.end()
      await until('the request arrives', () => server !== undefined)
      if (name !== 'TCP') (server as http.ServerResponse).writeHead(200).flushHeaders?.()
      const carriage = { to: server!, from: await response }
      await carry(carriage)
      request.end()
    })

    it(`${name}: a server that does not read stops the client`, async () => {
      let ends: { readonly request: Readable; readonly response: Writable } | undefined
      arrived = (request, response) => {
        ends = { request, response }
      }
      const { request, response } = await open()
      await until('the request arrives', () => ends !== undefined)
      await carry({ to: request, from: ends!.request })
      ends!.response.end('done')
      let text = ''
      for await (const piece of await response) text += String(piece)
      assert.equal(text, 'done')
    })

    it(`${name}: bytes one by one arrive one by one, both ways`, async () => {
      arrived = (request, response) => {
        request.on('data', (piece: Buffer) => response.write(piece))
        request.on('end', () => response.end())
      }
      const { request, response } = await open()
      // Some clients tell of an answer only once there is one.
      request.write('a')
      let seen = ''
      const reading = response.then((from) => {
        from.on('data', (piece: Buffer) => {
          seen += piece.toString()
          if (seen.length === 300) request.end()
          else request.write(String.fromCharCode(97 + (seen.length % 26)))
        })
        return once(from, 'end')
      })
      await reading
      assert.equal(seen, 'abcdefghijklmnopqrstuvwxyz'.repeat(12).slice(0, 300))
    })
  }
})
