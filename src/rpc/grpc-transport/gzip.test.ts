/** Compressed messages, between our ends and with grpc-js. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as net from 'node:net'
import { describe, it } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { grpcClientTransport, grpcServerTransport } from '../grpc/index.ts'
import { createClient, createServer } from '../index.ts'
import { peerClient, peerServer } from '../testing/grpc-js-peer.ts'
import { orders, ordersOf } from '../testing/orders-service.ts'

const compression = 'gzip'
const note = new Uint8Array(200_000)

/** Passes bytes on, and counts them. */
async function relay(port: number): Promise<{ port: number; sent: number; received: number; close(): void }> {
  const sockets: net.Socket[] = []
  const listener = net.createServer((socket) => {
    const onward = net.connect(port, '127.0.0.1')
    for (const one of [socket, onward]) {
      sockets.push(one)
      one.on('error', () => {})
    }
    socket.on('data', (bytes) => {
      counted.sent += bytes.length
      onward.write(bytes)
    })
    onward.on('data', (bytes) => {
      counted.received += bytes.length
      socket.write(bytes)
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const counted = {
    port: (listener.address() as net.AddressInfo).port,
    sent: 0,
    received: 0,
    close() {
      for (const socket of sockets) socket.destroy()
      listener.close()
    },
  }
  return counted
}

describe('gzip', () => {
  for (const [sends, answers] of [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ] as const) {
    it(`requests ${sends ? '' : 'not '}compressed, answers ${answers ? '' : 'not '}compressed`, async () => {
      const serverTransport = grpcServerTransport(answers ? { compression } : {})
      await using server = await createServer({ services: [ordersOf('a')], transport: serverTransport })
      const wire = await relay(server.address.port)
      const clientTransport = grpcClientTransport(sends ? { compression } : {})
      await using client = createClient(orders, { target: `127.0.0.1:${wire.port}`, transport: clientTransport })
      const order = await client.placeOrder({ item: 'book', note })
      assert.equal(order.note.length, note.length)
      assert.equal((await client.upload([{ note }, { note: new Uint8Array(10) }, { note }])).bytes, 400_010n)
      let listed = 0
      for await (const one of client.listOrders({ count: 3, noteBytes: 100_000 })) listed += one.note.length
      assert.equal(listed, 300_000)
      assert.equal(wire.sent < 100_000, sends, `${wire.sent} bytes sent`)
      assert.equal(wire.received < 100_000, answers, `${wire.received} bytes received`)
      wire.close()
    })
  }

  it('with grpc-js at the other end', async () => {
    await using server = await createServer({
      services: [ordersOf('a')],
      transport: grpcServerTransport({ compression }),
    })
    const stranger = peerClient(`127.0.0.1:${server.address.port}`)
    const answer = await new Promise<{ note: Buffer }>((resolve, reject) =>
      stranger.PlaceOrder({ item: 'book', note }, new grpc.Metadata(), {}, (error, value) =>
        error === null ? resolve(value as { note: Buffer }) : reject(error),
      ),
    )
    assert.equal(answer.note.length, note.length)
    stranger.close()
    const peer = await peerServer('peer')
    const transport = grpcClientTransport({ compression })
    await using client = createClient(orders, { target: `127.0.0.1:${peer.port}`, transport })
    assert.equal((await client.placeOrder({ item: 'book', note })).note.length, note.length)
    peer.server.forceShutdown()
  })
})
