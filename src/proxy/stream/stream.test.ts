import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as net from 'node:net'
import { after, test } from 'node:test'
import type { Port } from '../../runtime/index.ts'
import { createNodeRuntime, createPortOpener } from '../../runtime/node/index.ts'
import { openUpstream, type Upstream, upstreamSettingsDefault } from '../../traffic/upstream/index.ts'
import type { TcpListenerConfig } from '../config/index.ts'
import { readProxyHeader } from '../proxy-protocol/index.ts'
import { type StreamConfig, StreamListener } from './index.ts'

const runtime = createNodeRuntime({ logLevel: 'error' })
const opener = createPortOpener()
const cleanups: (() => void)[] = []
after(() => {
  for (const cleanup of cleanups) cleanup()
})

const tcp: TcpListenerConfig = {
  name: 'l4',
  host: '127.0.0.1',
  port: 0,
  proxyProtocolFrom: [],
  connectionsMax: 1000,
  protocol: 'tcp',
  upstream: 'u',
  idleTimeoutMs: 60_000,
  sendProxyProtocol: 0,
}

/** A server that deals with each connection as told; its port. */
async function serve(onSocket: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return (server.address() as net.AddressInfo).port
}

async function deadPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface Proxy {
  readonly port: Port
  readonly listener: StreamListener
  readonly upstream: Upstream
  readonly reasons: string[]
}

async function proxyTo(ports: readonly number[], changes: Partial<StreamConfig> = {}): Promise<Proxy> {
  const endpoints = ports.map((port) => {
    return { id: `${port}`, host: '127.0.0.1', port, weight: 1, priority: 0, zone: '', metadata: {} }
  })
  const settings = { ...upstreamSettingsDefault, name: 'u', sources: [{ type: 'static', endpoints } as const] }
  const upstream = openUpstream(settings, runtime)
  await upstream.ready()
  const reasons: string[] = []
  const listener = new StreamListener({ ...tcp, ...changes } as StreamConfig, {
    clock: runtime.clock,
    scheduler: runtime.scheduler,
    targetOf: (name) => (name === 'u' ? { upstream, network: runtime.network } : undefined),
    onRefused: (reason) => reasons.push(reason),
  })
  const port = await opener.open(tcp, {
    connectionsMax: 1000,
    preamble: undefined,
    tls: undefined,
    onConnection: (connection, origin) => listener.accept(connection, origin),
    onRefused() {},
  })
  cleanups.push(() => {
    port.close()
    listener.destroyAll()
    upstream.close()
  })
  return { port, listener, upstream, reasons }
}

function dial(proxy: Proxy): net.Socket {
  const socket = net.connect({ ...proxy.port.address, allowHalfOpen: true })
  socket.on('error', () => {})
  return socket
}

/** Resolves when the proxy has let go of `socket`. */
async function letGo(socket: net.Socket): Promise<void> {
  socket.on('end', () => socket.end())
  socket.resume()
  await once(socket, 'close')
}

async function all(socket: net.Socket): Promise<string> {
  const pieces: Buffer[] = []
  socket.on('data', (bytes: Buffer) => pieces.push(bytes))
  await once(socket, 'end')
  return Buffer.concat(pieces).toString('latin1')
}

/** Every session that began at an endpoint has ended there. */
async function settled(proxy: Proxy): Promise<void> {
  await proxy.listener.drain(10_000)
  for (const { active } of proxy.upstream.view().endpoints) assert.equal(active, 0)
  assert.equal(proxy.listener.connections, 0)
}

test('half-close: the client ends first, and is answered afterwards', async () => {
  const port = await serve(async (socket) => socket.end(`got ${await all(socket)}`))
  const proxy = await proxyTo([port])
  const client = dial(proxy)
  client.end('question')
  assert.equal(await all(client), 'got question')
  await settled(proxy)
  const { accepted, opened, bytesFromClients, bytesToClients } = proxy.listener.counters
  assert.deepEqual([accepted, opened, bytesFromClients, bytesToClients], [1, 1, 8, 12])
})

test('half-close: the endpoint ends first, and is told the rest', async () => {
  const got: Promise<string>[] = []
  const port = await serve((socket) => {
    got.push(all(socket))
    socket.end('banner')
  })
  const proxy = await proxyTo([port])
  const client = dial(proxy)
  assert.equal(await all(client), 'banner')
  client.end('still said')
  assert.equal(await got[0], 'still said')
  await settled(proxy)
})

