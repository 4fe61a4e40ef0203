/** Clients of plain grpc-js against our server. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { createServer, implement, type RpcServer } from '../index.ts'
import { type OrdersPeer, ordersDefinition, peerClient } from '../testing/grpc-js-peer.ts'
import { ordersOf } from '../testing/orders-service.ts'
import { until } from '../testing/until.ts'
import { type DefinedService, grpcService } from './index.ts'

describe('a client of grpc-js and our server', () => {
  const seen: string[] = []
  let server: RpcServer
  let client: OrdersPeer
  before(async () => {
    server = await createServer({ services: [ordersOf('a', seen)] })
    client = peerClient(`127.0.0.1:${server.address.port}`)
  })
  after(async () => {
    client.close()
    await server.close({ drainMs: 0 })
  })

  it('unary, with metadata both ways', async () => {
    const metadata = new grpc.Metadata()
    metadata.set('x-echo', 'some text')
    metadata.set('x-echo-bin', Buffer.of(0, 255, 1))
    const { answer, head, trailer } = await place(client, { item: 'book' }, metadata)
    assert.deepEqual([answer['id'], answer['servedBy']], ['book-1', 'a'])
    assert.deepEqual(head?.get('x-head'), ['some text'])
    assert.deepEqual(head?.get('x-head-bin'), [Buffer.of(0, 255, 1)])
    assert.deepEqual(trailer?.get('x-trailer'), ['some text'])
    assert.deepEqual(trailer?.get('x-trailer-bin'), [Buffer.of(0, 255, 1)])
  })

  it('server streaming', async () => {
    const counts: number[] = []
    for await (const { count } of client.ListOrders({ count: 100, noteBytes: 20_000 })) counts.push(count)
    assert.deepEqual(counts, [...Array(100).keys()])
  })

  it('client streaming', async () => {
    const answer = await new Promise<Record<string, unknown>>((resolve, reject) => {
      const call = client.Upload((error, value) => (error === null ? resolve({ ...value }) : reject(error)))
      for (let at = 0; at < 200; at++) call.write({ note: Buffer.alloc(20_000) })
      call.end()
    })
    assert.deepEqual([answer['count'], answer['bytes']], [200, 4_000_000])
  })

  it('both at once', async () => {
    const call = client.Chat()
    call.write({ item: 'a' })
    const items: string[] = []
    for await (const { item } of call) {
      items.push(item)
      if (items.length === 1) call.write({ item: 'b' })
      else call.end()
    }
    assert.deepEqual(items, ['A', 'B'])
  })

  it('gzip requests, and big ones', async () => {
    const own = peerClient(`127.0.0.1:${server.address.port}`, { 'grpc.default_compression_algorithm': 2 })
    const note = Buffer.alloc(3 << 20, 'compressible ')
    const { answer } = await place(own, { item: 'book', note })
    assert.equal(Buffer.compare(answer['note'] as Buffer, note), 0)
    own.close()
  })

  it('an error with its text, metadata and details', async () => {
    const error = await place(client, { item: 'fail' }).then(
      () => assert.fail('it succeeded'),
      (reason: grpc.ServiceError) => reason,
    )
    assert.equal(error.code, grpc.status.FAILED_PRECONDITION)
    assert.equal(error.details, 'no such item: 100 % ✗')
    assert.deepEqual(error.metadata.get('x-why'), ['sold out'])
    assert.ok(error.metadata.get('grpc-status-details-bin')[0] instanceof Buffer)
  })

  it('a deadline, and a cancelled call, end the handler', async () => {
    seen.length = 0
    const late = await place(client, { item: 'wait' }, new grpc.Metadata(), { deadline: Date.now() + 40 }).then(
      () => assert.fail('it succeeded'),
      (reason: grpc.ServiceError) => reason,
    )
    assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED)
    await until(() => seen.length === 2, 'the handler hears of the deadline')
    const failed = new Promise<grpc.ServiceError>((resolve) => {
      const call = client.PlaceOrder({ item: 'wait' }, new grpc.Metadata(), {}, (error) =>
        resolve(error as grpc.ServiceError),
      )
      void until(() => seen.length === 3, 'the handler runs').then(() => call.cancel())
    })
    assert.equal((await failed).code, grpc.status.CANCELLED)
    await until(() => seen.at(-1) === 'aborted: CANCELLED', 'the handler hears of it')
  })

  it('a server made of the definition of proto-loader', async () => {
    const service = grpcService(ordersDefinition as unknown as DefinedService)
    const getOrder = ({ id }: { readonly id: string }) => ({ id, item: 'pen', count: 3 })
    await using loaded = await createServer({ services: [implement(service, { getOrder })] })
    const own = peerClient(`127.0.0.1:${loaded.address.port}`)
    const answer = await new Promise<Record<string, unknown>>((resolve, reject) => {
      own.GetOrder({ id: '7' }, (error, value) => (error === null ? resolve({ ...value }) : reject(error)))
    })
    assert.deepEqual([answer['id'], answer['item']], ['7', 'pen'])
    own.close()
  })

  it('a method without a function', async () => {
    const service = grpcService(ordersDefinition as unknown as DefinedService)
    await using empty = await createServer({ services: [implement(service, {})] })
    const own = peerClient(`127.0.0.1:${empty.address.port}`)
    const error = await place(own, { item: 'book' }).then(
      () => assert.fail('it succeeded'),
      (reason: grpc.ServiceError) => reason,
    )
    assert.equal(error.code, grpc.status.UNIMPLEMENTED)
    own.close()
  })
})

function place(
  client: OrdersPeer,
  request: object,
  metadata = new grpc.Metadata(),
  options: grpc.CallOptions = {},
): Promise<{ answer: Record<string, unknown>; head: grpc.Metadata | undefined; trailer: grpc.Metadata | undefined }> {
  return new Promise((resolve, reject) => {
    let head: grpc.Metadata | undefined
    let answer: Record<string, unknown> | undefined
    const call = client.PlaceOrder(request, metadata, options, (error, value) => {
      if (error !== null) reject(error)
      else answer = { ...value }
    })
    call.on('metadata', (sent) => {
      head = sent
    })
    call.on('status', ({ metadata: trailer }) => {
      // The callback comes before the status.
      if (answer !== undefined) resolve({ answer, head, trailer })
    })
  })
}
