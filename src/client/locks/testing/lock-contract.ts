/** What all kinds of locks owe on every engine. On real ones it takes real time: nothing here waits for it but by events. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PlaneContext } from '../../context.ts'
import { prefixEnd } from '../../context.ts'
import { createFence, createLock, createMultiLock, createRwLock, createSemaphore } from '../index.ts'

export interface LockSubject {
  readonly context: PlaneContext
  /** Another program's, on the same engine. */
  another(): Promise<PlaneContext>
  close(): Promise<void>
}

export function lockContract(
  engine: string,
  options: { readonly skip?: string | false; open(): Promise<LockSubject> },
): void {
  const test = (name: string, body: (subject: LockSubject) => Promise<void>): void => {
    it(name, async () => {
      const subject = await options.open()
      try {
        await body(subject)
      } finally {
        await subject.close()
      }
    })
  }

  describe(`locks on ${engine}`, { skip: options.skip ?? false, timeout: 120_000 }, () => {
    test('one holds at a time, and no update under it is lost', async ({ context, another }) => {
      const name = fresh(context, 'mutex')
      const contexts = [context, await another()]
      let inside = 0
      const tokens: number[] = []
      const work = Array.from({ length: 20 }, (_, i) => {
        const at = contexts[i % 2]!
        return createLock(at, name).run({}, async (held) => {
          assert.equal(++inside, 1)
          tokens.push(held.fencingToken)
          const { entry } = await at.driver.get(name)
          const count = Number(entry === undefined ? 0 : Buffer.from(entry.value).toString())
          await createFence(at, name).put(name, String(count + 1), held.fencingToken)
          inside--
        })
      })
      await Promise.all(work)
      const { entry } = await context.driver.get(name)
      assert.equal(Buffer.from(entry!.value).toString(), '20')
      assert.deepEqual(
        tokens,
        [...tokens].sort((a, b) => a - b),
      )
      assert.equal(new Set(tokens).size, 20)
      await assert.rejects(createFence(context, name).put(name, 'late', tokens[0]!), { code: 'FENCED' })
    })

    test('tries, timed waits and cancelled ones leave nothing behind', async ({ context, another }) => {
      const name = fresh(context, 'tries')
      const other = createLock(await another(), name)
      const held = await createLock(context, name).acquire()
      assert.equal(await other.tryAcquire(), undefined)
      await assert.rejects(other.acquire({ waitMs: 200 }), { code: 'TIMEOUT' })
      const stop = new AbortController()
      const waiting = other.acquire({ signal: stop.signal })
      stop.abort()
      await assert.rejects(waiting, { code: 'CANCELLED' })
      await held.release()
      const next = await other.acquire({ waitMs: 10_000 })
      assert(next.fencingToken > held.fencingToken)
      await next.release()
      await noneLeft(context, 'locks', name)
    })

    test('a session that ends gives its locks to the next one', async ({ context, another }) => {
      const name = fresh(context, 'ended')
      const session = await context.sessions.open({ ttlMs: 2_000 })
      const held = await createLock(context, name).acquire({ session })
      const next = createLock(await another(), name).acquire()
      await session.close()
      assert.equal((held.signal.reason as { code: string }).code, 'LOCK_LOST')
      assert((await next).fencingToken > held.fencingToken)
    })

    test('readers share, writers do not, generations follow the writers', async ({ context, another }) => {
      const name = fresh(context, 'rw')
      const [mine, other] = [createRwLock(context, name), createRwLock(await another(), name)]
      const [a, b] = await Promise.all([mine.read.acquire(), other.read.acquire()])
      assert.equal(await other.write.tryAcquire(), undefined)
      const writing = other.write.acquire()
      await Promise.all([a.release(), b.release()])
      const writer = await writing
      assert.equal(await mine.read.tryAcquire(), undefined)
      const reading = mine.read.acquire()
      await writer.release()
      assert.equal((await reading).generation, writer.fencingToken)
    })

    test('a semaphore gives as many as it has', async ({ context, another }) => {
      const name = fresh(context, 'permits')
      const contexts = [context, await another()]
      let inside = 0
      let most = 0
      const work = Array.from({ length: 12 }, (_, i) => {
        const at = contexts[i % 2]!
        return createSemaphore(at, name, 3).run({}, async ({ slot }) => {
          assert(slot >= 0 && slot < 3)
          most = Math.max(most, ++inside)
          await at.driver.get(name)
          inside--
        })
      })
      await Promise.all(work)
      assert(most <= 3, `${most} at once`)
      await assert.rejects(createSemaphore(context, name, 4).acquire(), { code: 'CONFLICT' })
      await noneLeft(context, 'semaphores', name, 'slots')
    })

    test('several locks at once, in any order, without a circle', async ({ context, another }) => {
      const name = fresh(context, 'several')
      const contexts = [context, await another()]
      const work = Array.from({ length: 8 }, (_, i) => {
        const names = [`${name}-${i % 3}`, `${name}-${(i + 1) % 3}`]
        return createMultiLock(contexts[i % 2]!, i % 2 === 0 ? names : names.reverse()).run({}, ({ locks }) => {
          assert.equal(locks.length, 2)
        })
      })
      await Promise.all(work)
    })

    test('lock-delay holds for a holder that did not let go, and not for one that did', async ({
      context,
      another,
    }) => {
      const name = fresh(context, 'delay')
      const { clock } = context.driver.outside
      const other = createLock(await another(), name)
      const delayed = createLock(context, name, { lockDelayMs: 700 })
      await (await delayed.acquire()).release()
      await (await other.acquire()).release()
      const session = await context.sessions.open({ ttlMs: 2_000 })
      await delayed.acquire({ session })
      await session.close()
      const endedAtMs = clock.monotonicMs()
      await (await other.acquire()).release()
      assert(clock.monotonicMs() - endedAtMs >= 699)
    })
  })
}

/** Runs may share an engine. */
function fresh(context: PlaneContext, name: string): string {
  return `${name}-${context.driver.outside.random.uint32()}`
}

/** Looks until the places that were given up in the background are gone. */
async function noneLeft(context: PlaneContext, room: string, name: string, part = 'queue'): Promise<void> {
  const start = `${context.namespace}synod/${room}/${name}/${part}/`
  const endMs = context.driver.outside.clock.monotonicMs() + 10_000
  for (;;) {
    const { entries } = await context.driver.list({ start, end: prefixEnd(start) })
    if (entries.length === 0) return
    assert(
      context.driver.outside.clock.monotonicMs() < endMs,
      `still there: ${entries.map(({ key }) => key).join(', ')}`,
    )
  }
}
