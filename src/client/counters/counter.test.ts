import assert from 'node:assert/strict'
import { test } from 'node:test'
import { binaryString } from '../../base/index.ts'
import { roomKey } from '../context.ts'
import type { Driver } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { manyFaults, noFaults } from '../once/testing/faulty-driver.ts'
import { type PlaneClient, type PlaneWorld, planeWorld } from '../once/testing/plane-world.ts'
import { createCounter } from './index.ts'

async function withWorld(options: Parameters<typeof planeWorld>[0], body: (world: PlaneWorld) => Promise<void>) {
  const world = await planeWorld(options)
  try {
    await body(world)
  } finally {
    await world.close()
  }
}

test('a counter counts: increments of one turn are one write, and each gets its own value', async () => {
  await withWorld({ seed: 'counts', clients: 1 }, async (world) => {
    const counter = createCounter(world.clients[0]!.context, 'a/b')
    assert.equal(await world.run(counter.get()), 0)
    const { revision } = await world.run(world.engine.get('x'))
    const values = await world.run(Promise.all(Array.from({ length: 500 }, () => counter.increment())))
    assert.deepEqual(
      values,
      Array.from({ length: 500 }, (_, index) => index + 1),
    )
    const { entry } = await world.run(world.engine.get('synod/counters/a%2Fb'))
    assert.equal(binaryString(entry!.value), '500', 'readable by anyone')
    assert.ok(entry!.modRevision - revision <= 2, 'the session is granted, and one write')
    assert.equal(await world.run(counter.add(-501)), -1)
    await world.run(counter.set(7))
    assert.deepEqual(await world.run(counter.addIf(-7, { min: 0 })), { applied: true, value: 0 })
    assert.deepEqual(await world.run(counter.addIf(-1, { min: 0 })), { applied: false, value: 0 })
    assert.deepEqual(await world.run(counter.addIf(11, { max: 10 })), { applied: false, value: 0 })
    assert.equal(await world.run(counter.get()), 0)
  })
})

test('what is no safe integer is refused, and alone', async () => {
  await withWorld({ seed: 'safe', clients: 1 }, async (world) => {
    const counter = createCounter(world.clients[0]!.context, 'big')
    await world.run(counter.set(Number.MAX_SAFE_INTEGER - 1))
    const outcomes = await world.run(Promise.allSettled([counter.increment(), counter.increment(), counter.add(-1)]))
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.code)),
      [Number.MAX_SAFE_INTEGER, 'TOO_LARGE', Number.MAX_SAFE_INTEGER - 1],
    )
    await assert.rejects(counter.add(0.5), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(counter.addIf(1, { min: 2, max: 1 }), { code: 'INVALID_ARGUMENT' })
    const key = roomKey(world.direct, 'counters', 'big')
    const value = Buffer.from('many')
    await world.run(world.engine.transact({ compares: [], success: [{ type: 'put', key, value }] }))
    await assert.rejects(world.run(counter.get()), { code: 'CORRUPT' })
    await assert.rejects(world.run(counter.increment()), { code: 'CORRUPT' })
  })
})

/** What became of the increments of all clients. */
interface Tally {
  readonly values: number[]
  readonly unknown: SynodError[]
  readonly refused: SynodError[]
}

async function incrementMany(world: PlaneWorld, client: PlaneClient, tally: Tally, calls: number): Promise<void> {
  const counter = createCounter(client.context, 'n')
  const waiting: Promise<void>[] = []
  for (let call = 0; call < calls; call++) {
    const done = counter.increment({ timeoutMs: 120_000 }).then(
      (value) => void tally.values.push(value),
      (error: unknown) => {
        assert.ok(error instanceof SynodError, String(error))
        ;(error.outcome === 'unknown' ? tally.unknown : tally.refused).push(error)
      },
    )
    waiting.push(done)
    if (world.random.below(3) === 0) await done
  }
  await Promise.all(waiting)
}

const seeds = 40

test('exact: requests lost, late, applied without an answer, and refused', async () => {
  for (let seed = 0; seed < seeds; seed++) {
    await withWorld({ seed: `exact-${seed}`, clients: 3, faults: manyFaults, ttlMs: 60_000 }, async (world) => {
      const tally: Tally = { values: [], unknown: [], refused: [] }
      await world.run(Promise.all(world.clients.map((client) => incrementMany(world, client, tally, 30))))
      await world.advance(1_000)
      assert.deepEqual([...tally.unknown, ...tally.refused], [], `seed ${seed}: while the session lives all is settled`)
      assert.deepEqual(
        tally.values.sort((a, b) => a - b),
        Array.from({ length: 90 }, (_, index) => index + 1),
        `seed ${seed}: each increment has its own value`,
      )
      assert.equal(await world.run(createCounter(world.direct, 'n').get()), 90, `seed ${seed}`)
    })
  }
})

test('nobody starves while others count without a rest', async () => {
  await withWorld({ seed: 'starves', clients: 3 }, async (world) => {
    const counts = await world.run(
      Promise.all(
        world.clients.map(async ({ context }) => {
          const { clock, scheduler } = context.driver.outside
          const counter = createCounter(context, 'n')
          const untilMs = clock.monotonicMs() + 10_000
          let count = 0
          for (; clock.monotonicMs() < untilMs; count++) {
            await counter.increment({ timeoutMs: 20_000 })
            await new Promise<void>((resolve) => void scheduler.setTimer(5, () => resolve()))
          }
          return count
        }),
      ),
    )
    const all = counts.reduce((sum, count) => sum + count, 0)
    for (const count of counts) assert.ok(count > all / 6, `each about a third: ${counts}`)
  })
})

