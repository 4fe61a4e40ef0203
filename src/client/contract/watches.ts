import assert from 'node:assert/strict'
import { bytesKey, type DefineTest, type DriverSubject, failsWith, type Ground, put, RecordingSink } from './ground.ts'

const needs = {
  unless: ({ driver: { can, engine } }: DriverSubject) =>
    can.history ? undefined : `${engine} keeps no history: it tells that something changed, not what`,
}

export function describeWatches(test: DefineTest): void {
  describeDelivery(test)
  describeScope(test)
  describeEnds(test)
}

function watch(ground: Ground, fromRevision: number, sink: RecordingSink, range = ground.all) {
  assert.ok(ground.driver.watch, 'a driver with history has watch')
  const subscription = ground.driver.watch(range, fromRevision, sink)
  assert.deepEqual([sink.events.length, sink.ended], [0, false], 'nothing is told inside the call')
  return subscription
}

function describeDelivery(test: DefineTest): void {
  test('watch is there exactly when the driver has history', async ({ driver }) => {
    assert.equal(driver.watch !== undefined, driver.can.history)
  })

  test(
    'a watch from the past tells each change since, in order, once',
    async (ground) => {
      const { revision } = await ground.put('a', '1')
      await ground.put('b', '1')
      await ground.put('a', '2')
      await ground.delete('a')
      const sink = new RecordingSink()
      const subscription = watch(ground, revision, sink)
      await ground.until('the past', () => sink.events.length >= 4)
      await ground.put('a', '3')
      await ground.until('the present', () => sink.events.length >= 5)
      assert.deepEqual(sink.told(ground.prefix), ['+a=1', '+b=1', '+a=2', '-a', '+a=3'])
      subscription.cancel()
    },
    needs,
  )

  test(
    'events carry the version that was made',
    async (ground) => {
      const { revision } = await ground.put('a', '1')
      const sink = new RecordingSink()
      const subscription = watch(ground, revision, sink)
      const { leaseId } = await ground.driver.grantLease(60_000)
      const second = await ground.put('a', '2', leaseId)
      await ground.until('both', () => sink.events.length >= 2)
      assert.deepEqual(
        sink.events.map((event) => event.type === 'put' && { ...event.entry, value: event.entry.value.length }),
        [
          { key: ground.key('a'), value: 1, createRevision: revision, modRevision: revision, version: 1, leaseId: 0n },
          {
            key: ground.key('a'),
            value: 1,
            createRevision: revision,
            modRevision: second.revision,
            version: 2,
            leaseId,
          },
        ],
      )
      assert.deepEqual(
        sink.events.map((event) => event.revision),
        [revision, second.revision],
      )
      subscription.cancel()
      await ground.driver.revokeLease(leaseId)
    },
    needs,
  )

  test(
    'a revision comes whole, at once',
    async (ground) => {
      const { revision } = await ground.put('first')
      const sink = new RecordingSink()
      const subscription = watch(ground, revision + 1, sink)
      const keys = Array.from({ length: 60 }, (_, i) => ground.key(String(i).padStart(3, '0')))
      const written = await ground.write(...keys.map((key) => put(key, 'x'.repeat(4000))))
      await ground.until('all of it', () => sink.events.length >= keys.length)
      assert.deepEqual(
        sink.batches.map((batch) => [batch.length, batch[0]!.revision]),
        [[keys.length, written.revision]],
      )
      subscription.cancel()
    },
    needs,
  )

  test(
    'under load nothing is left out or told twice',
    async (ground) => {
      const writes = 300
      const { revision } = await ground.put('n', '0')
      const sinks = [revision, revision + 1].map((from) => {
        const sink = new RecordingSink()
        return { sink, subscription: watch(ground, from, sink) }
      })
      for (let from = 1; from <= writes; from += 20)
        await Promise.all(Array.from({ length: 20 }, (_, i) => ground.put('n', String(from + i))))
      for (const [i, { sink, subscription }] of sinks.entries()) {
        await ground.until('all of them', () => sink.events.length >= writes + 1 - i)
        assert.deepEqual(
          sink.events.map((event) => event.type === 'put' && event.entry.version),
          Array.from({ length: writes + 1 - i }, (_, version) => version + 1 + i),
        )
        subscription.cancel()
      }
    },
    needs,
  )
}

