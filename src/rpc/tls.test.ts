/** Clients and servers over TLS, ours and grpc-js's. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { createClient, createServer, RpcError } from './index.ts'
import { selfSigned } from './testing/certificates.ts'
import { failureOf } from './testing/failure-of.ts'
import { ordersDefinition, type peerClient, peerServer } from './testing/grpc-js-peer.ts'
import { orders, ordersOf } from './testing/orders-service.ts'
import { createThriftClient, createThriftServer, implementThrift } from './thrift/index.ts'
import { inventory } from './thrift/testing/inventory.ts'

const local = selfSigned('IP:127.0.0.1,DNS:localhost')
const stranger = selfSigned('DNS:stranger.example')
const { cert, key } = local
const ca = cert
const once = { retry: { attemptsMax: 1 } }

describe('TLS', () => {
  it('between our ends: trusted, not trusted, and not spoken', async () => {
    await using server = await createServer({ services: [ordersOf('a')], tls: { cert, key } })
    const target = `127.0.0.1:${server.address.port}`
    await using client = createClient(orders, { target, tls: { ca } })
    assert.equal((await client.placeOrder({ item: 'book' })).servedBy, 'a')
    await using strict = createClient(orders, { target, tls: {}, ...once })
    const refused = await failureOf(strict.getOrder({ id: '1' }))
    assert.deepEqual([refused.code, refused.outcome], ['UNAVAILABLE', 'not-applied'])
    assert.match(refused.message, /self-signed|certificate/)
    await using plain = createClient(orders, { target, ...once })
    assert.equal((await failureOf(plain.getOrder({ id: '1' }))).code, 'UNAVAILABLE')
    await using lax = createClient(orders, { target, tls: { rejectUnauthorized: false } })
    assert.equal((await lax.getOrder({ id: '1' })).item, 'book')
    await using misled = createClient(orders, { target, tls: { ca, serverName: 'other.example' }, ...once })
    assert.match((await failureOf(misled.getOrder({ id: '1' }))).message, /altnames|other\.example/)
  })

  it('with certificates of clients', async () => {
    await using server = await createServer({ services: [ordersOf('a')], tls: { cert, key, ca } })
    const target = `127.0.0.1:${server.address.port}`
    await using known = createClient(orders, { target, tls: { ca, cert, key } })
    assert.equal((await known.getOrder({ id: '1' })).item, 'book')
    for (const tls of [{ ca }, { ca, ...stranger }]) {
      await using unknown = createClient(orders, { target, tls, ...once, timeoutMs: 5_000 })
      assert.equal((await failureOf(unknown.getOrder({ id: '1' }))).code, 'UNAVAILABLE')
    }
    assert.equal(server.callsOpen, 0)
  })

  it('our server and grpc-js’s client', async () => {
    await using server = await createServer({ services: [ordersOf('a')], tls: { cert, key, ca } })
    const Orders = grpc.makeClientConstructor(ordersDefinition, 'Orders')
    const credentials = grpc.credentials.createSsl(ca, key, cert)
    const client = new Orders(`127.0.0.1:${server.address.port}`, credentials) as unknown as ReturnType<
      typeof peerClient
    >
    const order = await new Promise((resolve, reject) =>
      client.GetOrder({ id: '7' }, (error, value) => (error === null ? resolve(value) : reject(error))),
    )
    assert.equal((order as { id: string }).id, '7')
    client.close()
  })

  it('our client and grpc-js’s server', async () => {
    const credentials = grpc.ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true)
    const { server, port } = await peerServer('peer', credentials)
    await using client = createClient(orders, { target: `localhost:${port}`, tls: { ca, cert, key } })
    assert.equal((await client.placeOrder({ item: 'book' })).servedBy, 'peer')
    await using bare = createClient(orders, { target: `localhost:${port}`, tls: { ca }, ...once })
    assert.equal((await failureOf(bare.getOrder({ id: '1' }))).code, 'UNAVAILABLE')
    server.forceShutdown()
  })

  it('Thrift, and active checks of another protocol', async () => {
    await using server = await createThriftServer({
      services: [implementThrift(inventory, { reserve: () => 3 })],
      tls: { cert, key },
    })
    const activeCheck = {
      check: { type: 'tcp' },
      intervalMs: 50,
      timeoutMs: 5_000,
      healthyAfter: 1,
      unhealthyAfter: 1,
    } as const
    const target = `127.0.0.1:${server.address.port}`
    await using client = createThriftClient(inventory, { target, tls: { ca }, upstream: { activeCheck } })
    assert.equal(await client.reserve(['apple', 1]), 3)
  })

  it('what cannot be used is refused at once', async () => {
    const services = [ordersOf('a')]
    const wrong = { code: 'INVALID_ARGUMENT' }
    await assert.rejects(createServer({ services, tls: { cert, key: stranger.key } }), wrong)
    await assert.rejects(createServer({ services, tls: { cert: 'nonsense', key } }), wrong)
    const tls = { ca, cert: 'nonsense', key }
    assert.throws(
      () => createClient(orders, { target: '127.0.0.1:1', tls }),
      (error) => error instanceof RpcError && error.code === 'INVALID_ARGUMENT' && /PEM/.test(error.message),
    )
  })
})
