import assert from 'node:assert/strict'
import { SynodError } from '../errors.ts'
import { type DefineTest, failsWith, type Ground, put, RecordingSink, textOf } from './ground.ts'
import { CountingSink } from './observing.ts'

export function describeCalls(test: DefineTest): void {
  describeLimits(test)
  describeClosing(test)
  describeFailures(test)
}

function writeOf(ground: Ground, name: string) {
  return { compares: [], success: [put(ground.key(name), name)] }
}

function describeLimits(test: DefineTest): void {
  test('a signal that fired before the call: CANCELLED, and nothing happens', async (ground) => {
    const signal = AbortSignal.abort(new Error('no longer wanted'))
    const { driver } = ground
    await assert.rejects(driver.transact(writeOf(ground, 'a'), { signal }), failsWith('CANCELLED', 'not-applied'))
    await assert.rejects(driver.get(ground.key('a'), { signal }), failsWith('CANCELLED', 'not-applied'))
    await assert.rejects(driver.list(ground.all, { signal }), failsWith('CANCELLED', 'not-applied'))
    await assert.rejects(driver.grantLease(60_000, { signal }), failsWith('CANCELLED', 'not-applied'))
    await assert.rejects(
      driver.observe(ground.all, new CountingSink(), { signal }),
      failsWith('CANCELLED', 'not-applied'),
    )
    assert.deepEqual(await ground.names(), [])
  })

  test('a deadline that passed before the call: TIMEOUT, and nothing happens', async (ground) => {
    const deadlineMs = ground.nowMs - 1
    const { driver } = ground
    await assert.rejects(driver.transact(writeOf(ground, 'a'), { deadlineMs }), failsWith('TIMEOUT', 'not-applied'))
    await assert.rejects(driver.get(ground.key('a'), { deadlineMs }), failsWith('TIMEOUT', 'not-applied'))
    assert.deepEqual(await ground.names(), [])
  })

  test('a signal that fires meanwhile ends the call, and its outcome is honest', async (ground) => {
    const { driver } = ground
    const controller = new AbortController()
    const { signal } = controller
    const calls = [
      driver.get(ground.key('a'), { signal }),
      driver.list(ground.all, { signal }),
      driver.transact(writeOf(ground, 'a'), { signal }),
    ]
    controller.abort(new Error('no longer wanted'))
    const [read, list, write] = await Promise.allSettled(calls)
    for (const each of [read, list])
      if (each!.status === 'rejected') failsWith('CANCELLED', 'not-applied')(each!.reason)
    if (write!.status === 'rejected') failsWith('CANCELLED')(write!.reason)
    // A later write has everything before it that will ever be.
    await ground.put('later')
    const applied = await ground.exists('a')
    if (write!.status === 'fulfilled') assert.equal(applied, true)
    else if ((write!.reason as SynodError).outcome === 'not-applied') assert.equal(applied, false)
  })

  test('what is too large is refused, and leaves the driver as it was', async (ground) => {
    const value = new Uint8Array(24 * 1024 * 1024)
    await assert.rejects(ground.write(put(ground.key('a'), value)), failsWith('TOO_LARGE', 'not-applied'))
    await ground.put('b')
    assert.deepEqual(await ground.names(), ['b'])
  })
}

