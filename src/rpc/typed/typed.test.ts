/** Services in code: types, contracts at both ends, JSON over gRPC. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import {
  bidiStreaming,
  type CallContext,
  clientStreaming,
  createClient,
  createServer,
  defineService,
  implement,
  type Service,
  type ServiceMethods,
  serverStreaming,
  unary,
} from '../index.ts'
import { drainOf, failureOf } from '../testing/failure-of.ts'

const order = z.object({ id: z.string(), items: z.array(z.string()).default([]) })
const isText = (value: unknown): string => {
  if (typeof value !== 'string') throw new TypeError('a text is wanted')
  return value
}

const orders = defineService('orders', {
  place: unary({
    request: z.object({ item: z.string().min(1), count: z.coerce.number().default(1) }),
    response: order,
  }),
  list: serverStreaming({ request: isText, response: order, idempotent: true }),
  add: clientStreaming({ request: z.number(), response: z.number() }),
  echo: bidiStreaming({ request: isText, response: isText }),
  nothing: unary({ request: z.undefined(), response: z.void() }),
})

const functions = {
  place: async ({ item, count }: { item: string; count: number }) => ({ id: `${item} ${count}` }),
  async *list(prefix: string) {
    yield { id: `${prefix}1` }
    yield { id: `${prefix}2`, items: ['x'] }
  },
  async add(numbers: AsyncIterable<number>) {
    let sum = 0
    for await (const one of numbers) sum += one
    return sum
  },
  async *echo(texts: AsyncIterable<string>) {
    for await (const text of texts) yield text.toUpperCase()
  },
  nothing: () => undefined,
}

describe('a service defined in code', () => {
  it('all kinds of methods, with what validators make of messages', async () => {
    await using server = await createServer({ services: [implement(orders, functions)] })
    await using client = createClient(orders, { target: `127.0.0.1:${server.address.port}` })
    const placed = await client.place({ item: 'book', count: '3' })
    // Inferred, not cast: `items` is there because its schema says so.
    const items: string[] = placed.items
    assert.deepEqual([placed.id, items], ['book 3', []])
    assert.equal((await client.place({ item: 'pen' })).id, 'pen 1')
    assert.deepEqual(await drainOf(client.list('o')), [
      { id: 'o1', items: [] },
      { id: 'o2', items: ['x'] },
    ])
    assert.equal(await client.add([1, 2, 3]), 6)
    assert.deepEqual(await drainOf(client.echo(['a', 'b'])), ['A', 'B'])
    assert.equal(await client.nothing(undefined), undefined)
  })

  it('the types refuse what the contract does', async () => {
    const client = createClient(orders, { target: '127.0.0.1:1' })
    const wrong = (): void => {
      // @ts-expect-error `item` is a text
      void client.place({ item: 1 })
      // @ts-expect-error there is no such method
      void client.lose({})
      // @ts-expect-error a stream is wanted
      void client.add(1)
      // @ts-expect-error the answer has no `name`
      void client.place({ item: 'a' }).then(({ name }) => name)
      // @ts-expect-error the handler's answer has no `id`
      implement(orders, { place: async () => ({ items: [] }) })
    }
    assert.equal(typeof wrong, 'function')
    await client[Symbol.asyncDispose]()
  })

  it('a client refuses to send what does not fit', async () => {
    let calls = 0
    const counting = { ...functions, place: async () => ({ id: String(++calls) }) }
    await using server = await createServer({ services: [implement(orders, counting)] })
    await using client = createClient(orders, { target: `127.0.0.1:${server.address.port}` })
    const error = await failureOf(client.place({ item: '' }))
    assert.deepEqual([error.code, error.outcome, calls], ['INVALID_ARGUMENT', 'not-applied', 0])
    assert.match(error.message, /item/)
    const streamed = await failureOf(client.add(['x' as unknown as number]))
    assert.equal(streamed.code, 'INVALID_ARGUMENT')
  })

  it('a server refuses what does not fit, before its handler', async () => {
    let calls = 0
    const counting = { ...functions, place: async () => ({ id: String(++calls) }) }
    await using server = await createServer({ services: [implement(orders, counting)] })
    const lax = defineService('orders', {
      place: unary({ request: (value) => value, response: (value) => value }),
      add: clientStreaming({ request: (value) => value, response: (value) => value }),
      nothing: unary({ request: () => 1n as unknown, response: (value) => value }),
    })
    await using client = createClient(lax, { target: `127.0.0.1:${server.address.port}` })
    const error = await failureOf(client.place({ count: 1 }))
    assert.deepEqual([error.code, error.outcome, calls], ['INVALID_ARGUMENT', 'not-applied', 0])
    assert.match(error.message, /orders\/place.*item/)
    assert.equal((await failureOf(client.add(['x']))).code, 'INVALID_ARGUMENT')
    assert.equal((await failureOf(client.nothing(1n))).code, 'INVALID_ARGUMENT')
  })

  it('an answer that breaks the contract is the fault of its server', async () => {
    const wrong = { ...functions, place: async () => ({ name: 'x' }) as unknown as { id: string } }
    const log: string[] = []
    const logger = { ...silent, error: (message: string) => log.push(message), with: () => logger }
    await using server = await createServer({ services: [implement(orders, wrong)], logger })
    const target = `127.0.0.1:${server.address.port}`
    await using client = createClient(orders, { target })
    const error = await failureOf(client.place({ item: 'a' }))
    assert.deepEqual([error.code, error.outcome], ['INTERNAL', 'unknown'])
    assert.match(error.message, /the answer of orders\/place does not fit its contract.*id/)
    assert.equal(log.length, 1)
  })

  it('a client checks answers too', async () => {
    const lax = defineService('orders', { place: unary({ request: (v) => v, response: (v) => v }) })
    await using server = await createServer({ services: [implement(lax, { place: () => 'no order' })] })
    await using client = createClient(orders, { target: `127.0.0.1:${server.address.port}` })
    const error = await failureOf(client.place({ item: 'a' }))
    assert.deepEqual([error.code, error.outcome], ['INTERNAL', 'unknown'])
  })

  it('compares contracts: a method of another kind, or of another version', async () => {
    const messages = { request: z.string(), response: z.string() }
    const first = defineService('greeter', { greet: unary(messages) }, { version: '1' })
    const streamed = defineService('greeter', { greet: serverStreaming(messages) }, { version: '1' })
    const second = defineService('greeter', { greet: unary(messages) }, { version: '2' })
    let served = 0
    const greet = (you: string): string => {
      served++
      return `hello ${you}`
    }
    await using server = await createServer({ services: [implement(first, { greet })] })
    const target = `127.0.0.1:${server.address.port}`
    await using same = createClient(first, { target })
    assert.equal(await same.greet('you', { metadata: { 'x-a': 'b' } }), 'hello you')
    await using other = createClient(second, { target })
    const error = await failureOf(other.greet('you'))
    assert.deepEqual([error.code, error.outcome, error.retryable], ['FAILED_PRECONDITION', 'not-applied', false])
    assert.match(error.message, /greeter\/greet has version '1' at this server and '2' at the client: deploy both/)
    await using stream = createClient(streamed, { target })
    const kinds = await failureOf(drainOf(stream.greet('you')))
    assert.deepEqual([kinds.code, kinds.outcome], ['FAILED_PRECONDITION', 'not-applied'])
    assert.match(kinds.message, /is unary at this server and server-streaming at the client/)
    assert.equal(served, 1)
    assert.throws(() => defineService('greeter', { greet: unary(messages) }, { version: 'a;b' }), RangeError)
  })

  it('lets schemas differ as long as messages fit, and then says that they do', async () => {
    const make = (request: z.ZodType<object>) =>
      defineService('carts', { add: unary({ request, response: z.number() }) })
    const old = make(z.object({ item: z.string() }))
    const grown = make(z.object({ item: z.string(), gift: z.boolean().optional() }))
    const changed = make(z.object({ item: z.string(), count: z.number() }))
    await using server = await createServer({ services: [implement(changed, { add: () => 1 })] })
    await using tolerant = await createServer({ services: [implement(grown, { add: () => 2 })] })
    await using fits = createClient(old, { target: `127.0.0.1:${tolerant.address.port}` })
    assert.equal(await fits.add({ item: 'book' }), 2)
    await using misfits = createClient(old, { target: `127.0.0.1:${server.address.port}` })
    const error = await failureOf(misfits.add({ item: 'book' }))
    assert.deepEqual([error.code, error.outcome], ['FAILED_PRECONDITION', 'not-applied'])
    assert.match(
      error.message,
      /count: .*the client's schemas are not this server's \(fingerprint [0-9a-f]{16} and not/,
    )
  })

  it('refuses validators that wait', async () => {
    const slow = z.string().refine(async () => true)
    const service = defineService('slow', { call: unary({ request: slow, response: z.string() }) })
    await using client = createClient(service, { target: '127.0.0.1:1' })
    const error = await failureOf(client.call('a'))
    assert.equal(error.code, 'INVALID_ARGUMENT')
  })

  it('does not mix with protobuf', async () => {
    await using server = await createServer({ services: [implement(orders, functions)] })
    const binary = { ...orders, encoding: 'msgpack' } as Service<ServiceMethods>
    await using client = createClient(binary, { target: `127.0.0.1:${server.address.port}` })
    const error = await failureOf(client['place']!({ item: 'a' }) as Promise<unknown>)
    assert.equal(error.code, 'UNIMPLEMENTED')
    assert.match(error.message, /json/)
  })

  it('handlers are given their context, and are members of their object', async () => {
    const counter = {
      count: 0,
      place({ item }: { item: string; count: number }, context: CallContext) {
        this.count++
        return { id: `${item} ${this.count} ${context.service}/${context.method}` }
      },
    }
    await using server = await createServer({ services: [implement(orders, counter)] })
    await using client = createClient(orders, { target: `127.0.0.1:${server.address.port}` })
    assert.equal((await client.place({ item: 'a' })).id, 'a 1 orders/place')
  })
})

const silent = { debug() {}, info() {}, warn() {}, error() {} }
