/** Our client against a server of plain grpc-js. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Server } from '@grpc/grpc-js'
import { closeClient, createClient, type Metadata } from '../index.ts'
import { drainOf, failureOf } from '../testing/failure-of.ts'
import { ordersDefinition, peerServer } from '../testing/grpc-js-peer.ts'
import { orders } from '../testing/orders-service.ts'
import { type DefinedService, grpcService } from './index.ts'

describe('our client and a server of grpc-js', () => {
  let server: Server
  let client: ReturnType<typeof open>
  let target: string
  const open = () => createClient(orders, { target })
  before(async () => {
    const peer = await peerServer('grpc-js')
    server = peer.server
    target = `127.0.0.1:${peer.port}`
    client = open()
  })
  after(async () => {
    await closeClient(client)
    server.forceShutdown()
  })

  it('unary', async () => {
    const answer = await client.placeOrder({ item: 'book' })
    assert.deepEqual([answer.id, answer.servedBy], ['book-1', 'grpc-js'])
  })

  it('server streaming', async () => {
    const counts = (await drainOf(client.listOrders({ count: 100, noteBytes: 20_000 }))).map(({ count }) => count)
    assert.deepEqual(counts, [...Array(100).keys()])
  })

  it('client streaming', async () => {
    const requests = Array.from({ length: 200 }, () => ({ note: new Uint8Array(20_000) }))
    const answer = await client.upload(requests)
    assert.deepEqual([answer.count, answer.bytes], [200, 4_000_000n])
  })

  it('both at once', async () => {
    const answers = await drainOf(client.chat([{ item: 'a' }, { item: 'b' }]))
    assert.deepEqual(
      answers.map(({ item }) => item),
      ['A', 'B'],
    )
  })

  it('metadata both ways', async () => {
    const bytes = Uint8Array.of(0, 255, 1, 10)
    const got: Metadata[] = []
    const told = (metadata: Metadata): void => {
      got.push(metadata)
    }
    const metadata = { 'x-echo': 'some text', 'x-echo-bin': bytes }
    await client.placeOrder({ item: 'book' }, { metadata, onHeaders: told, onTrailers: told })
    const [head, trailers] = got
    assert.equal(head?.get('x-head'), 'some text')
    assert.deepEqual(Uint8Array.from(head?.get('x-head-bin') as Uint8Array), bytes)
    assert.equal(trailers?.get('x-trailer'), 'some text')
    assert.deepEqual(Uint8Array.from(trailers?.get('x-trailer-bin') as Uint8Array), bytes)
  })

  it('an error with its text and metadata', async () => {
    const error = await failureOf(client.placeOrder({ item: 'fail' }))
    assert.deepEqual([error.code, error.message], ['FAILED_PRECONDITION', 'no such item: 100 % ✗'])
    assert.equal(error.metadata.get('x-why'), 'sold out')
  })

  it('a deadline, and a signal', async () => {
    assert.equal((await failureOf(client.placeOrder({ item: 'wait' }, { timeoutMs: 30 }))).code, 'DEADLINE_EXCEEDED')
    const signal = AbortSignal.timeout(20)
    assert.equal((await failureOf(client.placeOrder({ item: 'wait' }, { signal }))).code, 'CANCELLED')
  })

  it('a method that is not there', async () => {
    const other = { ...orders, name: 'synod.testing.v1.Others' }
    await using others = createClient(other, { target })
    const error = await failureOf(others.getOrder({ id: '1' }))
    assert.deepEqual([error.code, error.outcome], ['UNIMPLEMENTED', 'not-applied'])
  })

  it('a service made of the definition of proto-loader', async () => {
    const service = grpcService(ordersDefinition as unknown as DefinedService)
    await using loaded = createClient(service, { target })
    const answer = (await loaded['placeOrder']!({ item: 'book' })) as { readonly id: string }
    assert.equal(answer.id, 'book-1')
    const all = await drainOf(loaded['listOrders']!({ count: 3 }) as AsyncIterable<{ readonly count: number }>)
    assert.deepEqual(
      all.map(({ count }) => count),
      [0, 1, 2],
    )
  })
})