function describeClosing(test: DefineTest): void {
  test(
    'close ends what is under way, what listens, and what comes later',
    async (ground) => {
      const { driver } = ground
      const { revision } = await ground.put('before')
      const [watching, observing] = [new RecordingSink(), new CountingSink()]
      driver.watch?.(ground.all, revision + 1, watching)
      await driver.observe(ground.all, observing)
      const underWay = Promise.allSettled([driver.get(ground.key('a')), driver.transact(writeOf(ground, 'a'))])
      const closing = driver.close()
      const [read, write] = await underWay
      if (read!.status === 'rejected') failsWith('CLOSED', 'not-applied')(read!.reason)
      if (write!.status === 'rejected') failsWith('CLOSED')(write!.reason)
      await closing
      await ground.until('the ends', () => observing.ends.length > 0 && (driver.watch === undefined || watching.ended))
      assert.deepEqual(observing.ends, ['CLOSED'])
      if (driver.watch !== undefined) assert.equal(watching.error?.code, 'CLOSED')
      for (const late of [
        () => driver.get(ground.key('a')),
        () => driver.list(ground.all),
        () => driver.transact(writeOf(ground, 'a')),
        () => driver.grantLease(60_000),
        () => driver.renewLease(1n),
        () => driver.observe(ground.all, new CountingSink()),
      ])
        await assert.rejects(late(), failsWith('CLOSED', 'not-applied'))
      await driver.close()
    },
    { fresh: true },
  )

  test(
    'what was acknowledged is there when the engine is started again',
    async (ground) => {
      const lease = await ground.driver.grantLease(60_000)
      await ground.put('a', '1')
      await ground.put('a', '2')
      await ground.put('leased', '1', lease.leaseId)
      const before = await ground.entry('a')
      const driver = await ground.subject.reopen!()
      try {
        const { entry, revision } = await driver.get(ground.key('a'))
        assert.deepEqual(entry, before)
        const again = await driver.transact(writeOf(ground, 'b'))
        assert.ok(again.revision > before.modRevision && again.revision > revision)
        assert.equal(textOf((await driver.get(ground.key('leased'))).entry), '1')
        await driver.renewLease(lease.leaseId)
        await driver.revokeLease(lease.leaseId)
        assert.equal((await driver.get(ground.key('leased'))).entry, undefined)
      } finally {
        await driver.close()
      }
    },
    {
      fresh: true,
      unless: ({ reopen }) => (reopen ? undefined : 'this engine keeps nothing, or is not ours to restart'),
    },
  )
}

function describeFailures(test: DefineTest): void {
  test(
    'cut off from the engine, calls end by their deadline, and say what may have happened',
    async (ground) => {
      const { driver } = ground
      await ground.put('before')
      const mend = await ground.subject.cut!()
      const deadlineMs = ground.nowMs + 1000
      const [read, write, lease] = await Promise.allSettled([
        driver.get(ground.key('a'), { deadlineMs }),
        driver.transact(writeOf(ground, 'a'), { deadlineMs }),
        driver.grantLease(60_000, { deadlineMs }),
      ])
      await mend()
      for (const each of [read!, write!, lease!]) {
        assert.equal(each.status, 'rejected')
        const { reason } = each as PromiseRejectedResult
        assert.ok(reason instanceof SynodError)
        assert.ok(['TIMEOUT', 'UNAVAILABLE'].includes(reason.code), reason.code)
      }
      assert.equal((read as PromiseRejectedResult).reason.outcome, 'not-applied')
      await ground.until('the engine to be reached again', () =>
        ground.put('after').then(
          () => true,
          () => false,
        ),
      )
      if ((write as PromiseRejectedResult).reason.outcome === 'not-applied')
        assert.equal(await ground.exists('a'), false)
    },
    { fresh: true, unless: ({ cut }) => (cut ? undefined : 'nothing lies between this driver and its engine') },
  )

  test(
    'a watch whose connection ended says so, and can be begun again without a gap',
    async (ground) => {
      const { driver } = ground
      const { revision } = await ground.put('n', '1')
      const sink = new RecordingSink()
      driver.watch!(ground.all, revision, sink)
      const observing = new CountingSink()
      await driver.observe(ground.all, observing)
      await ground.until('the first', () => sink.events.length >= 1)
      const mend = await ground.subject.cut!()
      await ground.until('its end', () => sink.ended && observing.ends.length === 1)
      await mend()
      await ground.until('the engine to be reached again', () =>
        ground.put('n', '2').then(
          () => true,
          () => false,
        ),
      )
      const next = new RecordingSink()
      const subscription = driver.watch!(ground.all, sink.revision + 1, next)
      await ground.until('the rest', () => next.told(ground.prefix).includes('+n=2'))
      subscription.cancel()
    },
    {
      fresh: true,
      unless: ({ cut, driver }) =>
        cut === undefined
          ? 'nothing lies between this driver and its engine'
          : driver.can.history
            ? undefined
            : `${driver.engine} keeps no history`,
    },
  )
}
