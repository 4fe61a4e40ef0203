/** Peers whose bytes are wrong: calls fail with an error of their own, servers go on serving, nothing else happens. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http2 from 'node:http2'
import * as net from 'node:net'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { type ClientOptions, createClient, createServer, RpcError, type RpcServer } from '../index.ts'
import { drainOf, failureOf } from '../testing/failure-of.ts'
import { orders, ordersOf } from '../testing/orders-service.ts'
import { until } from '../testing/until.ts'

/** What happens to a recorded conversation: bytes at places are replaced, and it is cut. */
const damage = fc.record({
  flips: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
  cut: fc.option(fc.nat(), { nil: undefined }),
})

type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never

function damaged(bytes: Buffer, { flips, cut }: Damage, from: number): Buffer {
  const copy = Buffer.from(bytes)
  for (const [at, value] of flips) copy[from + (at % (copy.length - from))] = value
  return cut === undefined ? copy : copy.subarray(0, from + (cut % (copy.length - from)))
}

describe('hostile peers', () => {
  let server: RpcServer
  let fromClient: Buffer
  let fromServer: Buffer
  const retry = { attemptsMax: 1 }
  before(async () => {
    server = await createServer({ services: [ordersOf('a')] })
    const recorded = await record(server.address.port)
    fromClient = recorded.fromClient
    fromServer = recorded.fromServer
    assert.ok(fromClient.length > 100 && fromServer.length > 100)
  })
  after(() => server.close({ drainMs: 0 }))

  it('a server survives damaged requests, and forgets them', async () => {
    await using good = createClient(orders, { target: `127.0.0.1:${server.address.port}` })
    await fc.assert(
      fc.asyncProperty(damage, async (what) => {
        // The preface stays, so that it is HTTP/2 that is damaged.
        const socket = net.connect(server.address.port, '127.0.0.1')
        socket.on('error', () => {})
        socket.resume()
        await once(socket, 'connect')
        socket.end(damaged(fromClient, what, 24))
        assert.equal((await good.getOrder({ id: '1' })).item, 'book')
        socket.destroy()
      }),
      { numRuns: 150 },
    )
    await until(() => server.callsOpen === 0, 'no call of a damaged conversation stays')
  })

  it('a client survives damaged answers: every call ends', async () => {
    let answer: Buffer = Buffer.alloc(0)
    const port = await listen((socket) => socket.write(answer))
    await fc.assert(
      fc.asyncProperty(damage, async (what) => {
        answer = damaged(fromServer, what, 0)
        const options: ClientOptions = { target: `127.0.0.1:${port.number}`, retry, timeoutMs: 50 }
        await using client = createClient(orders, options)
        const calls = [
          client.placeOrder({ item: 'book' }),
          drainOf(client.listOrders({ count: 3 })),
          client.upload([{}]),
        ]
        for (const result of await Promise.allSettled(calls)) {
          if (result.status === 'rejected') assert.ok(result.reason instanceof RpcError, String(result.reason))
        }
      }),
      { numRuns: 60 },
    )
    await port.close()
  })

  it('a client refuses what is no gRPC, and says so', async () => {
    const port = await listen((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
    await using client = createClient(orders, { target: `127.0.0.1:${port.number}`, retry })
    const error = await failureOf(client.getOrder({ id: '1' }))
    assert.equal(error.code, 'UNAVAILABLE')
    assert.equal(error.outcome, 'not-applied')
    assert.match(error.message, /does not speak HTTP\/2/)
    await port.close()
  })

  it('a server that accepts and says nothing', async () => {
    const port = await listen(() => {})
    const limits = { connectTimeoutMs: 50 }
    await using client = createClient(orders, { target: `127.0.0.1:${port.number}`, retry, limits })
    const error = await failureOf(client.getOrder({ id: '1' }))
    assert.deepEqual([error.code, error.outcome], ['UNAVAILABLE', 'not-applied'])
    assert.match(error.message, /no HTTP\/2 server answered within 50 ms/)
    await port.close()
  })

  it('a request of one message that never ends is refused in time', async () => {
    await using impatient = await createServer({ services: [ordersOf('a')], limits: { requestTimeoutMs: 30 } })
    const session = http2.connect(`http://127.0.0.1:${impatient.address.port}`)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/synod.testing.v1.Orders/PlaceOrder',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.on('error', () => {})
    // A prefix that announces three bytes, and one of them.
    stream.write(Buffer.of(0, 0, 0, 0, 3, 1))
    const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
    assert.equal(head['grpc-status'], '4')
    session.destroy()
  })

  it('many calls that are opened and reset at once', async () => {
    await using client = createClient(orders, { target: `127.0.0.1:${server.address.port}` })
    const calls = Array.from({ length: 500 }, () => {
      const controller = new AbortController()
      const call = client.placeOrder({ item: 'wait' }, { signal: controller.signal })
      setImmediate(() => controller.abort())
      return failureOf(call)
    })
    for (const { code } of await Promise.all(calls)) assert.equal(code, 'CANCELLED')
    await until(() => server.callsOpen === 0, 'the server forgets them')
    assert.equal((await client.getOrder({ id: '1' })).item, 'book')
  })
})

/** A good conversation, as both sides sent it. */
async function record(port: number): Promise<{ readonly fromClient: Buffer; readonly fromServer: Buffer }> {
  const sent: Buffer[] = []
  const received: Buffer[] = []
  const relay = await listen((socket) => {
    const onward = net.connect(port, '127.0.0.1')
    onward.on('error', () => socket.destroy())
    socket.on('close', () => onward.destroy())
    socket.on('data', (bytes: Buffer) => {
      sent.push(bytes)
      onward.write(bytes)
    })
    onward.on('data', (bytes: Buffer) => {
      received.push(bytes)
      socket.write(bytes)
    })
  })
  {
    await using client = createClient(orders, { target: `127.0.0.1:${relay.number}` })
    await drainOf(client.listOrders({ count: 3 }))
    await drainOf(client.chat([{ item: 'a' }]))
    await client.upload([{ note: new Uint8Array(100) }])
    await client.placeOrder({ item: 'book' }, { metadata: { 'x-echo': 'text' } })
  }
  await relay.close()
  return { fromClient: Buffer.concat(sent), fromServer: Buffer.concat(received) }
}

interface Port {
  readonly number: number
  close(): Promise<void>
}

async function listen(onSocket: (socket: net.Socket) => void): Promise<Port> {
  const sockets = new Set<net.Socket>()
  const listener = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', () => {})
    onSocket(socket)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return {
    number: (listener.address() as net.AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      listener.close()
      await once(listener, 'close')
    },
  }
}