function describeScope(test: DefineTest): void {
  test(
    'a watch from the future tells nothing from before',
    async (ground) => {
      const { revision } = await ground.put('a', '0')
      const sink = new RecordingSink()
      // Others may write meanwhile: far enough for at least one of these to lie before.
      const from = revision + 3
      const subscription = watch(ground, from, sink)
      let last = 0
      for (let i = 1; last < from; i++) last = (await ground.put('a', String(i))).revision
      await ground.until('the first of its time', () => sink.revision >= last)
      assert.ok(sink.events.length > 0)
      assert.ok(sink.events.every((event) => event.revision >= from))
      subscription.cancel()
    },
    needs,
  )

  test(
    'a watch tells of its range only',
    async (ground) => {
      const { revision } = await ground.put('first')
      const ranges = {
        key: { start: ground.key('b'), end: undefined },
        range: { start: ground.key('b'), end: ground.key('c') },
        all: ground.all,
        open: { start: ground.key('b'), end: '' },
        nothing: { start: ground.key('c'), end: ground.key('b') },
      }
      const watches = Object.entries(ranges).map(([name, range]) => {
        const sink = new RecordingSink()
        return { name, sink, subscription: watch(ground, revision + 1, sink, range) }
      })
      const names = ['a', 'b', `b${bytesKey(0)}`, `b${bytesKey(0xff)}`, 'c']
      for (const name of names) await ground.put(name)
      const told = (name: string) => {
        const { sink } = watches.find((each) => each.name === name)!
        return sink.told(ground.prefix).filter((each) => names.includes(each.slice(1, -1)))
      }
      await ground.until('the last of each', () => told('all').length === 5 && told('open').length === 4)
      await ground.until('the last of the range', () => told('range').length === 3 && told('key').length === 1)
      assert.deepEqual(told('key'), ['+b='])
      assert.deepEqual(told('range'), ['+b=', `+b${bytesKey(0)}=`, `+b${bytesKey(0xff)}=`])
      assert.deepEqual(told('nothing'), [])
      for (const { subscription } of watches) subscription.cancel()
    },
    needs,
  )

  test(
    'what a lease takes with it is told',
    async (ground) => {
      const { leaseId } = await ground.driver.grantLease(60_000)
      const { revision } = await ground.write(put(ground.key('a'), '1', leaseId), put(ground.key('b'), '1', leaseId))
      const sink = new RecordingSink()
      const subscription = watch(ground, revision + 1, sink)
      await ground.driver.revokeLease(leaseId)
      await ground.until('both', () => sink.events.length >= 2)
      assert.deepEqual(sink.told(ground.prefix).sort(), ['-a', '-b'])
      subscription.cancel()
    },
    needs,
  )
}

function describeEnds(test: DefineTest): void {
  test(
    'nothing is told after cancel',
    async (ground) => {
      const { revision } = await ground.put('a', '0')
      const [gone, stays] = [new RecordingSink(), new RecordingSink()]
      const subscription = watch(ground, revision + 1, gone)
      const other = watch(ground, revision + 1, stays)
      await ground.put('a', '1')
      await ground.until('the first', () => gone.events.length >= 1)
      subscription.cancel()
      subscription.cancel()
      await ground.put('a', '2')
      await ground.put('a', '3')
      await ground.until('the others', () => stays.events.length >= 3)
      assert.deepEqual(gone.told(ground.prefix), ['+a=1'])
      assert.equal(gone.ended, false)
      other.cancel()
    },
    needs,
  )

  test(
    'of two watches that cancel each other, one is told',
    async (ground) => {
      const { revision } = await ground.put('a', '0')
      const told: number[] = []
      const subscriptions = [0, 1].map((i) =>
        ground.driver.watch!(ground.all, revision + 1, {
          onEvents(events) {
            if (events.length === 0) return
            told.push(i)
            subscriptions[1 - i]!.cancel()
          },
          onCompacted: () => assert.fail('nothing was compacted'),
          onEnd: () => assert.fail('nothing ended'),
        }),
      )
      await ground.put('a', '1')
      await ground.put('a', '2')
      await ground.until('both changes to be told', () => told.length >= 2)
      const fence = new RecordingSink()
      const subscription = watch(ground, revision, fence)
      await ground.until('what comes after', () => fence.events.length >= 3)
      assert.deepEqual(told, [told[0], told[0]])
      for (const each of [subscription, ...subscriptions]) each.cancel()
    },
    needs,
  )

  test(
    'a revision that was compacted away ends the watch, and says from where it can go on',
    async (ground) => {
      const { revision } = await ground.put('a', '1')
      await ground.put('a', '2')
      const last = await ground.put('a', '3')
      await ground.subject.compact!(last.revision)
      const sink = new RecordingSink()
      watch(ground, revision, sink)
      await ground.until('its end', () => sink.ended)
      assert.equal(sink.error, undefined)
      assert.deepEqual(sink.events, [])
      assert.ok(sink.compactRevision! >= last.revision)
      const next = new RecordingSink()
      const subscription = watch(ground, sink.compactRevision!, next)
      await ground.put('a', '4')
      await ground.until('what came since', () => next.told(ground.prefix).includes('+a=4'))
      subscription.cancel()
      await assert.rejects(ground.driver.list(ground.all, { revision }), failsWith('COMPACTED', 'not-applied'))
    },
    {
      fresh: true,
      unless: (subject) =>
        needs.unless(subject) ?? (subject.compact ? undefined : 'this engine has no way to compact on demand'),
    },
  )
}
