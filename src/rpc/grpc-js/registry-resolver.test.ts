/** Programs of plain grpc-js that find their servers in the registry. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { connect, type PlaneByEngine } from '../../client/index.ts'
import { createServer, implement, RpcError, type RpcServer } from '../index.ts'
import { type OrdersPeer, peerClient } from '../testing/grpc-js-peer.ts'
import { orders, ordersOf } from '../testing/orders-service.ts'
import { until } from '../testing/until.ts'
import { registerSynodResolver } from './index.ts'

describe('grpc-js with the resolver of the registry', () => {
  let plane: PlaneByEngine['embedded']
  before(async () => {
    plane = await connect('memory:')
    registerSynodResolver(grpc, plane)
    registerSynodResolver(grpc, plane, { scheme: 'synod-weighted', policy: 'weighted-round-robin' })
    registerSynodResolver(grpc, plane, { scheme: 'synod-hashed', policy: 'rendezvous', keyMetadata: 'x-user' })
  })
  after(() => plane.close())

  const serve = (name: string, service: string, metadata: Record<string, string> = {}): Promise<RpcServer> =>
    createServer({ services: [ordersOf(name)], register: { synod: plane, service, metadata } })

  it('follows instances that come and go, without a failed call', async () => {
    const first = await serve('a', 'orders')
    const client = peerClient('synod:///orders')
    assert.equal(await servedBy(client), 'a')
    const second = await serve('b', 'orders')
    const seen = new Set<string>()
    await untilAsync(async () => seen.add(await servedBy(client)).size === 2, 'both serve')
    await first.close()
    for (let at = 0; at < 20; at++) assert.equal(await servedBy(client), 'b')
    const third = await serve('c', 'orders')
    await untilAsync(async () => (await servedBy(client)) === 'c', 'the third serves')
    client.close()
    await Promise.all([second.close(), third.close()])
  })

  it('says so when there is no instance', async () => {
    const client = peerClient('synod:///nobody')
    const error = await servedBy(client).then(
      () => assert.fail('it succeeded'),
      (reason: grpc.ServiceError) => reason,
    )
    assert.equal(error.code, grpc.status.UNAVAILABLE)
    assert.match(error.details, /no healthy instance of 'nobody'/)
    client.close()
  })

  it("keeps to the channel's own retry policy, timeouts and balancing", async () => {
    let failures = 0
    const flaky = implement(orders, {
      getOrder: ({ id }) => {
        if (id === 'twice' && failures++ < 2) throw new RpcError('UNAVAILABLE', 'not now')
        return { id, item: 'book', count: 1 }
      },
      placeOrder: () => new Promise<never>(() => {}),
    })
    const register = { synod: plane, service: 'flaky' }
    const servers = [
      await createServer({ services: [flaky], register }),
      await createServer({ services: [flaky], register }),
    ]
    const backoff = { initialBackoff: '0.01s', maxBackoff: '0.01s', backoffMultiplier: 1 }
    const retryPolicy = { maxAttempts: 3, ...backoff, retryableStatusCodes: ['UNAVAILABLE'] }
    const methodConfig = [
      { name: [{ service: 'synod.testing.v1.Orders', method: 'PlaceOrder' }], timeout: '0.05s' },
      { name: [{}], retryPolicy },
    ]
    for (const loadBalancingConfig of [[], [{ pick_first: {} }]]) {
      failures = 0
      const config = { loadBalancingConfig, methodConfig }
      const client = peerClient('synod:///flaky', { 'grpc.service_config': JSON.stringify(config) })
      const error = await new Promise((resolve) => client.GetOrder({ id: 'twice' }, resolve))
      assert.equal(error, null)
      assert.equal(failures, 3)
      const late = await servedBy(client).then(
        () => assert.fail('it succeeded'),
        (reason: grpc.ServiceError) => reason,
      )
      assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED)
      client.close()
    }
    await Promise.all(servers.map((server) => server.close({ drainMs: 0 })))
  })

  it('honours weights by our policies', async () => {
    const servers = [await serve('a', 'weighed', { weight: '3' }), await serve('b', 'weighed', { weight: '1' })]
    const client = peerClient('synod-weighted:///weighed')
    const seen = new Set<string>()
    await untilAsync(async () => seen.add(await servedBy(client)).size === 2, 'both serve')
    const counts = new Map<string, number>()
    for (let at = 0; at < 40; at++) {
      const name = await servedBy(client)
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    assert.deepEqual([counts.get('a'), counts.get('b')], [30, 10])
    client.close()
    await Promise.all(servers.map((server) => server.close()))
  })

  it('sends equal keys to the same instance', async () => {
    const servers = await Promise.all(['a', 'b', 'c'].map((name) => serve(name, 'hashed')))
    const client = peerClient('synod-hashed:///hashed')
    const seen = new Set<string>()
    await untilAsync(async () => seen.add(await servedBy(client)).size === 3, 'all serve')
    for (let user = 0; user < 10; user++) {
      const metadata = new grpc.Metadata()
      metadata.set('x-user', `user ${user}`)
      const names = new Set<string>()
      for (let at = 0; at < 5; at++) names.add(await servedBy(client, metadata))
      assert.equal(names.size, 1)
    }
    client.close()
    await Promise.all(servers.map((server) => server.close()))
  })
})

function servedBy(client: OrdersPeer, metadata = new grpc.Metadata()): Promise<string> {
  return new Promise((resolve, reject) => {
    client.PlaceOrder({ item: 'book' }, metadata, { deadline: Date.now() + 10_000 }, (error, value) =>
      error === null ? resolve((value as { servedBy: string }).servedBy) : reject(error),
    )
  })
}

async function untilAsync(condition: () => Promise<boolean>, what: string): Promise<void> {
  let isSo = false
  const look = async (): Promise<void> => {
    while (!isSo) isSo = await condition()
  }
  const looking = look()
  await Promise.race([looking, until(() => isSo, what)])
  isSo = true
  await looking
}
