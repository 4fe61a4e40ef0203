// What happens to the workers and sockets of a proxy: more and fewer of them, refused reloads, stuck and dying workers,
// ends in the middle of things, and what two hundred reloads leave behind.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { get } from './one-request.ts'
import { type ProxyProcess, startBackend, startProxy, until } from './proxy-process.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Running {
  readonly proxy: ProxyProcess
  /** Writes the configuration and reloads; what is wrong with it. */
  reload(config: string): Promise<readonly string[]>
}

async function running(config: string): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-proxy-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  const proxy = await startProxy(folder, config)
  cleanups.push(() => proxy.kill())
  return {
    proxy,
    reload: async (next) => {
      writeFileSync(join(folder, 'proxy.yaml'), next)
      return JSON.parse((await proxy.ask('POST', '/reload')).body).problems
    },
  }
}

async function backend(name: string, delayMs = 0) {
  const started = await startBackend(name, delayMs)
  cleanups.push(() => started.close())
  return started
}

/** Listeners by name and port, all to one upstream. */
function configOf(to: number, workers: number, listeners: Readonly<Record<string, number>> = { web: 0 }, more = '') {
  const lines = Object.entries(listeners).map(
    ([name, port]) =>
      `  - { name: ${name}, address: '127.0.0.1:${port}', protocol: http, routes: [{ path: /, to: app }] }`,
  )
  return `
admin: 127.0.0.1:0
workers: ${workers}
${more}
listeners:
${lines.join('\n')}
upstreams:
  app: { endpoints: ['127.0.0.1:${to}'] }
`
}

interface Status {
  readonly configVersion: number
  readonly crashes: number
  readonly workers: readonly { readonly processId: number; readonly state: string; readonly connections: number }[]
  readonly listeners: readonly { readonly name: string; readonly port: number }[]
}

async function statusOf(proxy: ProxyProcess): Promise<Status> {
  return JSON.parse((await proxy.ask('GET', '/status')).body)
}

