/** Our client and our server, over TCP. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { closeClient, createClient, createServer, type Metadata, type RpcServer } from '../index.ts'
import { failureOf } from '../testing/failure-of.ts'
import { orders, ordersOf } from '../testing/orders-service.ts'
import { until } from '../testing/until.ts'

describe('our client and our server', () => {
  const seen: string[] = []
  let server: RpcServer
  let target: string
  let client: ReturnType<typeof open>
  const open = () => createClient(orders, { target })
  before(async () => {
    server = await createServer({ services: [ordersOf('a', seen)] })
    target = `127.0.0.1:${server.address.port}`
    client = open()
  })
  after(async () => {
    await closeClient(client)
    await server.close({ drainMs: 0 })
  })

  it('unary', async () => {
    const answer = await client.placeOrder({ item: 'book', count: 2 })
    assert.equal(answer.id, 'book-1')
    assert.equal(answer.servedBy, 'a')
  })

  it('server streaming', async () => {
    const counts: number[] = []
    for await (const { count } of client.listOrders({ count: 100 })) counts.push(count)
    assert.deepEqual(counts, [...Array(100).keys()])
  })

  it('client streaming', async () => {
    const answer = await client.upload([{ note: new Uint8Array(10) }, { note: new Uint8Array(5) }])
    assert.deepEqual([answer.count, answer.bytes], [2, 15n])
  })

  it('both at once, each side waiting for the other', async () => {
    let told: (item: string) => void = () => {}
    async function* requests() {
      for (let at = 0; at < 20; at++) {
        const answered = new Promise<string>((resolve) => {
          told = resolve
        })
        yield { id: String(at), item: `item ${at}` }
        assert.equal(await answered, `ITEM ${at}`)
      }
    }
    let count = 0
    for await (const { item } of client.chat(requests())) {
      count++
      told(item)
    }
    assert.equal(count, 20)
  })

  it('an empty stream each way', async () => {
    assert.equal((await client.upload([])).count, 0)
    for await (const _ of client.listOrders({ count: 0 })) assert.fail('it has no answers')
  })

  it('metadata both ways, text and bytes', async () => {
    const bytes = Uint8Array.of(0, 255, 1, 10)
    let head: Metadata | undefined
    let trailers: Metadata | undefined
    const options = {
      metadata: { 'X-Echo': 'some text', 'x-echo-bin': bytes },
      onHeaders: (metadata: Metadata) => {
        head = metadata
      },
      onTrailers: (metadata: Metadata) => {
        trailers = metadata
      },
    }
    await client.placeOrder({ item: 'book' }, options)
    assert.equal(head?.get('x-head'), 'some text')
    assert.deepEqual(Uint8Array.from(head?.get('x-head-bin') as Uint8Array), bytes)
    assert.equal(trailers?.get('x-trailer'), 'some text')
    assert.deepEqual(Uint8Array.from(trailers?.get('x-trailer-bin') as Uint8Array), bytes)
  })

  it('an error with its text, metadata and details', async () => {
    const error = await failureOf(client.placeOrder({ item: 'fail' }))
    assert.equal(error.code, 'FAILED_PRECONDITION')
    assert.equal(error.message, 'no such item: 100 % ✗')
    assert.equal(error.outcome, 'not-applied')
    assert.equal(error.metadata.get('x-why'), 'sold out')
    assert.deepEqual(error.details, [{ typeUrl: 'type.googleapis.com/synod.Test', value: Uint8Array.of(1, 2, 3) }])
  })

  it('an error after answers', async () => {
    const answers: number[] = []
    const error = await failureOf(
      (async () => {
        const stream = client.listOrders({ count: 3 }, { metadata: { 'x-then': 'fail' } })
        for await (const { count } of stream) answers.push(count)
      })(),
    )
    assert.deepEqual(answers, [0, 1, 2])
    assert.equal(error.code, 'DATA_LOSS')
  })

  it('keeps to itself what a handler throws by accident', async () => {
    const error = await failureOf(client.placeOrder({ item: 'throw' }))
    assert.equal(error.code, 'UNKNOWN')
    assert.equal(error.outcome, 'unknown')
    assert.ok(!error.message.includes('secret'), error.message)
  })

  it('a deadline ends the call at both ends', async () => {
    seen.length = 0
    const error = await failureOf(client.placeOrder({ item: 'wait' }, { timeoutMs: 40 }))
    assert.equal(error.code, 'DEADLINE_EXCEEDED')
    assert.equal(error.outcome, 'unknown')
    await until(() => seen.length > 1, 'the handler hears of the end')
    assert.match(seen[1]!, /aborted: (DEADLINE_EXCEEDED|CANCELLED)/)
  })

  it('a signal ends the call at both ends', async () => {
    seen.length = 0
    const controller = new AbortController()
    const call = client.placeOrder({ item: 'wait' }, { signal: controller.signal })
    await until(() => seen.length === 1, 'the handler runs')
    controller.abort()
    assert.equal((await failureOf(call)).code, 'CANCELLED')
    await until(() => seen.length === 2, 'the handler hears of the end')
    assert.equal(seen[1], 'aborted: CANCELLED')
  })

  it('a caller that leaves its answers ends the handler', async () => {
    seen.length = 0
    for await (const { count } of client.listOrders({ count: 1_000_000, noteBytes: 1_000 })) if (count === 5) break
    await until(() => seen.length === 1, 'the handler ends')
    assert.equal(seen[0], 'listed and aborted')
    await until(() => server.callsOpen === 0, 'the call is gone')
  })

  it('big messages both ways, and refuses bigger ones', async () => {
    const note = new Uint8Array(3 << 20).fill(7)
    const answer = await client.placeOrder({ item: 'book', note })
    assert.deepEqual(Buffer.compare(answer.note, note), 0)
    const tooBig = await failureOf(client.placeOrder({ item: 'book', note: new Uint8Array(5 << 20) }))
    assert.equal(tooBig.code, 'RESOURCE_EXHAUSTED')
    const tooBigBack = await failureOf(
      (async () => {
        for await (const _ of client.listOrders({ count: 1, noteBytes: 5 << 20 })) assert.fail('it is too big')
      })(),
    )
    assert.equal(tooBigBack.code, 'RESOURCE_EXHAUSTED')
    await until(() => server.callsOpen === 0, 'the handler ends')
  })

  it('a slow reader holds the server back', async () => {
    seen.length = 0
    const stream = client.listOrders({ count: 2_000, noteBytes: 10_000 })[Symbol.asyncIterator]()
    await stream.next()
    // 20 MB do not fit into the windows and queues between: the handler cannot end, however long it has.
    for (let at = 0; at < 200; at++) await client.getOrder({ id: '1' })
    assert.deepEqual(seen, [])
    let count = 1
    while ((await stream.next()).done !== true) count++
    assert.equal(count, 2_000)
    assert.deepEqual(seen, ['listed all'])
  })

  it('a slow server holds its client back', async () => {
    let taken = 0
    async function* requests() {
      for (; taken < 5_000; taken++) yield { item: 'x'.repeat(10_000) }
    }
    // Nobody reads the answers, so the handler stops, and so do the requests.
    const answers = client.chat(requests())[Symbol.asyncIterator]()
    for (let at = 0; at < 200; at++) await client.getOrder({ id: '1' })
    assert.ok(taken > 10 && taken < 1_000, `${taken} of 5,000 requests were taken`)
    let count = 0
    while ((await answers.next()).done !== true) count++
    assert.equal(count, 5_000)
  })

  it('metadata that cannot be sent is refused here', async () => {
    for (const metadata of [{ 'grpc-x': 'a' }, { 'x y': 'a' }, { x: 'é' }, { 'x-bin': 'a' }, { x: 'a\nb' }]) {
      const error = await failureOf(client.placeOrder({ item: 'never' }, { metadata }))
      assert.equal(error.code, 'INVALID_ARGUMENT')
      assert.equal(error.outcome, 'not-applied')
    }
    assert.ok(!seen.includes('never'))
  })

  it('a closed client refuses calls', async () => {
    const own = open()
    await own.getOrder({ id: '1' })
    await closeClient(own)
    assert.equal((await failureOf(own.getOrder({ id: '1' }))).code, 'CANCELLED')
  })
})
