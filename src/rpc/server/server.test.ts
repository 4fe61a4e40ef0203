/** What a server does around its handlers: bounds, interceptors, what calls take over, and a good end. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { trace } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { connect } from '../../client/index.ts'
import {
  type CallContext,
  type ClientInterceptor,
  createClient,
  createServer,
  defineService,
  implement,
  RpcError,
  type ServerInterceptor,
  serverStreaming,
  unary,
} from '../index.ts'
import { drainOf, failureOf } from '../testing/failure-of.ts'
import { until } from '../testing/until.ts'

const any = (value: unknown): unknown => value
const text = (value: unknown): string => String(value)
const echo = defineService('echo', {
  say: unary({ request: text, response: text }),
  many: serverStreaming({ request: text, response: text }),
  look: unary({ request: any, response: any }),
})

describe('a server', () => {
  it('refuses more calls at once than it may have, before their handlers', async () => {
    const waiting: (() => void)[] = []
    const say = (): Promise<string> => new Promise((resolve) => waiting.push(() => resolve('done')))
    const limits = { methodCallsMax: { 'echo/say': 2 }, callsMax: 3 }
    await using server = await createServer({ services: [implement(echo, { say, look: say })], limits })
    await using client = createClient(echo, { target: at(server), retry: { attemptsMax: 1 } })
    const first = [client.say('a'), client.say('b')]
    await until(() => waiting.length === 2, 'two run')
    const error = await failureOf(client.say('c'))
    assert.deepEqual([error.code, error.outcome], ['RESOURCE_EXHAUSTED', 'not-applied'])
    const third = client.look(1)
    await until(() => waiting.length === 3, 'three run')
    assert.equal((await failureOf(client.look(2))).code, 'RESOURCE_EXHAUSTED')
    assert.equal(waiting.length, 3)
    for (const go of waiting) go()
    assert.deepEqual(await Promise.all([...first, third]), ['done', 'done', 'done'])
    assert.equal(server.callsOpen, 0)
    const refused = server.counts().filter(({ code }) => code === 'RESOURCE_EXHAUSTED')
    assert.equal(
      refused.reduce((sum, { count }) => sum + count, 0),
      2,
    )
  })

  it('a client has bounds of its own', async () => {
    await using server = await createServer({ services: [implement(echo, { say: () => pause(20, 'x') })] })
    const limits = { methodCallsMax: { 'echo/say': 1 }, requestBytesMax: 100 }
    await using client = createClient(echo, { target: at(server), limits })
    const first = client.say('a')
    assert.equal((await failureOf(client.say('b'))).code, 'RESOURCE_EXHAUSTED')
    assert.equal(await first, 'x')
    assert.equal(await client.say('c'), 'x')
    const big = await failureOf(client.say('x'.repeat(100)))
    assert.deepEqual([big.code, big.outcome], ['RESOURCE_EXHAUSTED', 'not-applied'])
  })

  it('that listens on every address registers only by one that clients can reach', async () => {
    const synod = await connect('memory:')
    const host = '0.0.0.0'
    const implementation = implement(echo, { say: (word) => word })
    const services = [implementation]
    const error = await failureOf(createServer({ services, address: { host }, register: { synod } }))
    assert.deepEqual([error.code, /register: .*address/.test(error.message)], ['INVALID_ARGUMENT', true])
    await using server = await createServer({
      services,
      address: { host },
      register: { synod, address: '127.0.0.1' },
    })
    await using client = createClient(echo, { target: 'synod:///echo', synod })
    assert.deepEqual([await client.say('a'), server.callsOpen], ['a', 0])
    await server.close()
    await synod.close()
  })

  it('handlers may take the parts out of their context', async () => {
    const implementation = implement(echo, {
      say(word, { remainingMs, sendHeaders, setTrailer, signal }) {
        sendHeaders({ 'x-head': word })
        setTrailer('x-tail', word)
        return `${!signal.aborted && (remainingMs() ?? 0) > 0}`
      },
    })
    await using server = await createServer({ services: [implementation] })
    await using client = createClient(echo, { target: at(server) })
    const told: unknown[] = []
    const answer = await client.say('hi', {
      onHeaders: (metadata) => told.push(metadata.get('x-head')),
      onTrailers: (metadata) => told.push(metadata.get('x-tail')),
    })
    assert.deepEqual([answer, ...told], ['true', 'hi', 'hi'])
  })

  it('interceptors run around calls at both ends, outermost first', async () => {
    const order: string[] = []
    const noting =
      (name: string) =>
      async <Call>(call: Call, next: (call: Call) => Promise<unknown>): Promise<unknown> => {
        order.push(`${name} in`)
        const answer = await next(call)
        order.push(`${name} out`)
        return answer
      }
    const guard: ServerInterceptor = async (call, next) => {
      if (call.context.metadata.get('x-token') !== 'good') throw new RpcError('UNAUTHENTICATED', 'send x-token')
      return next(call)
    }
    const signing: ClientInterceptor = (call, next) =>
      next({ ...call, options: { ...call.options, metadata: { 'x-token': 'good' } } })
    const many = async function* () {
      yield 'a'
      yield 'b'
    }
    const louder: ServerInterceptor = async (call, next) => {
      const answer = await next(call)
      if (call.method.kind !== 'server-streaming') return answer
      return (async function* () {
        for await (const one of answer as AsyncIterable<string>) yield `${one}!`
      })()
    }
    const services = [implement(echo, { say: (said) => said, many })]
    await using server = await createServer({ services, interceptors: [noting('s1'), noting('s2'), guard, louder] })
    await using client = createClient(echo, { target: at(server), interceptors: [noting('c1'), signing] })
    assert.equal(await client.say('hello'), 'hello')
    assert.deepEqual(order, ['c1 in', 's1 in', 's2 in', 's2 out', 's1 out', 'c1 out'])
    assert.deepEqual(await drainOf(client.many('')), ['a!', 'b!'])
    await using unsigned = createClient(echo, { target: at(server) })
    assert.equal((await failureOf(unsigned.say('hello'))).code, 'UNAUTHENTICATED')
    assert.equal((await failureOf(drainOf(unsigned.many('')))).code, 'UNAUTHENTICATED')
  })

  it('a handler’s own calls take over deadline, cancellation and trace', async () => {
    const seen: CallContext[] = []
    const inner = implement(echo, {
      look: (_, context) => {
        seen.push(context)
        return new Promise((_resolve, reject) => context.signal.addEventListener('abort', () => reject(new Error())))
      },
    })
    await using innerServer = await createServer({ services: [inner] })
    await using innerClient = createClient(echo, { target: at(innerServer) })
    const outer = implement(echo, { look: (request, context) => innerClient.look(request, { context }) })
    await using outerServer = await createServer({ services: [outer] })
    await using client = createClient(echo, { target: at(outerServer) })

    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const call = client.look(1, { timeoutMs: 300, metadata: { traceparent, tracestate: 'a=1' } })
    const error = await failureOf(call)
    assert.equal(error.code, 'DEADLINE_EXCEEDED')
    assert.equal(seen.length, 1)
    assert.ok(seen[0]!.remainingMs()! <= 300)
    assert.deepEqual([seen[0]!.traceparent, seen[0]!.tracestate], [traceparent, 'a=1'])
    await until(() => seen[0]!.signal.aborted, 'the inner call ends')

    const controller = new AbortController()
    const second = client.look(2, { signal: controller.signal })
    await until(() => seen.length === 2, 'the inner call runs')
    controller.abort()
    assert.equal((await failureOf(second)).code, 'CANCELLED')
    await until(() => seen[1]!.signal.aborted, 'the inner call is cancelled')
  })

  it('an error of a handler’s own call says nothing about what the handler did', async () => {
    await using inner = await createServer({
      services: [
        implement(echo, {
          say: () => {
            throw new RpcError('NOT_FOUND', 'not here', { metadata: new Map([['x-inner', 'secret']]) })
          },
        }),
      ],
    })
    await using innerClient = createClient(echo, { target: at(inner) })
    await using outer = await createServer({ services: [implement(echo, { say: (said) => innerClient.say(said) })] })
    await using client = createClient(echo, { target: at(outer) })
    assert.equal((await failureOf(innerClient.say('a'))).outcome, 'not-applied')
    const error = await failureOf(client.say('a'))
    assert.deepEqual([error.code, error.outcome, error.metadata.get('x-inner')], ['NOT_FOUND', 'unknown', undefined])
  })

  it('spans of OpenTelemetry at both ends, in one trace', async () => {
    const exporter = new InMemorySpanExporter()
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
    try {
      await using server = await createServer({ services: [implement(echo, { say: (said) => said })] })
      await using client = createClient(echo, { target: at(server) })
      await client.say('a')
      await until(() => exporter.getFinishedSpans().length === 2, 'both spans end')
      const [atServer, atClient] = exporter.getFinishedSpans()
      assert.deepEqual([atServer!.name, atServer!.kind, atClient!.kind], ['echo/say', 1, 2])
      assert.equal(atServer!.spanContext().traceId, atClient!.spanContext().traceId)
      assert.equal(atServer!.parentSpanContext?.spanId, atClient!.spanContext().spanId)
    } finally {
      trace.disable()
    }
  })

  it('registers when it listens, and ends in good order', async () => {
    const plane = await connect('memory:')
    let finish: () => void = () => {}
    const say = (): Promise<string> =>
      new Promise((resolve) => {
        finish = () => resolve('finished')
      })
    const register = { synod: plane, service: 'echoes', metadata: { zone: 'z1' } }
    const server = await createServer({ services: [implement(echo, { say })], register })
    const [instance] = await plane.registry.instances('echoes')
    assert.deepEqual([instance?.port, instance?.metadata], [server.address.port, { protocol: 'grpc', zone: 'z1' }])
    await using client = createClient(echo, { target: at(server) })
    const call = client.say('a')
    await until(() => server.callsOpen === 1, 'the call runs')
    const closed = server.close({ drainMs: 20_000 })
    let isGone = false
    void plane.registry.instances('echoes').then(async function look(instances): Promise<void> {
      isGone = instances.length === 0
      if (!isGone) await plane.registry.instances('echoes').then(look)
    })
    await until(() => isGone, 'it is deregistered while the call runs')
    assert.equal(server.callsOpen, 1)
    finish()
    assert.equal(await call, 'finished')
    await closed
    await plane.close()
  })

  it('a server that cannot register closes', async () => {
    const plane = await connect('memory:')
    await plane.close()
    const services = [implement(echo, {})]
    await assert.rejects(createServer({ services, register: { synod: plane } }), { code: 'CLOSED' })
  })
})

function at(server: { readonly address: { readonly port: number } }): string {
  return `127.0.0.1:${server.address.port}`
}
