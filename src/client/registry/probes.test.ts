import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { createSimulation } from '../../runtime/simulation/index.ts'
import { GrpcServer, HealthStatus, healthRoutes } from '../../wire/grpc/index.ts'
import { grpcProbe } from './grpc-probe.ts'
import { probingOf } from './health-check.ts'
import { httpProbe } from './http-probe.ts'
import { type Probe, ProbeLoop } from './probe-loop.ts'
import { tcpProbe } from './tcp-probe.ts'

const runtime = createNodeRuntime({ logLevel: 'error' })

async function listening(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

function ask(probe: Probe): Promise<string | undefined> {
  return probe(new AbortController().signal)
}

test('http: the status of a real server decides', async (t) => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.host}`)
    response.statusCode = Number(request.url!.slice(1, 4))
    response.end('a body that nobody reads'.repeat(10_000))
  })
  const port = await listening(t, server)
  const at = (path: string): Promise<string | undefined> => ask(httpProbe(runtime, `http://127.0.0.1:${port}${path}`))
  for (const status of [200, 204, 302]) assert.equal(await at(`/${status}?deep=1`), undefined)
  for (const status of [400, 404, 500, 503])
    assert.equal(await at(`/${status}`), `it was answered with status ${status}`)
  assert.equal(asked[0], `GET /200?deep=1 127.0.0.1:${port}`)
})

test('http: what answers otherwise, not at all, or is not there, fails', async (t) => {
  const garbage = await listening(
    t,
    createTcpServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.2\r\n')),
  )
  assert.equal(await ask(httpProbe(runtime, `http://127.0.0.1:${garbage}/`)), 'it was not answered in HTTP/1.1')
  const closing = await listening(
    t,
    createTcpServer((socket) => socket.on('error', () => {}).end()),
  )
  assert.match((await ask(httpProbe(runtime, `http://127.0.0.1:${closing}/`)))!, /before an answer came/)
  const gone = createTcpServer()
  const port = await listening(t, gone)
  await new Promise((resolve) => gone.close(resolve))
  assert.match((await ask(httpProbe(runtime, `http://127.0.0.1:${port}/`)))!, /refused/)
  assert.throws(() => httpProbe(runtime, 'https://127.0.0.1/'), { code: 'INVALID_ARGUMENT' })
  assert.throws(() => httpProbe(runtime, 'nonsense'), { code: 'INVALID_ARGUMENT' })
})

test('http: a server that never answers is given up when the probe is', async (t) => {
  const port = await listening(
    t,
    createTcpServer((socket) => socket.on('error', () => {})),
  )
  const abort = new AbortController()
  const answer = httpProbe(runtime, `http://127.0.0.1:${port}/`)(abort.signal)
  abort.abort()
  assert.match((await answer)!, /local/)
})

test('tcp: a connection that is made passes, one that is refused does not', async (t) => {
  const server = createTcpServer((socket) => socket.on('error', () => {}))
  const port = await listening(t, server)
  assert.equal(await ask(tcpProbe(runtime, { host: '127.0.0.1', port })), undefined)
  await new Promise((resolve) => server.close(resolve))
  assert.match((await ask(tcpProbe(runtime, { host: '127.0.0.1', port })))!, /refused/)
})

test('grpc: the health service of a real server decides', async (t) => {
  const statuses = new Map<string, HealthStatus>([
    ['', HealthStatus.serving],
    ['orders', HealthStatus.notServing],
    ['x'.repeat(200), HealthStatus.serving],
  ])
  const routes = [healthRoutes({ status: (service) => statuses.get(service), onChange: () => () => {} })]
  const server = new GrpcServer({ clock: runtime.clock, scheduler: runtime.scheduler, routes })
  const listener = await runtime.network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    connection.setHandler(server.accept(connection))
  })
  t.after(() => listener.close())
  const at = (service: string): Promise<string | undefined> => ask(grpcProbe(runtime, listener.address, service))
  assert.equal(await at(''), undefined)
  assert.equal(await at('x'.repeat(200)), undefined)
  assert.equal(await at('orders'), 'it says that it is not serving')
  assert.match((await at('unheard'))!, /status 5/)
  await listener.close()
  assert.match((await at(''))!, /status 14/)
})

test('the verdict changes after so many answers in a row, and a probe that hangs has failed', async () => {
  const simulation = createSimulation({ seed: 1 })
  const { runtime: outside } = simulation.createNode('machine')
  const answers = 'ppFpFFppFFFp-pp--'.split('')
  const verdicts: string[] = []
  let asked = 0
  let under = 0
  const probe: Probe = (signal) => {
    assert.equal(++under, 1, 'one at a time')
    signal.addEventListener('abort', () => under--)
    const answer = answers[asked++]
    if (answer === '-') return new Promise(() => {})
    return answer === 'p' ? Promise.resolve(undefined) : Promise.reject(new Error('no'))
  }
  const pace = { intervalMs: 1000, timeoutMs: 300, healthyAfter: 2, unhealthyAfter: 2 }
  const loop = new ProbeLoop(outside, probe, pace, (healthy, reason) => {
    verdicts.push(`${asked} ${healthy} ${reason}`)
  })
  await simulation.run({ until: () => asked === answers.length, untilMs: 60_000 })
  await simulation.run({ untilMs: simulation.nowMs + 500 })
  loop.stop()
  await simulation.run({ untilMs: simulation.nowMs + 5000 })
  assert.equal(asked, answers.length)
  assert.deepEqual(verdicts, [
    '2 true ',
    '6 false Error: no',
    '8 true ',
    '10 false Error: no',
    '15 true ',
    '17 false no answer in 300 ms',
  ])
})

test('checks that cannot be made are refused', () => {
  const own = { address: '127.0.0.1' }
  assert.equal(probingOf(runtime, { type: 'ttl' }, own), undefined)
  assert.throws(() => probingOf(runtime, { type: 'tcp' }, own), { code: 'INVALID_ARGUMENT' })
  assert.throws(() => probingOf(runtime, { type: 'tcp', port: 1, intervalMs: 0 }, own), { code: 'INVALID_ARGUMENT' })
  assert.throws(() => probingOf(runtime, { type: 'heartbeat', ttlMs: Number.NaN, check: () => true }, own), {
    code: 'INVALID_ARGUMENT',
  })
})
