import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import {
  type CommonPlane,
  type CoordinationPlane,
  connect,
  type HistoryPlane,
  type PlaneOf,
  type PlaneOfEngines,
  type RedisPlane,
} from '../index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function holds<_T extends true>(): void {}

suite('connect', () => {
  test('a plane has the type of its engine', () => {
    holds<PlaneOf<'embedded:./data'> extends HistoryPlane ? true : false>()
    holds<Equal<PlaneOf<'memory:'>['engine'], 'embedded'>>()
    holds<Equal<PlaneOf<'etcd://h:1'>['engine'], 'etcd'>>()
    holds<PlaneOf<'zookeeper://h'> extends CoordinationPlane ? true : false>()
    holds<PlaneOf<'zookeeper://h'> extends HistoryPlane ? false : true>()
    holds<Equal<PlaneOf<'redis://h'>, RedisPlane>>()
    holds<'kv' extends keyof PlaneOf<'redis://h'> ? false : true>()
    holds<PlaneOf<string> extends CommonPlane ? true : false>()
    holds<Equal<Exclude<PlaneOf<string>, { engine: 'redis' }> extends CoordinationPlane ? true : false, true>>()
    holds<Equal<PlaneOfEngines<'synod' | 'etcd'>, HistoryPlane>>()
    holds<Equal<PlaneOfEngines<'synod' | 'zookeeper'>, CoordinationPlane>>()
    holds<Equal<PlaneOf<'mongodb://h'>, never>>()
  })

  test('another engine than the program asks for is refused before anything is opened', async () => {
    const url: string = 'memory:'
    const synod = await connect(url, { engine: ['embedded', 'synod'] })
    await synod.kv.put('a', '1')
    await synod.close()
    await assert.rejects(connect('memory:', { engine: 'etcd' }), {
      code: 'INVALID_ARGUMENT',
      message: /asks for etcd, and the connection string names embedded/,
    })
  })

  test('nobody there: an error that names the addresses, within the time-out', async () => {
    await assert.rejects(connect('synod://127.0.0.1:1'), { code: 'UNAVAILABLE', message: /127\.0\.0\.1:1/ })
    await assert.rejects(connect('zookeeper://127.0.0.1:1?timeoutMs=500'), {
      code: 'UNAVAILABLE',
      message: /127\.0\.0\.1:1/,
    })
  })

  test('what is closed says so, and closing again does nothing more', async () => {
    const synod = await connect('memory:')
    await synod.kv.put('a', '1')
    await synod.close()
    await synod.close()
    await assert.rejects(synod.kv.get('a'), { code: 'CLOSED' })
    await assert.rejects(synod.lock('x').acquire(), { code: 'CLOSED' })
  })

  test('a namespace keeps programs apart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'synod-connect-'))
    try {
      const a = await connect(`embedded:${folder}/data`, { engine: 'embedded', namespace: 'a/' })
      await a.kv.put('theme', 'dark')
      await a.counter('visits').add(3)
      await a.close()
      const b = await connect(`embedded:${folder}/data`, { engine: 'embedded', namespace: 'b/' })
      assert.equal(await b.kv.get('theme'), undefined)
      assert.equal(await b.counter('visits').get(), 0)
      await b.close()
      const all = await connect(`embedded:${folder}/data`, { engine: 'embedded' })
      assert.equal((await all.kv.get('a/theme'))?.text(), 'dark')
      await all.close()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('a program that only waits for its embedded engine is kept alive, and ends once it has closed it', () => {
    const face = new URL('../index.ts', import.meta.url).href
    const program = `
      const { connect } = await import(${JSON.stringify(face)})
      const synod = await connect('memory:')
      const held = await synod.lock('x').acquire()
      await synod.lock('x').acquire({ waitMs: 300 }).catch((error) => console.log(error.code))
      await held.release()
      await synod.close()`
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    assert.equal(stdout, 'TIMEOUT\n')
    assert.equal(status, 0)
  })
})