test('an endpoint that refuses is left for the next one', async () => {
  const port = await serve((socket) => socket.end('here'))
  const proxy = await proxyTo([await deadPort(), port])
  for (let i = 0; i < 4; i++) {
    const client = dial(proxy)
    const answer = all(client)
    client.end()
    assert.equal(await answer, 'here')
  }
  await settled(proxy)
  // Round robin comes back to the dead one: each session that met it was carried on elsewhere.
  assert.ok(proxy.listener.counters.connectFailures >= 1)
  assert.equal(proxy.listener.counters.refused, 0)
})

test('when no endpoint can be reached the client is closed, and the reason told', async () => {
  const proxy = await proxyTo([await deadPort()])
  const client = dial(proxy)
  await letGo(client)
  await settled(proxy)
  assert.equal(proxy.reasons.length, 1)
})

/** The error by which a connection ends; undefined: in order. */
function broken(socket: net.Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    socket.on('close', () => resolve(undefined))
  })
}

test('an endpoint that breaks breaks the client, and the other way round: nothing cut off looks whole', async () => {
  const sockets: net.Socket[] = []
  const port = await serve((socket) => {
    sockets.push(socket)
    socket.write('x')
  })
  const proxy = await proxyTo([port])
  const first = dial(proxy)
  await once(first, 'data')
  sockets[0]!.resetAndDestroy()
  assert.equal(await broken(first), 'ECONNRESET')
  const second = dial(proxy)
  await once(second, 'data')
  const closed = broken(sockets[1]!)
  second.resetAndDestroy()
  assert.equal(await closed, 'ECONNRESET')
  await settled(proxy)
})

test('an idle session ends, and one that speaks does not', async () => {
  const port = await serve((socket) => socket.pipe(socket))
  const proxy = await proxyTo([port], { idleTimeoutMs: 200 })
  const idle = dial(proxy)
  const busy = dial(proxy)
  let echoes = 0
  busy.on('data', () => {
    echoes++
    setTimeout(() => busy.write('y'), 20)
  })
  busy.write('y')
  await letGo(idle)
  assert.ok(echoes > 2)
  assert.equal(busy.destroyed, false)
  assert.equal(proxy.listener.counters.idleTimeouts, 1)
  busy.destroy()
  await settled(proxy)
})

for (const version of [1, 2] as const) {
  test(`a PROXY header of version ${version} comes first`, async () => {
    const port = await serve(async (socket) => {
      const text = await all(socket)
      socket.end(text, 'latin1')
    })
    const proxy = await proxyTo([port], { sendProxyProtocol: version })
    const client = dial(proxy)
    await once(client, 'connect')
    const { localPort } = client
    client.end('payload')
    const echoed = Buffer.from(await all(client), 'latin1')
    const header = readProxyHeader(echoed)
    assert.ok(header.type === 'done')
    assert.equal(header.source?.port, localPort)
    assert.deepEqual(header.destination, proxy.port.address)
    assert.equal(echoed.subarray(header.lengthBytes).toString(), 'payload')
    await settled(proxy)
  })
}

test('a drain waits for sessions, then ends them', async () => {
  const port = await serve((socket) => socket.pipe(socket))
  const proxy = await proxyTo([port])
  const client = dial(proxy)
  client.write('x')
  await once(client, 'data')
  await Promise.all([proxy.listener.drain(50), letGo(client)])
  await settled(proxy)
})

test('200 MB to a slow reader, in flat memory, with not a byte lost', async () => {
  const total = 200 << 20
  let sent = 0
  const block = Buffer.alloc(1 << 20, 'abcdefghijklmnopqrstuvwxyz')
  const port = await serve((socket) => {
    let left = total
    const send = (): void => {
      while (left > 0) {
        const size = Math.min(left, block.length)
        left -= size
        sent += size
        if (!socket.write(block.subarray(0, size))) {
          socket.once('drain', send)
          return
        }
      }
      socket.end()
    }
    send()
  })
  const proxy = await proxyTo([port])
  const client = dial(proxy)
  let received = 0
  let highestBytes = 0
  client.on('data', (bytes: Buffer) => {
    received += bytes.length
    highestBytes = Math.max(highestBytes, sent - received)
    // The reader stops now and then, so that the proxy has to stop its sender.
    if (received % 7 === 0) {
      client.pause()
      setImmediate(() => client.resume())
    }
  })
  client.end()
  await once(client, 'end')
  assert.equal(received, total)
  // What lies between sender and reader is in the kernel's buffers and, at most, two high-water marks.
  assert.ok(highestBytes < 40 << 20, `${highestBytes >> 20} MiB on the way`)
  await settled(proxy)
})
