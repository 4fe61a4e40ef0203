// What several workers of one proxy know in common: the registry, health, rate limits, and whom a client sticks to.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { connect } from '../../src/client/index.ts'
import { leaseBatch } from '../../src/proxy/limits/index.ts'
import { startCluster } from '../cluster.ts'
import { everyWorker } from './every-worker.ts'
import { type ProxyProcess, startBackend, startProxy, until } from './proxy-process.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'synod-proxy-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  return folder
}

async function backend(name: string): Promise<number> {
  const started = await startBackend(name)
  cleanups.push(() => started.close())
  return started.port
}

async function proxyOf(upstream: string, route = '', more = '', workers = 3): Promise<ProxyProcess> {
  const config = `
admin: 127.0.0.1:0
workers: ${workers}
${more}
listeners:
  - { name: web, address: '127.0.0.1:0', protocol: http, routes: [{ path: /, to: app ${route} }] }
upstreams:
  app: ${upstream}
`
  const proxy = await startProxy(newFolder(), config)
  cleanups.push(() => proxy.kill())
  return proxy
}

async function asked(proxy: ProxyProcess) {
  const every = await everyWorker(proxy)
  cleanups.push(() => every.close())
  return every
}

interface Holder {
  readonly ready: Promise<unknown>
  kill(): void
}

/** A process that registers an instance and lives on. */
function registrant(folder: string, url: string, id: string, port: number): Holder {
  const client = pathToFileURL(join(import.meta.dirname, '../../src/client/index.ts')).href
  const script = join(folder, `${id}.mjs`)
  writeFileSync(
    script,
    `import { connect } from ${JSON.stringify(client)}
const plane = await connect(${JSON.stringify(url)}, { sessionTtlMs: 2000 })
await plane.registry.register({ service: 'orders', id: ${JSON.stringify(id)}, address: '127.0.0.1', port: ${port} })
process.send('registered')
process.on('disconnect', () => process.exit())
`,
  )
  const child = fork(script, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  cleanups.push(() => child.kill('SIGKILL'))
  return { ready: once(child, 'message'), kill: () => void child.kill('SIGKILL') }
}

test('instances of a registry: every worker has a new one, and loses a dead one', async (t) => {
  const store = await startCluster({ kind: 'synod', nodes: 1 })
  cleanups.push(() => store.stop())
  const url = `synod://${store.members[0]!.endpoint}`
  const plane = await connect(url)
  assert.ok('registry' in plane)
  cleanups.push(() => plane.close())
  const gauge = async (name: string): Promise<number> => {
    const response = await fetch(`${store.members[0]!.clientUrl}/metrics`)
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(await response.text())![1])
  }
  const [one, two] = [await backend('one'), await backend('two')]
  const first = await plane.registry.register({ service: 'orders', id: 'one', address: '127.0.0.1', port: one })
  const before = {
    watchers: await gauge('etcd_debugging_mvcc_watcher_total'),
    connections: await gauge('synod_grpc_connections_accepted_total'),
  }
  const proxy = await proxyOf('{ registry: orders }', '', `registry: '${url}'`)
  const every = await asked(proxy)
  assert.deepEqual(await every.ask(), ['200 one /x'])
  const watchers = (await gauge('etcd_debugging_mvcc_watcher_total')) - before.watchers
  const connections = (await gauge('synod_grpc_connections_accepted_total')) - before.connections
  t.diagnostic(`three workers cost the store ${connections} connections and ${watchers} watchers`)
  // One of each a worker; the acceptor needs none, as nothing is checked.
  assert.ok(watchers <= 3 && connections <= 3, `${connections} connections, ${watchers} watchers`)

  const folder = newFolder()
  const second = registrant(folder, url, 'two', two)
  await second.ready
  const registered = performance.now()
  await until('every worker has the new one', async () => {
    const outcomes = [await every.ask(), await every.ask()].flat()
    return outcomes.includes('200 two /x')
  })
  t.diagnostic(`a new instance served ${Math.round(performance.now() - registered)} ms after it was registered`)
  await first.close()
  await until('only the new one is left', async () => (await every.ask()).join() === '200 two /x')
  const again = await plane.registry.register({ service: 'orders', id: 'one', address: '127.0.0.1', port: one })
  cleanups.push(() => again.close())
  await until('both are there', async () => [...(await every.ask()), ...(await every.ask())].includes('200 one /x'))
  second.kill()
  // Its backend still answers: only the registry tells.
  await until('the dead one is out', async () => (await every.ask()).join() === '200 one /x')
})