async function servingOf(proxy: ProxyProcess): Promise<number[]> {
  const { workers } = await statusOf(proxy)
  return workers.filter(({ state }) => state === 'serving').map(({ processId }) => processId)
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as net.AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

/**
 * Requests on kept and on new connections until told to stop; the outcomes other than `200 app /x`. A worker that ends
 * closes its idle connections, as nginx's do, which may meet a request that is on its way on a kept one.
 */
function load(port: number): {
  readonly count: () => number
  readonly bad: readonly string[]
  /** Requests that met a kept connection being closed. */
  readonly closed: () => number
  stop(): Promise<string[]>
} {
  let isDone = false
  let count = 0
  let closed = 0
  const bad: string[] = []
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  cleanups.push(() => {
    isDone = true
  })
  const loops = [agent, agent, agent, agent, false as const].map(async (which) => {
    while (!isDone) {
      const outcome = await get(port, which)
      count++
      if (outcome === '200 app /x') continue
      if (which === false || outcome !== 'ECONNRESET') bad.push(outcome)
      else closed++
    }
  })
  return {
    bad,
    closed: () => closed,
    count: () => count,
    stop: async () => {
      isDone = true
      await Promise.all(loops)
      agent.destroy()
      return bad
    },
  }
}

test('workers become more and fewer, listeners come and go, and no request fails', async () => {
  const { port: to } = await backend('app')
  const { proxy, reload } = await running(configOf(to, 2))
  const busy = load(proxy.port('web'))
  const other = await freePort()
  for (const workers of [4, 1, 3, 2]) {
    assert.deepEqual(await reload(configOf(to, workers, { web: 0, other }, 'drainTimeout: 2s')), [])
    assert.equal((await servingOf(proxy)).length, workers)
    for (let i = 0; i < 10; i++) assert.equal(await get(other, false), '200 app /x')
    const before = busy.count()
    await until('the load goes on', () => busy.count() > before + 100)
    assert.deepEqual(await reload(configOf(to, workers, { web: 0 }, 'drainTimeout: 2s')), [])
    assert.equal(await get(other, false), 'ECONNREFUSED')
  }
  await until('those too many are gone', async () => (await statusOf(proxy)).workers.length === 2)
  assert.deepEqual(await busy.stop(), [])
  // Five workers were told to end, and there are four kept connections.
  assert.ok(busy.closed() <= 4 * 5, `${busy.closed()}`)
  assert.equal((await statusOf(proxy)).crashes, 0)
})

test('one worker becomes three by a reload', async () => {
  const { port: to } = await backend('app')
  const { proxy, reload } = await running(configOf(to, 1))
  const busy = load(proxy.port('web'))
  assert.deepEqual(await reload(configOf(to, 3)), [])
  await until('three serve', async () => (await servingOf(proxy)).length === 3)
  assert.deepEqual(busy.bad, [])
  assert.deepEqual(await reload(configOf(to, 1)), [])
  await until('one serves', async () => (await servingOf(proxy)).length === 1)
  const before = busy.count()
  await until('the load goes on', () => busy.count() > before + 100)
  assert.deepEqual(busy.bad, [])
  // A worker that dies now is replaced: the acceptor holds the socket that was this process's.
  for (const worker of await servingOf(proxy)) process.kill(worker, 'SIGKILL')
  await until(
    'one serves again',
    async () => (await statusOf(proxy)).crashes === 1 && (await servingOf(proxy)).length === 1,
  )
  assert.equal(await get(proxy.port('web'), false), '200 app /x')
  await busy.stop()
})

for (const workers of [1, 3]) {
  test(`${workers} worker(s): a reload with a port that is taken is refused whole, and leaves no port behind`, async () => {
    const { port: to } = await backend('app')
    const { proxy, reload } = await running(configOf(to, workers))
    const [free, taken] = [await freePort(), await freePort()]
    const holder = net.createServer().listen(taken, '127.0.0.1')
    await once(holder, 'listening')
    cleanups.push(() => holder.close())
    const next = configOf(to, workers, { web: 0, free, taken })
    for (let round = 0; round < 2; round++) {
      assert.match((await reload(next)).join(), new RegExp(`${taken}`))
      assert.equal(await get(proxy.port('web'), false), '200 app /x')
      // Nobody holds the port that could be bound.
      const probe = net.createServer().listen(free, '127.0.0.1')
      await once(probe, 'listening')
      probe.close()
      await once(probe, 'close')
      const { configVersion, listeners } = await statusOf(proxy)
      assert.deepEqual([configVersion, listeners.map(({ name }) => name)], [1, ['web']])
    }
    holder.close()
    await once(holder, 'close')
    assert.deepEqual(await reload(next), [])
    for (const port of [free, taken]) assert.equal(await get(port, false), '200 app /x')
  })
}

test('all workers die: a reload waits for the next, and workers that die again and again are started ever later', async () => {
  const { port: to } = await backend('app')
  const { proxy, reload } = await running(configOf(to, 2))
  for (const worker of proxy.workers) process.kill(worker, 'SIGKILL')
  assert.deepEqual(await reload(configOf(to, 2, { web: 0 }, '# again')), [])
  assert.equal(await get(proxy.port('web'), false), '200 app /x')
  for (let round = 0; round < 2; round++) {
    await until('both are back', async () => (await servingOf(proxy)).length === 2)
    for (const worker of await servingOf(proxy)) process.kill(worker, 'SIGKILL')
    // A client that comes meanwhile waits, and is served.
    assert.equal(await get(proxy.port('web'), false), '200 app /x')
  }
  const delays = [...proxy.log().matchAll(/"delayMs":(\d+)/g)].map((match) => Number(match[1]))
  assert.deepEqual(delays.slice(0, 4), [0, 100, 200, 400])
})

test('a worker that is stuck: the status tells the others, a reload replaces it, and the end does not wait for it', async () => {
  const { port: to } = await backend('app')
  const { proxy } = await running(configOf(to, 2, { web: 0 }, 'drainTimeout: 300ms'))
  process.kill(proxy.workers[0]!, 'SIGSTOP')
  const { workers } = await statusOf(proxy)
  assert.deepEqual(workers.map(({ processId }) => processId).sort(), [...proxy.workers].sort())
  proxy.child.kill('SIGTERM')
  assert.equal(await proxy.ended(), 0)
  await until('it is gone', () => proxy.workers.every((worker) => !isAlive(worker)))
})

for (const workers of [1, 2]) {
  test(`${workers} worker(s): clients that hang do not hold up the end beyond the drain time`, async () => {
    const slow = await backend('app', 60_000)
    const { proxy, reload } = await running(configOf(slow.port, workers, { web: 0 }, 'drainTimeout: 500ms'))
    const { port } = { port: proxy.port('web') }
    const sockets = [
      'POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n',
      'GET /x HTTP/1.1\r\nhost: a\r\n\r\n',
      'GET /x HT',
      'PRI * HTTP',
      '',
    ].map((text) => {
      const socket = net.connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(text)
      return socket
    })
    cleanups.push(() => sockets.forEach((socket) => void socket.destroy()))
    await until('the request is under way', () => slow.arrived() >= 1)
    // Also those of a listener that a reload has taken away.
    assert.deepEqual(await reload(configOf(slow.port, workers, { next: 0 }, 'drainTimeout: 500ms')), [])
    proxy.child.kill('SIGTERM')
    assert.equal(await proxy.ended(), 0)
  })
}

test('a request of a listener that a reload took away is finished, also when the end comes meanwhile', async () => {
  const slow = await backend('app', 800)
  const { proxy, reload } = await running(configOf(slow.port, 2))
  const answer = get(proxy.port('web'), false)
  await until('it is under way', () => slow.arrived() === 1)
  assert.deepEqual(await reload(configOf(slow.port, 2, { next: 0 })), [])
  proxy.child.kill('SIGTERM')
  assert.equal(await answer, '200 app /x')
  assert.equal(await proxy.ended(), 0)
})

test('SIGTERM in the middle of reloads ends in order and leaves no process', async () => {
  const { port: to } = await backend('app')
  for (let round = 0; round < 3; round++) {
    const { proxy, reload } = await running(configOf(to, 2))
    const seen = new Set(proxy.workers)
    const reloads = [4, 1, 3].map((workers) => reload(configOf(to, workers)).catch(() => []))
    if (round > 0) await until('it began', async () => (await statusOf(proxy).catch(() => undefined)) !== undefined)
    for (const child of childrenOf(proxy.processId)) seen.add(child)
    proxy.child.kill('SIGTERM')
    assert.equal(await proxy.ended(), 0)
    await Promise.all(reloads)
    await until('all workers are gone', () => [...seen].every((worker) => !isAlive(worker)))
  }
})

function childrenOf(processId: number): number[] {
  const file = `/proc/${processId}/task/${processId}/children`
  return existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number) : []
}

