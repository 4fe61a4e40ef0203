// Failover of the real proxy: five server processes, of which one is killed, one stopped and one slowed to 2 s, under load
// over HTTP/1.1 and HTTP/2. No idempotent request may fail, whatever the balancing policy.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import * as http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { assertNoFailure, type Lane, Load, laneConfig, lanes, serversCount, UpstreamServer } from './failover-ground.ts'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const settings = {
  route: 'retry: { attempts: 3 }, timeouts: { attempt: 400ms }',
  upstream: 'outlier: { failures: 3, interval: 500ms, ejection: 1s }',
}

interface Ground {
  readonly servers: readonly UpstreamServer[]
  readonly proxy: ProxyProcess
  readonly folder: string
}

async function startGround(chosen: readonly Lane[], lane = settings): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-failover-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  const servers = Array.from(
    { length: serversCount },
    (_, at) => new UpstreamServer(`s${at}`, { log: join(folder, `s${at}.log`) }),
  )
  cleanups.push(() => Promise.all(servers.map((server) => server.kill())))
  await Promise.all(servers.map((server) => server.start()))
  const proxy = await startProxy(folder, laneConfig(servers, chosen, lane))
  cleanups.push(() => proxy.kill())
  return { servers, proxy, folder }
}

test('kill -9 one of five servers, stop one, slow one to 2 s: no idempotent request fails, by any policy', async () => {
  const { servers, proxy } = await startGround(lanes)
  const loads = lanes.map(({ name }) => new Load(proxy.port('web'), name).addHttp1(2).addHttp2(2))
  cleanups.push(() => loads.forEach((load) => void load.stop()))
  const [killed, stopped, slowed] = servers as [UpstreamServer, UpstreamServer, UpstreamServer]
  /** As many more requests in every lane. */
  const serve = async (what: string, count: number): Promise<void> => {
    const goals = loads.map(({ seen }) => seen.requests + count)
    await until(what, () => loads.every(({ seen }, at) => seen.requests >= goals[at]!))
    assertNoFailure(loads)
  }
  await until('every lane uses every server', () => loads.every(({ seen }) => seen.byServer.size === serversCount))
  await killed.kill()
  await serve('the load goes on without the killed server', 30)
  await killed.start()
  stopped.signal('SIGSTOP')
  await serve('the load goes on while a server stands still', 30)
  stopped.signal('SIGCONT')
  slowed.slow(2_000)
  await serve('the load goes on while a server takes 2 s', 30)
  slowed.slow(0)
  for (const load of loads) load.seen.byServer.clear()
  // Where time decides, a server is avoided until what was seen of it has faded, over tens of seconds.
  const soon = loads.filter((_, at) => !['least-time', 'p2c'].includes(lanes[at]!.policy))
  await until('all are used again', () => soon.every(({ seen }) => seen.byServer.size === serversCount))
  await Promise.all(loads.map((load) => load.stop()))
  assertNoFailure(loads)
})

test('what is not idempotent is never done twice, whatever becomes of its server', async () => {
  const chosen = lanes.filter(({ policy }) => policy === 'round-robin')
  const { servers, proxy } = await startGround(chosen)
  let isDone = false
  cleanups.push(() => (isDone = true))
  const answered = new Set<string>()
  let count = 0
  let failed = 0
  const post = (path: string, agent: http.Agent): Promise<void> =>
    new Promise((resolve) => {
      const id = `${count++}`
      const over = (isAnswered: boolean): void => {
        if (isAnswered) answered.add(id)
        else failed++
        resolve()
      }
      const init = {
        host: '127.0.0.1',
        port: proxy.port('web'),
        path,
        agent,
        method: 'POST',
        headers: { 'x-request': id },
      }
      const sent = http.request(init, (response) => {
        response.resume()
        response.on('close', () => over(response.complete && response.statusCode === 200))
      })
      sent.on('error', () => over(false))
      sent.end('once')
    })
  const clients = chosen.flatMap(({ name }) =>
    Array.from({ length: 6 }, async () => {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      while (!isDone) await post(`/${name}/x`, agent)
      agent.destroy()
    }),
  )
  for (const [at, server] of servers.slice(0, 3).entries()) {
    const goal = answered.size + 300
    await until(`300 more are answered (${at})`, () => answered.size >= goal)
    if (at === 1) server.signal('SIGSTOP')
    else await server.kill()
    const next = count + 100
    await until('the load goes on', () => count >= next)
    if (at === 1) server.signal('SIGCONT')
    else await server.start()
  }
  isDone = true
  await Promise.all(clients)
  const noted = servers.flatMap(({ log }) => readFileSync(log, 'utf8').split('\n').filter(Boolean))
  assert.equal(new Set(noted).size, noted.length, 'a request was handed to two servers')
  assert.deepEqual(
    [...answered].filter((id) => !noted.includes(id)),
    [],
  )
  assert.equal(answered.size + failed, count)
})