test('honest: what is told when sessions are lost on the way', async () => {
  let unknown = 0
  for (let seed = 0; seed < seeds; seed++) {
    await withWorld({ seed: `honest-${seed}`, clients: 3, faults: manyFaults, ttlMs: 1_000 }, async (world) => {
      const tally: Tally = { values: [], unknown: [], refused: [] }
      const outage = async (client: PlaneClient): Promise<void> => {
        await new Promise<void>((resolve) => world.simulation.after(50 + world.random.below(200), resolve))
        client.faults = { lostRequest: 0.3, lateRequest: 0.35, lostAnswer: 0.35, refused: 0 }
        await new Promise<void>((resolve) => world.simulation.after(3_000, resolve))
        client.faults = noFaults
      }
      const work = world.clients.flatMap((client) => [incrementMany(world, client, tally, 30), outage(client)])
      await world.run(Promise.all(work))
      await world.advance(1_000)
      const value = await world.run(createCounter(world.direct, 'n').get())
      assert.equal(new Set(tally.values).size, tally.values.length, `seed ${seed}: no value twice`)
      assert.ok(value >= tally.values.length, `seed ${seed}: what resolved was applied`)
      assert.ok(value <= tally.values.length + tally.unknown.length, `seed ${seed}: what was refused was not applied`)
      for (const error of tally.unknown) assert.equal(error.code, 'SESSION_LOST', `seed ${seed}: ${error.message}`)
      unknown += tally.unknown.length
    })
  }
  assert.ok(unknown > 0, 'the worlds were bad enough')
})

test('a conditional addition never passes its bound', async () => {
  for (let seed = 0; seed < seeds; seed++) {
    await withWorld({ seed: `stock-${seed}`, clients: 3, faults: manyFaults, ttlMs: 60_000 }, async (world) => {
      await world.run(createCounter(world.direct, 'stock').set(20))
      const sold: number[] = []
      const buy = async (client: PlaneClient): Promise<void> => {
        const stock = createCounter(client.context, 'stock')
        for (let call = 0; call < 15; call++) {
          const { applied, value } = await stock.addIf(-1, { min: 0 }, { timeoutMs: 120_000 })
          if (applied) sold.push(value)
          else assert.equal(value, 0)
        }
      }
      await world.run(Promise.all(world.clients.map(buy)))
      assert.deepEqual(
        sold.sort((a, b) => a - b),
        Array.from({ length: 20 }, (_, index) => index),
        `seed ${seed}`,
      )
    })
  }
})

test('a call that is cancelled or late says whether it may have been applied', async () => {
  await withWorld({ seed: 'limits', clients: 1 }, async (world) => {
    const client = world.clients[0]!
    const counter = createCounter(client.context, 'n')
    await world.run(counter.increment())
    const stop = new AbortController()
    const cancelled = counter.increment({ signal: stop.signal })
    stop.abort()
    await assert.rejects(world.run(cancelled), { code: 'CANCELLED', outcome: 'not-applied' })
    assert.equal(await world.run(counter.increment()), 2)
    client.faults = { lostRequest: 0, lateRequest: 0, lostAnswer: 1, refused: 0 }
    await assert.rejects(world.run(counter.increment({ timeoutMs: 80 })), { code: 'TIMEOUT', outcome: 'unknown' })
    client.faults = { lostRequest: 0, lateRequest: 0, lostAnswer: 0, refused: 1 }
    await assert.rejects(world.run(counter.increment({ timeoutMs: 80 })), { code: 'TIMEOUT', outcome: 'not-applied' })
    client.faults = noFaults
    assert.equal(await world.run(counter.increment()), 4, 'the one with the lost answer had been applied, once')
  })
})

test('the marker tells of an operation whose own effect forbids it the second time', async () => {
  for (let seed = 0; seed < seeds; seed++) {
    await withWorld({ seed: `last-${seed}`, clients: 1, ttlMs: 60_000 }, async (world) => {
      const client = world.clients[0]!
      const counter = createCounter(client.context, 'last')
      await world.run(counter.set(1))
      client.faults = { lostRequest: 0.2, lateRequest: 0.2, lostAnswer: 0.5, refused: 0.05 }
      const taken = await world.run(counter.addIf(-1, { min: 0 }, { timeoutMs: 120_000 }))
      assert.deepEqual(taken, { applied: true, value: 0 }, `seed ${seed}`)
    })
  }
})

test('a session that the engine ended is replaced, without asking all the time', async () => {
  await withWorld({ seed: 'ended', clients: 1, ttlMs: 3_000 }, async (world) => {
    const client = world.clients[0]!
    let transactions = 0
    const { transact } = client.driver
    const counting: Driver = {
      ...client.driver,
      transact: (...call) => {
        transactions++
        return transact(...call)
      },
    }
    const counter = createCounter({ ...client.context, driver: counting }, 'n')
    await world.run(counter.increment())
    const { leaseId } = await world.run(client.sessions.shared())
    await world.run(world.engine.revokeLease(leaseId))
    transactions = 0
    assert.equal(await world.run(counter.increment()), 2)
    assert.ok(transactions < 25, `${transactions} transactions`)
  })
})