test('two reloads at once are taken one after the other', async () => {
  const { port: to } = await backend('app')
  const { proxy, reload } = await running(configOf(to, 2))
  const other = await freePort()
  const problems = await Promise.all([
    reload(configOf(to, 3, { web: 0, other })),
    reload(configOf(to, 2, { web: 0, other })),
    reload(configOf(to, 2, { web: 0, other })),
  ])
  assert.deepEqual(problems, [[], [], []])
  assert.equal((await servingOf(proxy)).length, 2)
  assert.equal(await get(other, false), '200 app /x')
})

for (const workers of [1, 2]) {
  test(`${workers} worker(s): two hundred reloads leave no descriptor and no timer behind`, {
    skip: existsSync('/proc/self/fd') ? false : 'needs /proc',
  }, async (t) => {
    const { port: to } = await backend('app')
    const config = (round: number): string =>
      configOf(
        to,
        workers,
        round % 2 === 0 ? { web: 0, [`l${round}`]: 0 } : { web: 0 },
        'drainTimeout: 100ms',
      ).replaceAll(/ app\b/g, ` app${round % 3}`)
    const { proxy, reload } = await running(config(0))
    const processes = [proxy.processId, ...proxy.workers]
    const descriptors = (): number[] => processes.map((id) => readdirSync(`/proc/${id}/fd`).length)
    const residentMiB = (): number[] =>
      processes.map((id) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))![1]) / 1024)
    for (let round = 1; round <= 20; round++) assert.deepEqual(await reload(config(round)), [])
    assert.equal(await get(proxy.port('web'), false), '200 app /x')
    const before = descriptors()
    const residentBefore = residentMiB()
    for (let round = 21; round <= 220; round++) assert.deepEqual(await reload(config(round)), [])
    assert.equal(await get(proxy.port('web'), false), '200 app /x')
    t.diagnostic(`descriptors ${before} then ${descriptors()}, MiB ${residentBefore} then ${residentMiB()}`)
    await until('what the last ones opened is closed', () => descriptors().every((count, i) => count <= before[i]! + 2))
    const grown = residentMiB().map((now, i) => now - residentBefore[i]!)
    assert.ok(Math.max(...grown) < 40, `grown by ${grown} MiB`)
  })
}

test('out of descriptors: connections are closed, no worker dies, and it recovers', {
  skip: spawnSync('prlimit', ['--version']).status === 0 ? false : 'prlimit is not installed',
}, async () => {
  const { port: to } = await backend('app')
  const { proxy } = await running(configOf(to, 2))
  for (const id of proxy.workers) {
    const inUse = readdirSync(`/proc/${id}/fd`).length
    execFileSync('prlimit', ['--pid', `${id}`, `--nofile=${inUse + 12}`])
  }
  const sockets = Array.from({ length: 200 }, () => net.connect(proxy.port('web'), '127.0.0.1').on('error', () => {}))
  cleanups.push(() => sockets.forEach((socket) => void socket.destroy()))
  await until('those beyond the limit are closed', () => sockets.filter(({ closed }) => closed).length >= 150)
  // With no descriptor left an endpoint cannot be reached either.
  for (const socket of sockets) socket.destroy()
  await until('it serves again', async () => (await get(proxy.port('web'), false)) === '200 app /x')
  assert.equal((await statusOf(proxy)).crashes, 0)
  const lines = proxy.log().split('\n').length
  assert.ok(lines <= 20, `${lines} lines`)
})
