import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type MvccStore, noRecord, type RecordRef } from './store.ts'

/** What every store must do, said by examples. `makeStore` returns an empty one. */
export function describeStoreContract(name: string, makeStore: () => MvccStore): void {
  describe(`${name} keeps the store's contract`, () => {
    describeRevisions(makeStore)
    describeRanges(makeStore)
    describeChanges(makeStore)
    describeCompaction(makeStore)
    describeEncoding(makeStore)
  })
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

export function put(store: MvccStore, key: string, value = '', lease = 0n): RecordRef {
  return store.write((transaction) => transaction.put(key, bytes(value), lease))
}

export function remove(store: MvccStore, key: string, end?: string): RecordRef[] {
  return store.write((transaction) => transaction.delete({ key, end }))
}

/** Reclaims all that can be, without a clock. */
export function reclaimAll(store: MvccStore): void {
  let ticks = 0
  while (store.reclaim(1, () => ticks++));
}

export function valueText(store: MvccStore, ref: RecordRef): string | undefined {
  return ref === noRecord ? undefined : Buffer.from(store.value(ref)).toString('latin1')
}

export function hashOf(store: MvccStore, atRevision = 0, recordsPerStep = 3): number {
  const job = store.hash(atRevision)
  for (;;) {
    const hash = job.step(recordsPerStep)
    if (hash !== undefined) return hash
  }
}

const everything = { key: '\0', end: '\0' }

function describeRevisions(makeStore: () => MvccStore): void {
  it('starts at revision 1 and gives each changing transaction the next one', () => {
    const store = makeStore()
    assert.equal(store.revision, 1)
    put(store, 'a', '1')
    assert.equal(store.revision, 2)
    assert.deepEqual(remove(store, 'missing'), [])
    assert.equal(store.revision, 2)
    store.write((transaction) => {
      assert.equal(transaction.revision, 3)
      assert.equal(transaction.changed, false)
      transaction.put('b', bytes('2'), 0n)
      transaction.put('c', bytes('3'), 0n)
      assert.equal(transaction.changed, true)
    })
    assert.equal(store.revision, 3)
    const { createRevision, modRevision, subRevision, version } = store.fields(store.get('c', 0))
    assert.deepEqual([createRevision, modRevision, subRevision, version], [3, 3, 1, 1])
  })

  it('counts versions from the creation on, and begins again after a delete', () => {
    const store = makeStore()
    put(store, 'a', '1')
    put(store, 'a', '2')
    remove(store, 'a')
    put(store, 'a', '3')
    const at = (revision: number) => {
      const ref = store.get('a', revision)
      return ref === noRecord
        ? undefined
        : [valueText(store, ref), store.fields(ref).createRevision, store.version(ref)]
    }
    assert.deepEqual(
      [at(1), at(2), at(3), at(4), at(5), at(0)],
      [undefined, ['1', 2, 1], ['2', 2, 2], undefined, ['3', 5, 1], ['3', 5, 1]],
    )
    assert.equal(store.keyCount, 1)
  })

  it('returns what a write replaced or deleted, and reads its own changes', () => {
    const store = makeStore()
    assert.equal(put(store, 'a', '1'), noRecord)
    assert.equal(valueText(store, put(store, 'a', '2')), '1')
    store.write((transaction) => {
      assert.deepEqual(
        transaction.delete({ key: 'a', end: undefined }).map((ref) => valueText(store, ref)),
        ['2'],
      )
      assert.equal(store.get('a', 0), noRecord)
      assert.deepEqual(transaction.delete({ key: 'a', end: undefined }), [])
      assert.equal(transaction.put('a', bytes('3'), 0n), noRecord)
      assert.equal(store.version(store.get('a', 0)), 1)
      assert.equal(valueText(store, store.get('a', 3)), '2')
      assert.deepEqual(
        transaction.delete({ key: 'a', end: 'b' }).map((ref) => valueText(store, ref)),
        ['3'],
      )
    })
    assert.equal(store.get('a', 0), noRecord)
    assert.equal(store.changes(4, 10).refs.length, 3)
  })

  it('reads inside a transaction what was there before it, at the old revision', () => {
    const store = makeStore()
    put(store, 'a', '1')
    store.write((transaction) => {
      transaction.put('a', bytes('2'), 0n)
      transaction.put('b', bytes('2'), 0n)
      const texts = (atRevision: number) =>
        store.range(everything, atRevision, 0, false).refs.map((ref) => valueText(store, ref))
      assert.deepEqual([texts(2), texts(3), texts(0)], [['1'], ['2', '2'], ['2', '2']])
      assert.equal(store.range(everything, 2, 1, true).count, 1)
    })
  })

  it('copies values', () => {
    const store = makeStore()
    const value = bytes('before')
    store.write((transaction) => transaction.put('a', value, 0n))
    value.fill(0)
    assert.equal(valueText(store, store.get('a', 0)), 'before')
  })
}

function describeRanges(makeStore: () => MvccStore): void {
  const keys = ['\0', '\0\0', 'a', 'a\0', 'aa', 'b', '\x7f', '\x80', '\xff', '\xff\0', '\xff\xff']
  const filled = () => {
    const store = makeStore()
    for (const key of [...keys].reverse()) put(store, key, key)
    return store
  }
  const keysOf = (store: MvccStore, key: string, end: string | undefined, limit = 0) =>
    store.range({ key, end }, 0, limit, false).refs.map((ref) => store.key(ref))

  it('orders keys as unsigned bytes', () => {
    assert.deepEqual(keysOf(filled(), '\0', '\0'), keys)
  })

  it('takes an end, no end, an end of \\0 and an empty range', () => {
    const store = filled()
    assert.deepEqual(keysOf(store, 'a', undefined), ['a'])
    assert.deepEqual(keysOf(store, 'a', 'b'), ['a', 'a\0', 'aa'])
    assert.deepEqual(keysOf(store, '\x80', '\0'), ['\x80', '\xff', '\xff\0', '\xff\xff'])
    assert.deepEqual(keysOf(store, 'b', 'a'), [])
    assert.deepEqual(keysOf(store, 'b', 'b'), [])
    assert.deepEqual(store.range({ key: 'b', end: 'a' }, 0, 1, true), { refs: [], count: 0 })
  })

  it('limits the records and counts them all', () => {
    const store = filled()
    remove(store, 'aa')
    assert.deepEqual(keysOf(store, 'a', 'c', 2), ['a', 'a\0'])
    assert.equal(store.range({ key: 'a', end: 'c' }, 0, 2, false).count, 3)
    assert.deepEqual(store.range({ key: 'a', end: 'c' }, 0, 0, true), { refs: [], count: 3 })
    assert.deepEqual(store.range({ key: 'a', end: 'c' }, store.revision - 1, 1, true), { refs: [], count: 4 })
    assert.equal(store.range({ key: 'a', end: 'c' }, store.revision - 1, 1, false).refs.length, 1)
  })

  it('walks a range in slices, as it was when the walk began', () => {
    const store = filled()
    const cursor = store.cursor(everything, 0)
    const seen: RecordRef[] = []
    assert.equal(cursor.next(3, seen), true)
    remove(store, '\0', '\0')
    put(store, 'ab', 'new')
    while (cursor.next(3, seen));
    cursor.close()
    assert.deepEqual(
      seen.map((ref) => store.key(ref)),
      keys,
    )
  })
}

function describeChanges(makeStore: () => MvccStore): void {
  it('gives whole revisions in order, at least one', () => {
    const store = makeStore()
    put(store, 'a', '1')
    store.write((transaction) => {
      for (const key of ['b', 'c', 'd']) transaction.put(key, bytes('2'), 0n)
    })
    remove(store, 'c')
    const keysFrom = (from: number, max: number) => {
      const { refs, nextRevision } = store.changes(from, max)
      return [refs.map((ref) => store.key(ref)).join(''), nextRevision]
    }
    assert.deepEqual(keysFrom(1, 1), ['a', 3])
    assert.deepEqual(keysFrom(2, 2), ['abcd', 4])
    assert.deepEqual(keysFrom(3, 1), ['bcd', 4])
    assert.deepEqual(keysFrom(4, 1), ['c', 5])
    assert.deepEqual(keysFrom(5, 1), ['', 5])
    assert.equal(store.isTombstone(store.changes(4, 1).refs[0]!), true)
  })

  it('gives the version before a change, unless it was a delete', () => {
    const store = makeStore()
    put(store, 'a', '1')
    put(store, 'a', '2')
    remove(store, 'a')
    put(store, 'a', '3')
    const before = store.changes(2, 10).refs.map((ref) => valueText(store, store.previous(ref)))
    assert.deepEqual(before, [undefined, '1', '2', undefined])
    store.compact(3)
    assert.deepEqual(
      store.changes(3, 10).refs.map((ref) => valueText(store, store.previous(ref))),
      [undefined, '2', undefined],
    )
  })
}

/** The records left, as 'key@revision' with 't' for a tombstone. */
export function kept(store: MvccStore): string[] {
  const { refs } = store.changes(Math.max(store.compactedRevision, 1), 1_000_000)
  const older = store.range(everything, store.compactedRevision, 0, false).refs
  return [...new Set([...older, ...refs])]
    .map((ref) => `${store.key(ref)}@${store.modRevision(ref)}${store.isTombstone(ref) ? 't' : ''}`)
    .sort((a, b) => Number.parseInt(a.split('@')[1]!, 10) - Number.parseInt(b.split('@')[1]!, 10))
}

function describeCompaction(makeStore: () => MvccStore): void {
  for (const reclaims of [false, true]) {
    it(`compacts the key of key_index.go, ${reclaims ? 'and reclaims' : 'before reclaiming'}`, () => {
      const store = makeStore()
      put(store, 'other')
      for (const value of ['1', '2']) put(store, 'foo', value)
      remove(store, 'foo')
      put(store, 'foo', '4')
      remove(store, 'foo')
      remove(store, 'other')
      const expected: [number, string[]][] = [
        [2, ['other@2', 'foo@3', 'foo@4', 'foo@5t', 'foo@6', 'foo@7t', 'other@8t']],
        [4, ['other@2', 'foo@4', 'foo@5t', 'foo@6', 'foo@7t', 'other@8t']],
        [6, ['other@2', 'foo@6', 'foo@7t', 'other@8t']],
        [7, ['other@2', 'foo@7t', 'other@8t']],
        [8, ['other@8t']],
      ]
      for (const [revision, records] of expected) {
        store.compact(revision)
        if (reclaims) reclaimAll(store)
        assert.deepEqual(kept(store), records)
      }
      put(store, 'foo', '5')
      store.compact(9)
      reclaimAll(store)
      assert.deepEqual(kept(store), ['foo@9'])
      assert.deepEqual([store.version(store.get('foo', 0)), store.keyCount], [1, 1])
    })
  }
}

function describeEncoding(makeStore: () => MvccStore): void {
  it('encodes records as mvccpb.KeyValue', () => {
    const store = makeStore()
    put(store, 'k', 'v')
    put(store, 'k', 'w', 7n)
    remove(store, 'k')
    const hex = store.changes(2, 10).refs.map((ref) => Buffer.from(store.encoded(ref)).toString('hex'))
    assert.deepEqual(hex, ['0a016b1002180220012a0176', '0a016b1002180320022a01773007', '0a016b1804'])
    const withLease = store.changes(3, 1).refs[0]!
    const target = new Uint8Array(20)
    assert.equal(store.copyEncoded(withLease, target, 2, true), 2 + store.encodedLength(withLease, true))
    assert.equal(Buffer.from(target).toString('hex', 2, 13), '0a016b10021803200230070000'.slice(0, 22))
  })

  it('keeps any 64-bit lease, as a signed number', () => {
    const store = makeStore()
    for (const lease of [
      1n,
      127n,
      128n,
      2n ** 53n + 1n,
      2n ** 63n - 1n,
      2n ** 63n,
      -1n,
      -(2n ** 63n),
      2n ** 64n - 1n,
    ]) {
      put(store, 'a', 'x', lease)
      assert.equal(store.lease(store.get('a', 0)), BigInt.asIntN(64, lease))
      assert.equal(store.fields(store.get('a', 0)).lease, BigInt.asIntN(64, lease))
      assert.equal(valueText(store, store.get('a', 0)), 'x')
    }
  })

  it('takes empty values, long keys and values of any size', () => {
    const store = makeStore()
    for (const length of [0, 1, 47, 48, 49, 127, 128, 129, 16_383, 16_384, 100_000]) {
      const key = '\xfe'.repeat(length)
      const value = 'v'.repeat(length * 20)
      put(store, key, value)
      assert.equal(store.key(store.get(key, 0)), key)
      assert.equal(valueText(store, store.get(key, 0)), value)
    }
    assert.equal(store.range({ key: '', end: '\0' }, 0, 0, true).count, 11)
  })
}
