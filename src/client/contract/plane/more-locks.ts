import assert from 'node:assert/strict'
import { failsWith, PromiseList, throwsWith, upTo } from './ground.ts'

const rw = new PromiseList('Read/write locks')

rw.onCoordination('readers share it, a writer has it alone', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  let readers = 0
  let readersMost = 0
  let writers = 0
  await Promise.all(
    upTo(9).map(async (worker) => {
      const lock = programs[worker % 3]!.rwLock(name)
      if (worker % 3 === 0)
        return lock.write.run({ waitMs: 20_000 }, async () => {
          assert.deepEqual([++writers, readers], [1, 0])
          await ground.pause(2)
          writers--
        })
      return lock.read.run({ waitMs: 20_000 }, async () => {
        assert.equal(writers, 0)
        readersMost = Math.max(readersMost, ++readers)
        await ground.pause(5)
        readers--
      })
    }),
  )
  const first = await programs[0]!.rwLock(name).read.acquire()
  const second = await programs[1]!.rwLock(name).read.tryAcquire()
  assert.ok(second !== undefined, 'readers share')
  assert.ok((await programs[2]!.rwLock(name).write.tryAcquire()) === undefined, 'it is not free')
  await Promise.all([first.release(), second.release()])
  assert.ok(readersMost >= 1)
})

rw.onCoordination('a reader has the token of the last writer before it', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  assert.equal(await first!.rwLock(name).read.run({}, (held) => held.generation), 0)
  let last = 0
  for (const _ of upTo(3)) {
    const token = await first!.rwLock(name).write.run({}, (held) => held.fencingToken)
    assert.ok(token > last)
    last = token
    assert.equal(await second!.rwLock(name).read.run({}, (held) => held.generation), token)
  }
})

const semaphore = new PromiseList('Semaphores')

semaphore.onEvery('no more hold it than it has permits, each another slot, whose tokens rise', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  const tokens = new Map<number, number>()
  const slots = new Set<number>()
  await Promise.all(
    upTo(9).map(async (worker) => {
      for (const _ of upTo(2))
        await programs[worker % 3]!.semaphore(name, 3).run({ waitMs: 20_000 }, async (held) => {
          assert.ok(held.slot >= 0 && held.slot < 3)
          assert.equal(slots.has(held.slot), false, 'nobody else has the slot')
          slots.add(held.slot)
          assert.ok(held.fencingToken > (tokens.get(held.slot) ?? 0))
          tokens.set(held.slot, held.fencingToken)
          await ground.pause(2)
          slots.delete(held.slot)
        })
    }),
  )
  const held = await Promise.all(upTo(3).map((i) => programs[i]!.semaphore(name, 3).acquire({ waitMs: 10_000 })))
  assert.ok((await programs[0]!.semaphore(name, 3).tryAcquire()) === undefined, 'it is not free')
  await held[1]!.release()
  const next = await programs[0]!.semaphore(name, 3).acquire({ waitMs: 10_000 })
  assert.equal(next.slot, held[1]!.slot)
  await Promise.all([...held, next].map((each) => each.release()))
})

const multi = new PromiseList('Multi-locks')

multi.onCoordination('all or nothing, over any order of names, against each of its locks', async (ground) => {
  const [first, second] = await ground.programs(2)
  const [a, b, c] = [ground.name('a'), ground.name('b'), ground.name('c')]
  let holders = 0
  await Promise.all(
    upTo(6).map((i) => {
      const names = i % 2 === 0 ? [a, b, c] : [c, b, a]
      return [first!, second!][i % 2]!.multiLock(names).run({ waitMs: 20_000 }, async (held) => {
        assert.equal(++holders, 1)
        assert.deepEqual(Object.keys(held.tokens).sort(), [a, b, c].sort())
        await ground.pause(1)
        holders--
      })
    }),
  )
  const alone = await first!.lock(b).acquire()
  await assert.rejects(second!.multiLock([a, b]).acquire({ waitMs: 50 }), failsWith('TIMEOUT'))
  const other = await second!.lock(a).acquire({ waitMs: 10_000 })
  await other.release()
  await alone.release()
  const both = await second!.multiLock([b, a]).acquire({ waitMs: 10_000 })
  assert.ok(both.tokens[b]! > alone.fencingToken)
  await both.release()
  assert.throws(() => both.assertHeld(), throwsWith('LOCK_LOST'))
})

const fence = new PromiseList('Fences')

fence.onCoordination('what comes with an older token is refused, and not written', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  const key = ground.name('guarded')
  const session = await ground.session(first!)
  const old = await first!.lock(name, { session }).acquire()
  await first!.fence(name).put(key, 'old', old.fencingToken)
  await session.close()
  const now = await second!.lock(name).acquire({ waitMs: 10_000 })
  await second!.fence(name).guard(now.fencingToken)
  await assert.rejects(first!.fence(name).put(key, 'late', old.fencingToken), failsWith('FENCED', 'not-applied'))
  await assert.rejects(first!.fence(name).delete(key, old.fencingToken), failsWith('FENCED', 'not-applied'))
  await assert.rejects(first!.fence(name).check(old.fencingToken), failsWith('FENCED'))
  assert.equal((await first!.kv.get(key))?.text(), 'old')
  await second!.fence(name).put(key, 'new', now.fencingToken)
  await second!.fence(name).put(key, 'newer', now.fencingToken)
  assert.equal((await first!.kv.get(key))?.text(), 'newer')
  await now.release()
})

export const moreLockPromises = [...rw.promises, ...semaphore.promises, ...multi.promises, ...fence.promises]
