import assert from 'node:assert/strict'
import { type DefineTest, put } from './ground.ts'

/** Counts what it is told. */
export class CountingSink {
  changes = 0
  readonly ends: string[] = []

  onChange(): void {
    assert.deepEqual(this.ends, [], 'nothing comes after the end')
    this.changes++
  }

  onEnd(error: { readonly code: string }): void {
    this.ends.push(error.code)
  }
}

export function describeObserving(test: DefineTest): void {
  test('every change after observe resolved leads to a call', async (ground) => {
    const { driver } = ground
    const { leaseId } = await driver.grantLease(60_000)
    await ground.put('leased', '1', leaseId)
    const sink = new CountingSink()
    const subscription = await driver.observe(ground.all, sink)
    const changes: (() => Promise<unknown>)[] = [
      () => ground.put('a', '1'),
      () => ground.put('a', '2'),
      () => ground.delete('a'),
      () => ground.put('a', '3'),
      () => ground.write(put(ground.key('b')), put(ground.key('c'))),
      () => driver.revokeLease(leaseId),
    ]
    for (const [i, change] of changes.entries()) {
      const before = sink.changes
      await change()
      await ground.until(`word of change ${i}`, () => sink.changes > before)
    }
    subscription.cancel()
  })

  test('a single key can be observed, there or not', async (ground) => {
    const sink = new CountingSink()
    const subscription = await ground.driver.observe({ start: ground.key('a'), end: undefined }, sink)
    for (const change of [() => ground.put('a'), () => ground.delete('a'), () => ground.put('a')]) {
      const before = sink.changes
      await change()
      await ground.until('word of it', () => sink.changes > before)
    }
    subscription.cancel()
  })

  test('a burst is told of, if only at its end', async (ground) => {
    const sink = new CountingSink()
    const subscription = await ground.driver.observe(ground.all, sink)
    let seen = ''
    let reading = false
    const read = async (): Promise<void> => {
      reading = true
      seen = (await ground.names()).join()
      reading = false
    }
    let readAt = -1
    for (let i = 0; i < 50; i++) void ground.put(`k${String(i).padStart(2, '0')}`)
    const expected = Array.from({ length: 50 }, (_, i) => `k${String(i).padStart(2, '0')}`).join()
    await ground.until('the reader to converge', async () => {
      if (!reading && readAt !== sink.changes) {
        readAt = sink.changes
        await read()
      }
      return seen === expected
    })
    subscription.cancel()
  })

  test('nothing is told after cancel', async (ground) => {
    const [gone, stays] = [new CountingSink(), new CountingSink()]
    const subscription = await ground.driver.observe(ground.all, gone)
    const other = await ground.driver.observe(ground.all, stays)
    subscription.cancel()
    subscription.cancel()
    for (let i = 0; i < 3; i++) {
      const before = stays.changes
      await ground.put('a', String(i))
      await ground.until('the other to hear', () => stays.changes > before)
    }
    assert.deepEqual([gone.changes, gone.ends], [0, []])
    other.cancel()
  })
}
