import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import type { Driver } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { clientWorld } from './index.ts'

function put(driver: Driver, key: string, value: string, leaseId = 0n) {
  return driver.transact({ compares: [], success: [{ type: 'put', key, value: utf8Bytes(value), leaseId }] })
}

async function read(driver: Driver, key: string): Promise<string | undefined> {
  const { entry } = await driver.get(key)
  return entry === undefined ? undefined : Buffer.from(entry.value).toString()
}

describe('a world of clients', () => {
  it('has clients that see each other’s writes', async () => {
    const world = await clientWorld({ seed: 1, clients: 3 })
    for (const [i, { driver }] of world.clients.entries()) {
      await world.run(put(driver, 'a', String(i)))
      for (const other of world.clients) assert.equal(await world.run(read(other.driver, 'a')), String(i))
    }
  })

  it('lets a client be cut off: its lease ends, others go on, and it hears once it is back', async () => {
    const world = await clientWorld({ seed: 2, clients: 2, nodes: 3 })
    const [lone, other] = [world.client(0).driver, world.client(1).driver]
    const { leaseId } = await world.run(lone.grantLease(2000))
    await world.run(put(lone, 'mine', '1', leaseId))
    world.cut(0)
    const failure = lone.renewLease(leaseId).catch((error: unknown) => error)
    await world.advance(6000)
    assert.ok((await world.run(failure)) instanceof SynodError)
    assert.equal(await world.run(read(other, 'mine')), undefined)
    world.mend(0)
    await world.run(put(other, 'theirs', '1'))
    let found: string | undefined
    const poll = async (): Promise<void> => {
      found = await read(lone, 'theirs').catch(() => undefined)
      if (found === undefined) await poll()
    }
    await world.run(poll())
    assert.equal(found, '1')
  })

  it('lets a client stand still, and its clock run apart from the others’', async () => {
    const world = await clientWorld({ seed: 3, clients: 2 })
    const [slow, right] = world.clients
    world.drift(0, -100_000)
    const before = [slow!.outside.clock.monotonicMs(), right!.outside.clock.monotonicMs()] as const
    await world.advance(10_000)
    assert.ok(Math.abs(slow!.outside.clock.monotonicMs() - before[0] - 9000) < 1)
    assert.ok(Math.abs(right!.outside.clock.monotonicMs() - before[1] - 10_000) < 1)
    world.pause(0)
    let answered = false
    void put(slow!.driver, 'a', '1').then(() => {
      answered = true
    })
    await world.advance(1000)
    assert.equal(answered, false)
    world.resume(0)
    await world.runUntil(() => answered, 'the answer')
  })

  it('serves on while a node is down, and lets a client start anew', async () => {
    const world = await clientWorld({ seed: 4, nodes: 3 })
    await world.run(put(world.client(0).driver, 'a', '1'))
    const leader = world.leader()!
    world.crashNode(leader)
    await world.runUntil(() => world.leader() !== undefined, 'another leader')
    assert.equal(await world.run(read(world.client(0).driver, 'a')), '1')
    await world.startNode(leader)
    world.crash(0)
    const { driver } = await world.restart(0)
    assert.equal(await world.run(read(driver, 'a')), '1')
  })

  it('runs alike for one seed, and not for another', async () => {
    const runOf = async (seed: number): Promise<string> => {
      const world = await clientWorld({ seed, clients: 2, nodes: 3 })
      await world.run(Promise.all(world.clients.map(({ driver, name }) => put(driver, name, '1'))))
      await world.advance(2000)
      return world.simulation.fingerprint()
    }
    assert.equal(await runOf(5), await runOf(5))
    assert.notEqual(await runOf(5), await runOf(6))
  })
})
