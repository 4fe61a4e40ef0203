import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createElectionIn } from '../elections/index.ts'
import { isStill } from '../turns/index.ts'
import { onGround } from '../turns/testing/client-ground.ts'
import type { Fate } from '../turns/testing/faulty-driver.ts'
import { createSchedule, type Schedule, type ScheduledRun } from './index.ts'
import { readTakenSlot, takeSlot } from './slot-claims.ts'

test('each slot is run by one of the processes, at its time', () =>
  onGround(1, async ({ client, until, pass }) => {
    const runs: [number, number, number][] = []
    const { clock } = client().driver.outside
    const schedules = Array.from({ length: 3 }, (_, index) =>
      createSchedule(client().context, 's', { everyMs: 1000, anchorMs: 250 }, ({ scheduledAtMs }) => {
        runs.push([scheduledAtMs, clock.wallMs() - scheduledAtMs, index])
      }),
    )
    await until(() => runs.length === 5)
    assert.equal(schedules.filter(({ isLeader }) => isLeader).length, 1)
    const slots = runs.map(([slotMs]) => slotMs)
    for (const [at, slotMs] of slots.entries()) {
      assert.equal((slotMs - 250) % 1000, 0)
      assert.equal(slotMs, slots[0]! + at * 1000)
    }
    assert.ok(
      runs.every(([, lateMs]) => lateMs >= 0 && lateMs < 50),
      JSON.stringify(runs),
    )
    assert.equal(await schedules[0]!.lastSlotMs(), slots.at(-1))
    await Promise.all(schedules.map((schedule) => schedule.close()))
    await pass(3000)
    assert.equal(runs.length, 5)
  }))

for (const missed of ['once', 'skip'] as const) {
  test(`slots that pass while nobody leads: ${missed}`, () =>
    onGround(2, async ({ client, until, pass }) => {
      const first = await slotsOf((work) => createSchedule(client().context, 's', { everyMs: 1000 }, work), until, 2)
      await pass(3500)
      const second = await slotsOf(
        (work) => createSchedule(client().context, 's', { everyMs: 1000, missed }, work),
        until,
        2,
      )
      const gap = (second[0]! - first[1]!) / 1000
      // About three and a half seconds later: the slot before, or the one after.
      assert.equal(gap, missed === 'once' ? 3 : 4)
      assert.equal(second[1]! - second[0]!, 1000)
    }))
}

test('immediately: a schedule that never ran is due at once, and one that ran is not', () =>
  onGround(3, async ({ client, until }) => {
    const { context, driver } = client()
    const startMs = driver.outside.clock.wallMs()
    const options = { everyMs: 3_600_000, immediately: true }
    const [slotMs] = await slotsOf((work) => createSchedule(context, 's', options, work), until, 1)
    assert.ok(slotMs! <= startMs && startMs - slotMs! < 3_600_000)
    const again: number[] = []
    const schedule = createSchedule(client().context, 's', options, (run) => again.push(run.scheduledAtMs))
    await until(() => schedule.isLeader)
    await schedule.close()
    assert.deepEqual(again, [])
  }))

test('slots that come while the work runs are skipped; work that throws is told of and not repeated', () =>
  onGround(4, async ({ client, until, pass }) => {
    const slots: number[] = []
    const errors: unknown[] = []
    const onError = (error: unknown): void => void errors.push(error)
    const schedule = createSchedule(client().context, 's', { everyMs: 1000, onError }, async ({ scheduledAtMs }) => {
      slots.push(scheduledAtMs)
      await pass(2500)
      throw new Error('the work failed')
    })
    await until(() => slots.length === 3)
    await schedule.close()
    assert.deepEqual([slots[1]! - slots[0]!, slots[2]! - slots[1]!], [3000, 3000])
    assert.deepEqual(
      errors.map((error) => (error as Error).message),
      Array(errors.length).fill('the work failed'),
    )
    assert.ok(errors.length >= 2)
  }))

test('a wall clock that is set back repeats no slot', () =>
  onGround(5, async ({ client, until, pass, simulation }) => {
    const slots: number[] = []
    const schedule = createSchedule(client().context, 's', { everyMs: 1000 }, (run) => slots.push(run.scheduledAtMs))
    await until(() => slots.length === 3)
    simulation.node('machine').setClock({ skewMs: -5000 })
    await pass(4000)
    assert.equal(slots.length, 3)
    await until(() => slots.length === 5)
    await schedule.close()
    assert.deepEqual(
      slots.map((slot) => slot - slots[0]!),
      [0, 1000, 2000, 3000, 4000],
    )
  }))

