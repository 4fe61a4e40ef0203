// The proxy follows the registry of a real `synod node`: instances come, die and come back under load, and the store
// itself goes away for a while. No idempotent request fails.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { startCluster } from '../cluster.ts'
import { assertNoFailure, Load, UpstreamServer } from './failover-ground.ts'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const ttlMs = 2_000

/** Endpoints that the proxy knows. */
async function known(proxy: ProxyProcess): Promise<string[]> {
  const { upstreams } = JSON.parse((await proxy.ask('GET', '/status')).body) as {
    readonly upstreams: readonly { readonly endpoints: readonly { readonly id: string }[] }[]
  }
  return upstreams[0]!.endpoints.map(({ id }) => id).sort()
}

test('instances of the registry come and go under load, and the store too: no idempotent request fails', async (t) => {
  const store = await startCluster({ kind: 'synod', nodes: 1 })
  cleanups.push(() => store.stop())
  const registry = `synod://${store.endpoints}?ttlMs=${ttlMs}`
  const folder = mkdtempSync(join(tmpdir(), 'synod-failover-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  const [first, second, third] = ['a', 'b', 'c'].map((name) => new UpstreamServer(name, { registry })) as [
    UpstreamServer,
    UpstreamServer,
    UpstreamServer,
  ]
  cleanups.push(() => Promise.all([first, second, third].map((server) => server.kill())))
  await Promise.all([first.start(), second.start()])
  const proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
workers: 1
registry: ${registry}
listeners:
  - { name: web, address: '127.0.0.1:0', http2: true, routes: [{ path: /app, to: app }] }
upstreams:
  app: { registry: app, balance: least-connections }
`,
  )
  cleanups.push(() => proxy.kill())
  await until('both are known', async () => (await known(proxy)).length === 2)
  const load = new Load(proxy.port('web'), 'app').addHttp1(4).addHttp2(4)
  cleanups.push(() => void load.stop())
  const answersOf = (name: string): number => load.seen.byServer.get(name) ?? 0
  const servedBy = async (name: string): Promise<void> => {
    const goal = answersOf(name) + 20
    await until(`${name} serves`, () => answersOf(name) >= goal)
    assertNoFailure([load])
  }
  await servedBy('a')
  await servedBy('b')

  await third.start()
  const startMs = performance.now()
  await until('the new one serves', () => answersOf('c') > 0)
  t.diagnostic(`a new instance served ${Math.round(performance.now() - startMs)} ms after it was registered`)

  await first.kill()
  const killedMs = performance.now()
  await until('the dead one is out', async () => !(await known(proxy)).includes('a'))
  const outMs = performance.now() - killedMs
  t.diagnostic(`a dead instance was out after ${Math.round(outMs)} ms (its session lives ${ttlMs} ms)`)
  assertNoFailure([load])

  await first.start()
  await servedBy('a')

  // Without its store the proxy goes on with what it knows, also about who has died meanwhile.
  await store.member(0).crash()
  await servedBy('b')
  await second.kill()
  await servedBy('a')
  await servedBy('c')
  store.member(0).start()
  await store.ready()
  await until('the dead one is out', async () => (await known(proxy)).join() === 'a,c')
  await second.start()
  await servedBy('b')
  await load.stop()
  assertNoFailure([load])
})
