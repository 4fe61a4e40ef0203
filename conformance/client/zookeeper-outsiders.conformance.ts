// What our driver writes, other people's clients read, and the other way round; and what a user may lock away.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import { binaryString, utf8Bytes } from '../../src/base/index.ts'
import type { Driver } from '../../src/client/driver/index.ts'
import { openZooKeeperDriver, type ZooKeeperDriverOptions } from '../../src/client/drivers/zookeeper/index.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'
import { skipWithout } from '../peers.ts'
import { startZooKeeper, type ZooKeeperServers, zookeeperCommand } from './zookeeper-server.ts'

/** The part of node-zookeeper-client that is used; it brings no types. */
interface Outsider {
  connect(): void
  close(): void
  once(event: 'connected', listener: () => void): void
  getData(path: string, done: (error: Error | null, data: Buffer, stat: { version: number }) => void): void
  setData(path: string, data: Buffer, done: (error: Error | null) => void): void
  mkdirp(path: string, done: (error: Error | null) => void): void
  create(path: string, data: Buffer, done: (error: Error | null) => void): void
  getChildren(path: string, done: (error: Error | null, children: string[]) => void): void
}
const { createClient } = createRequire(import.meta.url)('node-zookeeper-client') as {
  createClient(address: string): Outsider
}

const runtime = createNodeRuntime({ logLevel: 'warn' })

function ask<T>(call: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error === null || error === undefined ? resolve(value) : reject(error)))
  })
}

describe('zookeeper:// beside other clients', { skip: skipWithout('zookeeper') }, () => {
  let servers: ZooKeeperServers
  let driver: Driver
  let outsider: Outsider
  let port: number

  const open = (options: Partial<ZooKeeperDriverOptions> = {}) =>
    openZooKeeperDriver({ servers: [{ host: '127.0.0.1', port }], ...options }, runtime)
  const put = (key: string, value: string, by = driver) =>
    by.transact({
      compares: [],
      success: [{ type: 'put', key: binaryString(utf8Bytes(key)), value: utf8Bytes(value) }],
    })

  before(async () => {
    servers = await startZooKeeper()
    port = servers.ports[0]!
    driver = await open()
    outsider = createClient(`127.0.0.1:${port}`)
    await new Promise<void>((resolve) => {
      outsider.once('connected', resolve)
      outsider.connect()
    })
  })
  after(async () => {
    outsider?.close()
    await driver?.close()
    await servers?.stop()
  })

  it('node-zookeeper-client reads what we wrote', async () => {
    await put('config/thème', 'dark')
    await put('config/thème', 'darker')
    const [data, version] = await new Promise<[Buffer, number]>((resolve, reject) => {
      outsider.getData('/synod/config+/thème', (error, bytes, stat) =>
        error ? reject(error) : resolve([bytes, stat.version]),
      )
    })
    assert.deepEqual([data.toString(), version], ['darker', 1])
    assert.deepEqual(await ask<string[]>((done) => outsider.getChildren('/synod/config+', done)), ['thème'])
  })

  it('we read, list and observe what node-zookeeper-client wrote', async () => {
    let changes = 0
    const sink = { onChange: () => changes++, onEnd() {} }
    const subscription = await driver.observe({ start: 'theirs/', end: 'theirs0' }, sink)
    await ask<void>((done) => outsider.mkdirp('/synod/theirs+/deep+', (error) => done(error, undefined)))
    await ask<void>((done) =>
      outsider.create('/synod/theirs+/deep+/a', Buffer.from('1'), (error) => done(error, undefined)),
    )
    await ask<void>((done) =>
      outsider.create('/synod/theirs+/no+key', Buffer.from('1'), (error) => done(error, undefined)),
    )
    await ask<void>((done) =>
      outsider.setData('/synod/theirs+/deep+/a', Buffer.from('2'), (error) => done(error, undefined)),
    )
    const { entries } = await driver.list({ start: 'theirs/', end: 'theirs0' })
    assert.deepEqual(
      entries.map(({ key, value, version }) => [key, Buffer.from(value).toString(), version]),
      [['theirs/deep/a', '2', 2]],
    )
    assert.ok(changes >= 1)
    subscription.cancel()
  })

  it("zkCli, ZooKeeper's own, reads what we wrote", async () => {
    await put('cli/a', 'seen by all')
    const [program, ...args] = zookeeperCommand(
      'org.apache.zookeeper.ZooKeeperMain',
      '-server',
      `127.0.0.1:${port}`,
      'get',
      '/synod/cli+/a',
    )
    const { stdout } = spawnSync(program!, args, { encoding: 'utf8', timeout: 30_000 })
    assert.match(stdout, /^seen by all$/m)
  })

  it('with a user, only that user reads and writes', async () => {
    const auth = { scheme: 'digest', user: 'ann', password: 'secret' } as const
    const hers = await open({ root: '/hers', auth })
    await put('a', '1', hers)
    const { leaseId } = await hers.grantLease(5_000)
    const value = utf8Bytes('x')
    await hers.transact({ compares: [], success: [{ type: 'put', key: 'b', value, leaseId }] })
    assert.equal((await hers.list({ start: '', end: '' })).entries.length, 2)
    await hers.revokeLease(leaseId)
    for (const wrong of [{ auth: { ...auth, password: 'guessed' } }, {}])
      await assert.rejects(open({ root: '/hers', ...wrong }), { code: 'PERMISSION_DENIED' })
    await hers.close()
  })

  it('a key of somebody else is PERMISSION_DENIED, and stays as it is', async () => {
    const hers = await open({ auth: { scheme: 'digest', user: 'ann', password: 'secret' } })
    await put('private', '1', hers)
    await assert.rejects(driver.get('private'), { code: 'PERMISSION_DENIED', outcome: 'not-applied' })
    await assert.rejects(put('private', '2'), { code: 'PERMISSION_DENIED', outcome: 'not-applied' })
    assert.equal((await hers.get('private')).entry?.version, 1)
    await hers.close()
  })
})
