import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Runtime } from '../index.ts'
import { type ContractWorld, deferred } from './world.ts'

/** A real event loop counts whole milliseconds from the start of a turn, so its timers may be this much early. */
const earlyMsMax = 2

/** What every {@link Runtime}'s clock, scheduler and random numbers do. */
export function describeTimeContract(name: string, world: ContractWorld<Runtime>): void {
  const test = (title: string, body: (runtime: Runtime) => Promise<void>): void => {
    it(title, () => world.run(body))
  }
  describe(`${name}: the Clock, Scheduler and Random contract`, () => {
    describeTimers(test)
    describeEndOfTurn(test)
    describeRandom(test)
  })
}

type DefineTest = (title: string, body: (runtime: Runtime) => Promise<void>) => void

function describeTimers(test: DefineTest): void {
  test('timers fire once, in the order of their delays, never within the call', async ({ scheduler, clock }) => {
    const fired: string[] = []
    const done = deferred<void>()
    const startMs = clock.monotonicMs()
    scheduler.setTimer(40, () => {
      fired.push('40')
      done.resolve()
    })
    scheduler.setTimer(10.5, () => fired.push('10.5'))
    scheduler.setTimer(0, () => fired.push('0'))
    assert.deepEqual(fired, [])
    await done.promise
    assert.deepEqual(fired, ['0', '10.5', '40'])
    assert.ok(clock.monotonicMs() - startMs >= 40 - earlyMsMax)
    assert.ok(clock.wallMs() > 1_600_000_000_000)
  })

  test('a cancelled timer never fires; cancelling again does nothing', async ({ scheduler }) => {
    const done = deferred<void>()
    let fired = false
    const timer = scheduler.setTimer(5, () => {
      fired = true
    })
    timer.cancel()
    timer.cancel()
    const last = scheduler.setTimer(20, () => done.resolve())
    await done.promise
    last.cancel()
    assert.equal(fired, false)
  })

  test('a delay of years does not fire at once', async ({ scheduler }) => {
    const done = deferred<void>()
    let fired = false
    const timer = scheduler.setTimer(1e12, () => {
      fired = true
    })
    scheduler.setTimer(20, () => done.resolve())
    await done.promise
    timer.cancel()
    assert.equal(fired, false)
  })
}

function describeEndOfTurn(test: DefineTest): void {
  test('callbacks run in order, not within the call, after promise reactions, before a timer', async ({
    scheduler,
  }) => {
    const order: string[] = []
    const done = deferred<void>()
    scheduler.setTimer(5, () => done.resolve())
    scheduler.endOfTurn(() => order.push('first'))
    scheduler.endOfTurn(() => order.push('second'))
    queueMicrotask(() => order.push('reaction'))
    assert.deepEqual(order, [])
    await done.promise
    assert.deepEqual(order, ['reaction', 'first', 'second'])
  })

  test('a callback may register another, which still runs', async ({ scheduler }) => {
    const done = deferred<number>()
    let runs = 0
    const again = (): void => {
      if (++runs === 100) done.resolve(runs)
      else scheduler.endOfTurn(again)
    }
    scheduler.endOfTurn(again)
    assert.equal(await done.promise, 100)
  })
}

function describeRandom(test: DefineTest): void {
  test('draws stay in their ranges', async ({ random }) => {
    for (let i = 0; i < 1_000; i++) {
      const word = random.uint32()
      assert.ok(Number.isInteger(word) && word >= 0 && word <= 0xffff_ffff)
      assert.ok(random.below(3) < 3)
      assert.equal(random.below(1), 0)
      const fraction = random.float()
      assert.ok(fraction >= 0 && fraction < 1)
    }
    assert.equal(random.bytes(33).length, 33)
    assert.notDeepEqual(random.bytes(16), random.bytes(16))
  })

  test('forks are streams of their own, even by one name', async ({ random }) => {
    const draws = [random.fork('a'), random.fork('a'), random.fork('b')].map((fork) => fork.bytes(16))
    assert.notDeepEqual(draws[0], draws[1])
    assert.notDeepEqual(draws[0], draws[2])
  })
}
