import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { embeddedForSuite, freshPrefix } from '../watching/testing/embedded.ts'
import {
  absent,
  createKv,
  type DeleteResult,
  del,
  delAll,
  exists,
  get,
  type KvBase,
  type KvEntry,
  key,
  list,
  type PutResult,
  put,
  type TxnResult,
  value,
} from './index.ts'
import { leastDriver, planeOn } from './testing/plane.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** Compiles only for `true`. */
function holds<_T extends true>(): void {}

suite('transactions', () => {
  const engine = embeddedForSuite()

  test('one branch runs, and its results have the types of its steps, by position', async () => {
    const kv = createKv(planeOn(engine.driver, freshPrefix()))
    await kv.put('c', 'x')
    const txn = kv
      .txn()
      .when(absent('a'), value('c').equals('x'))
      .do(put('a', '1'), get('a'), list({ prefix: '' }))
      .do(del('c'))
      .otherwise(get('c'))
    const done = await txn.commit()
    if (!done.succeeded) {
      holds<Equal<typeof done.results, readonly [KvEntry | undefined]>>()
      return assert.fail('its conditions hold')
    }
    holds<Equal<typeof done.results, readonly [PutResult, KvEntry | undefined, readonly KvEntry[], DeleteResult]>>()
    const [made, read, listed, gone] = done.results
    assert.equal(made.revision, done.revision)
    assert.equal(read?.text(), '1')
    assert.deepEqual(
      listed.map((entry) => entry.key),
      ['a', 'c'],
    )
    assert.equal(gone.deleted, true)
    const again = await txn.commit()
    assert.ok(!again.succeeded)
    assert.deepEqual(again.results, [undefined])
  })

  test('conditions of every kind', async () => {
    const kv = createKv(planeOn(engine.driver, freshPrefix()))
    const { revision } = await kv.put('a', '1')
    await kv.put('a', '2')
    const met = [
      key('a').version.equals(2),
      key('a').version.not(1),
      key('a').version.greaterThan(1),
      key('a').version.lessThan(3),
      key('a').createRevision.equals(revision),
      key('a').modRevision.greaterThan(revision),
      key('a').value.equals('2'),
      key('a').value.not('1'),
      value('a').equals(Buffer.from('2')),
      exists('a'),
      key('a').exists(),
      absent('b'),
      key('b').absent(),
      key('b').version.equals(0),
    ]
    assert.equal(
      (
        await kv
          .txn()
          .when(...met)
          .commit()
      ).succeeded,
      true,
    )
    const unmet = [key('a').version.equals(1), exists('b'), absent('a'), value('b').not('x'), value('a').equals('1')]
    for (const condition of unmet) assert.equal((await kv.txn().when(condition).commit()).succeeded, false)
  })

  test('is no thenable, and each call makes a new one', async () => {
    const kv = createKv(planeOn(engine.driver, freshPrefix()))
    const empty = kv.txn()
    const filled = empty.do(put('a', '1'))
    assert.equal(await empty, empty)
    await empty.commit()
    assert.equal(await kv.get('a'), undefined)
    await filled.commit()
    assert.equal((await kv.get('a'))?.text(), '1')
  })

  test('a key is written once at most', async () => {
    const kv = createKv(planeOn(engine.driver, freshPrefix()))
    const twice = kv.txn().do(put('a', '1'), del('a'))
    await assert.rejects(twice.commit(), { code: 'INVALID_ARGUMENT', message: /twice/ })
  })

  test('ranges are not for every engine: by type, and when it runs', async () => {
    const kv: KvBase = createKv(planeOn(leastDriver(engine.driver), freshPrefix()))
    const done: TxnResult<readonly [KvEntryStep], readonly []> = await kv.txn().do(get('a')).commit()
    assert.equal(done.succeeded, true)
    // @ts-expect-error: no list in a transaction.
    const listing = kv.txn().do(list({ prefix: '' }))
    await assert.rejects(listing.commit(), { code: 'NOT_SUPPORTED', message: /zookeeper/ })
    // @ts-expect-error: no range deleted in a transaction.
    const deleting = kv.txn().do(delAll({ prefix: '' }))
    await assert.rejects(deleting.commit(), { code: 'NOT_SUPPORTED' })
    // @ts-expect-error: no old revisions.
    await assert.rejects(kv.get('a', { revision: 1 }), { code: 'NOT_SUPPORTED' })
    // @ts-expect-error: no history.
    assert.throws(() => kv.watch({ prefix: '', mode: 'history' }), { code: 'NOT_SUPPORTED' })
  })
})

type KvEntryStep = ReturnType<typeof get>
