// How long it takes until the proxy knows of an instance that came, and of one that died: with a real `synod node`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startCluster } from '../../conformance/cluster.ts'
import { Load, UpstreamServer } from '../../conformance/proxy/failover-ground.ts'
import { startProxy } from '../../conformance/proxy/proxy-process.ts'

const ttlMs = 2_000
const waitMsMax = 30_000

async function msUntil(test: () => boolean | Promise<boolean>): Promise<number> {
  const startMs = performance.now()
  while (!(await test())) {
    if (performance.now() - startMs > waitMsMax) throw new Error(`nothing happened in ${waitMsMax} ms`)
    await delay(1)
  }
  return performance.now() - startMs
}

/** A line that says so. */
export async function measureRegistry(): Promise<string> {
  const store = await startCluster({ kind: 'synod', nodes: 1 })
  const registry = `synod://${store.endpoints}?ttlMs=${ttlMs}`
  const folder = mkdtempSync(join(tmpdir(), 'synod-bench-balance-'))
  const servers = ['a', 'b', 'c'].map((name) => new UpstreamServer(name, { registry }))
  const [first, second, third] = servers as [UpstreamServer, UpstreamServer, UpstreamServer]
  await Promise.all([first.start(), second.start()])
  const proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
workers: 1
registry: ${registry}
listeners: [{ name: web, address: '127.0.0.1:0', routes: [{ path: /app, to: app }] }]
upstreams: { app: { registry: app } }
`,
  )
  const load = new Load(proxy.port('web'), 'app').addHttp1(4)
  try {
    await msUntil(() => load.seen.byServer.size === 2)
    await third.start()
    const inMs = await msUntil(() => load.seen.byServer.has('c'))
    await first.kill()
    const outMs = await msUntil(async () => !(await proxy.ask('GET', '/status')).body.includes('"id":"a"'))
    const { failed, requests } = await load.stop()
    const outcome = `${failed} of ${requests} requests failed`
    return `registry: a new instance served after ${inMs.toFixed(0)} ms; a dead one was out after ${outMs.toFixed(0)} ms (its session lives ${ttlMs} ms); ${outcome}`
  } finally {
    void load.stop()
    await Promise.all([proxy, ...servers].map((each) => each.kill()))
    await store.stop()
    rmSync(folder, { recursive: true })
  }
}
