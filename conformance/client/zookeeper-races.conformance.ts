// What may happen between a transaction's reads and its multi, and to connections, on a real ZooKeeper server.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { utf8Bytes } from '../../src/base/index.ts'
import type { ClientRuntime, Driver, Operation } from '../../src/client/driver/index.ts'
import { openZooKeeperDriver } from '../../src/client/drivers/zookeeper/index.ts'
import type { SynodError } from '../../src/client/errors.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'
import { skipWithout } from '../peers.ts'
import { MultiGate } from './zookeeper-gate.ts'
import { Relay } from './zookeeper-relay.ts'
import { askServer, startZooKeeper, type ZooKeeperServers } from './zookeeper-server.ts'

const runtime = createNodeRuntime({ logLevel: 'warn' })

function put(key: string, value: string, leaseId = 0n): Operation {
  return { type: 'put', key, value: utf8Bytes(value), leaseId }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('zookeeper://, races and connections', { skip: skipWithout('zookeeper') }, () => {
  let servers: ZooKeeperServers
  let relay: Relay
  let gate: MultiGate
  /** Behind the gate and the relay. */
  let slow: Driver
  let other: Driver

  const open = (port: number, outside: ClientRuntime) =>
    openZooKeeperDriver({ servers: [{ host: '127.0.0.1', port }], sessionTimeoutMs: 3_000 }, outside)
  const write = (driver: Driver, ...success: Operation[]) => driver.transact({ compares: [], success })
  const currentValue = async (key: string) => {
    const { entry } = await other.get(key)
    return entry === undefined ? undefined : Buffer.from(entry.value).toString()
  }

  before(async () => {
    servers = await startZooKeeper()
    relay = await Relay.to(servers.ports[0]!)
    gate = new MultiGate(runtime)
    slow = await open(relay.port, gate.runtime)
    other = await open(servers.ports[0]!, runtime)
  })
  after(async () => {
    await Promise.all([slow?.close(), other?.close()])
    relay?.close()
    await servers?.stop()
  })

  it('a key made anew with the same version is not taken for the old one', async () => {
    await write(other, put('aba/lock', 'mine'))
    const { createRevision } = (await other.get('aba/lock')).entry!
    gate.beforeMulti = async () => {
      await write(other, { type: 'delete', key: 'aba/lock' })
      await write(other, put('aba/lock', 'of another'))
    }
    const { succeeded } = await slow.transact({
      compares: [{ key: 'aba/lock', target: 'createRevision', is: '=', value: createRevision }],
      success: [{ type: 'delete', key: 'aba/lock' }],
    })
    assert.equal(succeeded, false)
    assert.equal(await currentValue('aba/lock'), 'of another')
  })

  it('a key that comes, or comes and goes and comes, breaks a compare of its absence', async () => {
    for (const [at, steps] of [['put'], ['put', 'delete', 'put']].entries()) {
      const key = `absent/${at}`
      gate.beforeMulti = async () => {
        for (const step of steps) await write(other, step === 'put' ? put(key, 'x') : { type: 'delete', key })
      }
      const { succeeded } = await slow.transact({
        compares: [{ key, target: 'exists', value: false }],
        success: [put(`${key}-claim`, 'y')],
      })
      assert.equal(succeeded, false)
      assert.equal(await currentValue(`${key}-claim`), undefined)
    }
  })

  it('a put that compares nothing replaces the lease also of a key made anew meanwhile', async () => {
    const { leaseId } = await other.grantLease(10_000)
    await write(other, put('relet', '1'))
    gate.beforeMulti = async () => {
      await write(other, put('relet', '2', leaseId))
    }
    await write(slow, put('relet', '3'))
    assert.equal((await other.get('relet')).entry?.leaseId, 0n)
    await other.revokeLease(leaseId)
    assert.equal(await currentValue('relet'), '3')
  })

  it('puts that compare nothing do not turn each other away', async () => {
    await write(other, put('busy', '0'))
    let overtaken = 0
    gate.beforeMulti = async () => {
      overtaken++
      await write(other, put('busy', '1'))
      gate.beforeMulti = async () => {
        overtaken++
      }
    }
    await write(slow, put('busy', '2'))
    gate.beforeMulti = undefined
    assert.equal(overtaken, 1, 'the multi left once')
    assert.equal(await currentValue('busy'), '2')
  })

  it('reads of several keys in one transaction are of one moment', async () => {
    await write(other, put('pair/a', '1'), put('pair/b', '1'))
    gate.beforeMulti = async () => {
      await write(other, put('pair/a', '2'), put('pair/b', '2'))
    }
    const { results } = await slow.transact({
      compares: [],
      success: [
        { type: 'get', key: 'pair/a' },
        { type: 'get', key: 'pair/b' },
      ],
    })
    const values = results.map((result) => result.type === 'get' && Buffer.from(result.entry!.value).toString())
    assert.deepEqual(values, ['2', '2'])
  })

  it('a write whose connection goes is unknown, never made again', async () => {
    await write(other, put('once', '0'))
    gate.beforeMulti = async () => {
      relay.cut()
      setImmediate(() => setImmediate(() => relay.reset()))
    }
    const failure = await write(slow, put('once', '1')).then(
      () => undefined,
      (error: SynodError) => error,
    )
    relay.mend()
    assert.deepEqual([failure?.code, failure?.outcome, failure?.retryable], ['UNAVAILABLE', 'unknown', true])
  })

  it('reads go on over connections that break, and what observed says so', async () => {
    await write(other, put('steady', '1'))
    const ends: string[] = []
    await slow.observe({ start: 'steady', end: undefined }, { onChange() {}, onEnd: (error) => ends.push(error.code) })
    for (let round = 0; round < 5; round++) {
      const reads = Promise.all(Array.from({ length: 50 }, () => slow.get('steady')))
      relay.reset()
      for (const { entry } of await reads) assert.equal(Buffer.from(entry!.value).toString(), '1')
    }
    assert.deepEqual(ends, ['UNAVAILABLE'])
  })

  it('a watch is kept on the server for as long as somebody observes', async () => {
    const watches = async () => Number(/Total watches:(\d+)/.exec(await askServer(servers.ports[0]!, 'wchs'))?.[1])
    const before = await watches()
    let changes = 0
    const sink = { onChange: () => changes++, onEnd() {} }
    const ranges = [
      { start: 'w/', end: 'w0' },
      { start: 'w/', end: 'w0' },
      { start: 'w/a', end: undefined },
    ] as const
    const subscriptions = await Promise.all(ranges.map((range) => slow.observe(range, sink)))
    subscriptions[0]!.cancel()
    await write(other, put('w/a', '1'))
    await until('the two that are left to hear', () => changes === 2)
    assert.ok((await watches()) > before)
    for (const subscription of subscriptions) subscription.cancel()
    await until('the watches to be gone', async () => (await watches()) === before)
  })

  it('a lease outlives its connections, and does not outlive its time', async () => {
    const { leaseId } = await slow.grantLease(1_500)
    await write(slow, put('leased', '1', leaseId))
    for (let round = 0; round < 5; round++) {
      relay.reset()
      const { sentAtMs, ttlMs } = await slow.renewLease(leaseId)
      assert.ok(ttlMs >= 1_500 && sentAtMs <= runtime.clock.monotonicMs())
    }
    assert.equal((await other.get('leased')).entry?.leaseId, leaseId)
    relay.cut()
    await until('the session to end without its client', async () => (await currentValue('leased')) === undefined)
    relay.mend()
    await assert.rejects(slow.renewLease(leaseId), { code: 'LEASE_NOT_FOUND', outcome: 'not-applied' })
    await assert.rejects(write(slow, put('leased', '2', leaseId)), { code: 'LEASE_NOT_FOUND', outcome: 'not-applied' })
  })

  it('a lease that the server would cut short is refused, and says how to have it', async () => {
    await assert.rejects(slow.grantLease(3_600_000), {
      code: 'INVALID_ARGUMENT',
      message: /at most 600000 ms.*maxSessionTimeout/,
    })
  })
})
