// A proxy whose configuration is a key of a real `synod node`: it starts by it, follows it, keeps the last good one, and
// outlives the store.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { connect } from '../../src/client/index.ts'
import { type Cluster, startCluster } from '../cluster.ts'
import { get } from './one-request.ts'
import { type ProxyProcess, startBackend, startProxyWith, until } from './proxy-process.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const key = 'proxies/edge'

interface Stage {
  readonly store: Cluster
  readonly url: string
  /** Puts a configuration under the key. */
  put(text: string): Promise<void>
  remove(): Promise<void>
  start(workers: number): Promise<ProxyProcess>
  backend(name: string): Promise<number>
}

async function stage(): Promise<Stage> {
  const store = await startCluster({ kind: 'synod', nodes: 1 })
  cleanups.push(() => store.stop())
  const url = `synod://${store.members[0]!.endpoint}`
  const plane = await connect(url)
  assert.ok('kv' in plane)
  cleanups.push(() => plane.close())
  const folder = mkdtempSync(join(tmpdir(), 'synod-proxy-store-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  return {
    store,
    url,
    put: async (text) => void (await plane.kv.put(key, text)),
    remove: async () => void (await plane.kv.delete(key)),
    start: async (workers) => {
      const args = ['--config-key', key, '--registry', url, '--workers', `${workers}`]
      const proxy = await startProxyWith(folder, args)
      cleanups.push(() => proxy.kill())
      return proxy
    },
    backend: async (name) => {
      const started = await startBackend(name)
      cleanups.push(() => started.close())
      return started.port
    },
  }
}

function configOf(to: number, port = 0): string {
  return `
admin: 127.0.0.1:0
listeners:
  - { name: web, address: '127.0.0.1:${port}', protocol: http, routes: [{ path: /, to: app }] }
upstreams:
  app: { endpoints: ['127.0.0.1:${to}'] }
`
}

const answers = (proxy: ProxyProcess, text: string) => async (): Promise<boolean> =>
  (await get(proxy.port('web'), false)) === `200 ${text} /x`

async function problemsOf(proxy: ProxyProcess): Promise<string> {
  return JSON.parse((await proxy.ask('GET', '/status')).body).reloadProblems.join()
}

for (const workers of [1, 2]) {
  test(`${workers} worker(s): start, change, wrong and missing configurations, and a store that is gone and back`, async () => {
    const { store, put, remove, start, backend } = await stage()
    const [one, two, three] = [await backend('one'), await backend('two'), await backend('three')]
    await put(configOf(one))
    const proxy = await start(workers)
    assert.ok(await answers(proxy, 'one')())
    await put(configOf(two))
    await until('the change is taken', answers(proxy, 'two'))

    await put(configOf(one).replace('to: app', 'to: nobody'))
    await until('the wrong one is told', async () => (await problemsOf(proxy)).includes('nobody'))
    assert.match(await problemsOf(proxy), /proxies\/edge:\d+:\d+ /)
    assert.ok(await answers(proxy, 'two')())
    // Its files cannot be read, which is found before anything changes.
    const tls = 'protocol: http, tls: { cert: /nowhere/x.pem, key: /nowhere/x.key }'
    await put(configOf(one).replace('protocol: http', tls))
    await until('the missing file is told', async () => (await problemsOf(proxy)).includes('/nowhere/x.pem'))
    assert.ok(await answers(proxy, 'two')())
    await remove()
    await until('the missing key is told', async () => (await problemsOf(proxy)).includes('there is no key'))
    assert.ok(await answers(proxy, 'two')())
    await put(configOf(one))
    await until('the next good one is taken', answers(proxy, 'one'))
    assert.equal(await problemsOf(proxy), '')

    await store.members[0]!.crash()
    assert.ok(await answers(proxy, 'one')())
    // What the admin page reloads is the last that was seen.
    assert.equal((await proxy.ask('POST', '/reload')).status, 200)
    store.members[0]!.start()
    await store.ready()
    await put(configOf(three))
    await until('changes are followed again', answers(proxy, 'three'))
    assert.equal(JSON.parse((await proxy.ask('GET', '/status')).body).crashes, 0)

    proxy.child.kill('SIGTERM')
    assert.equal(await proxy.ended(), 0)
  })
}

test('it does not start by a key that is missing, wrong, or at a store that is not there; each told in one line', async () => {
  const { url, put } = await stage()
  const root = join(import.meta.dirname, '..', '..')
  const failure = async (registry: string): Promise<{ readonly code: number; readonly text: string }> => {
    const args = ['proxy', 'run', '--config-key', key, '--registry', registry]
    const child = spawn(process.execPath, [join(root, 'synod'), ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    let text = ''
    child.stderr.on('data', (bytes: Buffer) => {
      text += bytes.toString()
    })
    const [code] = (await once(child, 'close')) as [number]
    return { code, text }
  }
  const absent = await failure(url)
  assert.match(absent.text, /there is no key "proxies\/edge": put the configuration there\n$/)
  await put('listeners: [')
  const wrong = await failure(url)
  assert.match(wrong.text, /proxies\/edge:\d+:\d+ /)
  const unreachable = await failure('synod://127.0.0.1:1')
  assert.match(unreachable.text, /127\.0\.0\.1:1/)
  assert.deepEqual([absent.code, wrong.code, unreachable.code], [1, 1, 1])
})