test('times that are none are refused', () =>
  onGround(6, async ({ client }) => {
    const { context } = client()
    for (const everyMs of [0, 99, 1000.5, Number.NaN])
      assert.throws(() => createSchedule(context, 's', { everyMs }, () => {}), { code: 'INVALID_ARGUMENT' })
    assert.throws(() => createSchedule(context, 's', { everyMs: 1000, anchorMs: Number.NaN }, () => {}), {
      code: 'INVALID_ARGUMENT',
    })
  }))

test('a claim that is still under way when later slots were taken is not applied after them', () =>
  onGround(7, async ({ client, until }) => {
    const { context, driver } = client()
    const slots: number[] = []
    // The candidacy, the slot before the first, and then the claim that goes astray.
    let puts = 0
    driver.fateOf = ({ success }) => (success.some(({ type }) => type === 'put') && ++puts === 3 ? 'late' : 'passes')
    const schedule = createSchedule(context, 's', { everyMs: 100 }, (run) => slots.push(run.scheduledAtMs))
    await until(() => slots.length === 3)
    await schedule.close()
    assert.equal(driver.late.length, 1)
    await Promise.all(driver.late)
    assert.equal(await schedule.lastSlotMs(), slots.at(-1))
  }))

test('who does not lead any more takes no slot', () =>
  onGround(8, async ({ client }) => {
    const { context } = client()
    const leadership = await createElectionIn(context, 'schedules', 's').campaign()
    const { key, createRevision, fencingToken } = leadership
    const before = await readTakenSlot(context, 's', {})
    const claim = { before, holds: isStill(key, createRevision), fencingToken }
    const first = await takeSlot(context, 's', 1000, claim, {})
    assert.equal(first.isOurs, true)
    await leadership.resign()
    const second = await takeSlot(context, 's', 2000, { ...claim, before: first.taken }, {})
    assert.equal(second.isOurs, false)
    assert.equal((await readTakenSlot(context, 's', {})).slotMs, 1000)
  }))

for (let seed = 400; seed < 410; seed++) {
  test(`no slot is begun twice, and tokens rise, over links that fail (seed ${seed})`, () =>
    onGround(seed, async ({ client, simulation, pass }) => {
      const { random } = simulation
      const fates: Fate[] = ['lost-answer', 'lost-request', 'late', 'refused']
      const runs: ScheduledRun[] = []
      const schedules: Schedule[] = []
      const clients = Array.from({ length: 3 }, () => client(1000))
      for (const { context, driver } of clients) {
        driver.fateOf = () => (random.below(4) === 0 ? fates[random.below(4)]! : 'passes')
        const work = async (run: ScheduledRun): Promise<void> => {
          runs.push(run)
          if (random.below(3) === 0) driver.cut()
          await pass(random.below(1500))
        }
        schedules.push(createSchedule(context, 's', { everyMs: 500, onError: () => {} }, work))
      }
      for (let i = 0; i < 40; i++) {
        await pass(500)
        for (const { driver } of clients) if (random.below(3) === 0) driver.heal()
      }
      for (const { driver } of clients) {
        driver.heal()
        driver.fateOf = () => 'passes'
      }
      await Promise.all(schedules.map((schedule) => schedule.close()))
      assert.ok(runs.length > 5, `${runs.length} runs`)
      for (let i = 1; i < runs.length; i++) {
        assert.ok(runs[i]!.scheduledAtMs > runs[i - 1]!.scheduledAtMs)
        assert.ok(runs[i]!.fencingToken >= runs[i - 1]!.fencingToken)
      }
    }))
}

async function slotsOf(
  make: (work: (run: ScheduledRun) => unknown) => Schedule,
  until: (holds: () => boolean) => Promise<void>,
  count: number,
): Promise<number[]> {
  const slots: number[] = []
  const schedule = make(({ scheduledAtMs }) => slots.push(scheduledAtMs))
  await until(() => slots.length === count)
  await schedule.close()
  return slots
}

test('an onError that throws ends nothing', () =>
  onGround(51, async ({ client, until }) => {
    let runs = 0
    const onError = (): void => {
      throw new Error('the listener is broken')
    }
    const schedule = createSchedule(client().context, 's', { everyMs: 500, onError }, () => {
      runs++
      throw new Error('the work is broken')
    })
    await until(() => runs > 3)
    await schedule.close()
  }))