test('a limit for each client holds over the workers, and a burst at one of them passes', async (t) => {
  const [rate, burst, workers] = [50, 40, 3]
  const limit = `, rateLimit: { rate: ${rate}/s, burst: ${burst}, key: 'header:x-client' }`
  const proxy = await proxyOf(`{ endpoints: ['127.0.0.1:${await backend('app')}'] }`, limit, '', workers)
  const every = await asked(proxy)
  // A page with many parts: all in one moment, over one connection.
  const session = http2.connect(`http://127.0.0.1:${proxy.port('web')}`)
  cleanups.push(() => session.close())
  const statuses = await Promise.all(
    Array.from({ length: burst }, async () => {
      const stream = session.request({ ':path': '/part', 'x-client': 'browser' }).resume()
      const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
      return Number(head[':status'])
    }),
  )
  assert.deepEqual([...new Set(statuses)], [200])

  const began = performance.now()
  let passed = 0
  for (let i = 0; i < 12; i++) {
    const outcomes = await every.askEach('/x', { 'x-client': 'flood' })
    passed += outcomes.filter((outcome) => outcome === '200 app /x').length
  }
  const seconds = (performance.now() - began) / 1_000
  const batch = leaseBatch({ requestsPerSecond: rate, burst })
  const most = rate * seconds + burst + workers * (burst + batch)
  t.diagnostic(`${passed} requests passed in ${seconds.toFixed(2)} s; the bound is ${most.toFixed(0)}`)
  assert.ok(passed >= burst && passed <= most, `${passed} passed, of ${most} at most`)
})

/** Five backends; what the endpoints of an upstream would be. */
async function five(): Promise<string> {
  const ports = await Promise.all([1, 2, 3, 4, 5].map((n) => backend(`s${n}`)))
  return `[${ports.map((port) => `'127.0.0.1:${port}'`).join(', ')}]`
}

test('a key goes to the same endpoint whichever worker it comes to, also of a subset, by every policy that hashes', async () => {
  const policies = ['rendezvous', 'ring-hash', 'maglev', 'jump-hash', 'ketama']
  const endpoints = await five()
  const config = `
admin: 127.0.0.1:0
workers: 3
listeners:
  - name: web
    address: 127.0.0.1:0
    protocol: http
    routes: [${policies.map((policy) => `{ path: /${policy}, to: ${policy} }`).join(', ')}]
upstreams:
${policies
  .map((policy) => {
    const balance = `{ policy: ${policy}, key: 'header:x-key', subset: 3 }`
    return `  ${policy}: { endpoints: ${endpoints}, balance: ${balance} }`
  })
  .join('\n')}
`
  const proxy = await startProxy(newFolder(), config)
  cleanups.push(() => proxy.kill())
  const every = await asked(proxy)
  for (const policy of policies) {
    const chosen = new Set<string>()
    for (let i = 0; i < 12; i++) {
      const outcomes = await every.ask(`/${policy}`, { 'x-key': `key ${i}` })
      assert.equal(outcomes.length, 1, outcomes.join())
      chosen.add(outcomes[0]!)
    }
    assert.ok(chosen.size > 1 && chosen.size <= 3, `${policy}: ${[...chosen].join()}`)
  }
})

test('a sticky client stays where it was, whichever worker it comes to', async () => {
  const proxy = await proxyOf(`{ endpoints: ${await five()} }`, ', sticky: at')
  const every = await asked(proxy)
  for (let i = 0; i < 5; i++) {
    const [cookie, first] = await new Promise<[string, string]>((resolve, reject) => {
      http
        .get({ host: '127.0.0.1', port: proxy.port('web'), path: '/x', agent: false }, (response) => {
          const given = response.headers['set-cookie']![0]!.split(';')[0]!
          response.on('data', (bytes: Buffer) => resolve([given, bytes.toString()]))
        })
        .on('error', reject)
    })
    assert.deepEqual(await every.ask('/x', { cookie }), [`200 ${first}`])
  }
})

test('endpoints are checked once for all workers, who all take a sick one out and back', async () => {
  let isSick = false
  let checks = 0
  const server = http.createServer((request, response) => {
    if (request.url === '/health') checks++
    response.statusCode = request.url === '/health' && isSick ? 503 : 200
    response.end('one /x')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const ports = `['127.0.0.1:${(server.address() as AddressInfo).port}', '127.0.0.1:${await backend('two')}']`
  const check = '{ http: /health, interval: 100ms, unhealthyAfter: 2, healthyAfter: 2 }'
  const proxy = await proxyOf(`{ endpoints: ${ports}, check: ${check} }`)
  const every = await asked(proxy)
  await until('both serve', async () => [...(await every.ask()), ...(await every.ask())].includes('200 one /x'))
  isSick = true
  await until('it is out', async () => (await every.ask()).join() === '200 two /x')
  const status = (await proxy.ask('GET', '/status')).body
  assert.match(status, /503/)
  // A worker that starts now must not use it before it was checked again.
  process.kill(proxy.workers[0]!, 'SIGKILL')
  await until('it is replaced', async () => JSON.parse((await proxy.ask('GET', '/status')).body).crashes === 1)
  const fresh = await asked(proxy)
  assert.deepEqual(await fresh.ask(), ['200 two /x'])
  isSick = false
  await until('it is back', async () => [...(await fresh.ask()), ...(await fresh.ask())].includes('200 one /x'))
  // In the time of ten checks by one, three workers would have made thirty.
  const before = checks
  const began = performance.now()
  await until('ten checks', () => checks >= before + 10)
  const expected = (performance.now() - began) / 100
  assert.ok(checks - before <= expected + 2, `${checks - before} checks, ${expected} expected`)
})
