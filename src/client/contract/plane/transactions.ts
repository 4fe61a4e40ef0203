import assert from 'node:assert/strict'
import { absent, type Condition, del, delAll, exists, get, key, list as listStep, put, value } from '../../index.ts'
import { failsWith, PromiseList, upTo } from './ground.ts'

const list = new PromiseList('Transactions')
export const transactionPromises = list.promises

list.onCoordination('one branch runs, and its results stand by position', async (ground) => {
  const { kv } = ground.plane
  const [a, b] = [ground.name('a'), ground.name('b')]
  const create = kv.txn().when(absent(a)).do(put(a, '1'), put(b, '2')).otherwise(get(a), get(b))
  const created = await create.commit()
  assert.equal(created.succeeded, true)
  const refused = await create.commit()
  assert.ok(!refused.succeeded)
  assert.deepEqual([refused.results[0]?.text(), refused.results[1]?.text()], ['1', '2'])
  assert.equal(refused.results[0]?.modRevision, created.revision)
  assert.equal(refused.results[1]?.modRevision, created.revision, 'written at once')
})

list.onCoordination('every kind of condition decides', async (ground) => {
  const { kv } = ground.plane
  const [at, none] = [ground.name('at'), ground.name('none')]
  const { revision: created } = await kv.put(at, 'x')
  const { revision } = await kv.put(at, 'y')
  const holds = async (...conditions: readonly Condition[]) =>
    (
      await kv
        .txn()
        .when(...conditions)
        .do(get(at))
        .commit()
    ).succeeded
  for (const condition of [
    exists(at),
    absent(none),
    key(at).version.equals(2),
    key(at).version.greaterThan(1),
    key(at).createRevision.equals(created),
    key(at).modRevision.equals(revision),
    key(at).modRevision.lessThan(revision + 1),
    key(none).version.equals(0),
    value(at).equals('y'),
    value(at).not('x'),
  ])
    assert.equal(await holds(condition), true, JSON.stringify(condition.compare({ namespace: '' })))
  for (const condition of [
    absent(at),
    exists(none),
    key(at).version.not(2),
    key(at).version.lessThan(2),
    key(at).createRevision.greaterThan(created),
    value(at).equals('x'),
    value(none).not('x'),
  ])
    assert.equal(await holds(exists(at), condition), false, JSON.stringify(condition.compare({ namespace: '' })))
})

list.onCoordination('nobody sees half of a transaction', async (ground) => {
  const programs = await ground.programs(3)
  const [a, b] = [ground.name('a'), ground.name('b')]
  const total = 100
  await ground.plane.kv
    .txn()
    .do(put(a, String(total)), put(b, '0'))
    .commit()
  let moving = 2
  const move = async (kv: (typeof programs)[0]['kv']): Promise<void> => {
    for (let moved = 0; moved < 15; ) {
      const [from, to] = (await kv.txn().do(get(a), get(b)).commit()).results
      const { succeeded } = await kv
        .txn()
        .when(key(a).modRevision.equals(from!.modRevision), key(b).modRevision.equals(to!.modRevision))
        .do(put(a, String(Number(from!.text()) - 1)), put(b, String(Number(to!.text()) + 1)))
        .commit()
      if (succeeded) moved++
    }
    moving--
  }
  const look = async (kv: (typeof programs)[0]['kv']): Promise<void> => {
    while (moving > 0) {
      const { results } = await kv.txn().do(get(a), get(b)).commit()
      assert.equal(Number(results[0]!.text()) + Number(results[1]!.text()), total)
      assert.equal(results[0]!.modRevision, results[1]!.modRevision)
    }
  }
  await Promise.all([move(programs[0]!.kv), move(programs[1]!.kv), look(programs[2]!.kv)])
  assert.equal((await ground.plane.kv.get(b))?.text(), '30')
})

list.onCoordination('one that cannot be is refused, and nothing of it happens', async (ground) => {
  const { kv } = ground.plane
  const [a, b] = [ground.name('a'), ground.name('b')]
  await assert.rejects(kv.txn().do(put(b, '1'), put(a, '1'), del(a)).commit(), failsWith('INVALID_ARGUMENT'))
  assert.equal(await kv.get(b), undefined)
})

list.onHistory('ranges are read and deleted inside a transaction', async (ground) => {
  const { kv } = ground.plane
  const prefix = ground.name('')
  for (const i of upTo(3)) await kv.put(`${prefix}${i}`, String(i))
  const done = await kv
    .txn()
    .do(put(`${prefix}3`, '3'), listStep({ prefix }))
    .commit()
  assert.ok(done.succeeded)
  assert.deepEqual(
    done.results[1].map((entry) => entry.text()),
    ['0', '1', '2', '3'],
  )
  const gone = await kv.txn().do(delAll({ prefix }), listStep({ prefix })).commit()
  assert.ok(gone.succeeded)
  assert.equal(gone.results[0].deleted, 4)
  assert.deepEqual(gone.results[1], [])
})
