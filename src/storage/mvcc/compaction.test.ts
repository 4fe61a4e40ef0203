import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MemoryStore } from './memory-store.ts'
import { bytes, hashOf, kept, put, reclaimAll, remove, valueText } from './store-contract.ts'

const everything = { key: '\0', end: '\0' }

/** Puts `count` records over `keys` keys, 100 a transaction. */
function fill(store: MemoryStore, keys: number, count: number, size = 256): void {
  const value = Buffer.alloc(size, 'x')
  for (let i = 0; i < count; i += 100) {
    store.write((transaction) => {
      for (let j = i; j < i + 100; j++) transaction.put(`key${(j * 7919) % keys}`, value, 0n)
    })
  }
}

describe('compaction', () => {
  it('walks the worked example of store-state.ts', () => {
    const store = new MemoryStore()
    put(store, 'foo', '1')
    put(store, 'foo', '2')
    remove(store, 'foo')
    put(store, 'foo', '4')
    remove(store, 'foo')
    put(store, 'other')
    const left: string[][] = []
    for (const revision of [3, 5, 6, 7]) {
      store.compact(revision)
      reclaimAll(store)
      left.push(kept(store))
    }
    assert.deepEqual(left, [
      ['foo@3', 'foo@4t', 'foo@5', 'foo@6t', 'other@7'],
      ['foo@5', 'foo@6t', 'other@7'],
      ['foo@6t', 'other@7'],
      ['other@7'],
    ])
    assert.equal(store.keyCount, 1)
  })

  it('gives memory back, whatever was left where', () => {
    const store = new MemoryStore()
    fill(store, 50, 200)
    const small = store.sizeInUseBytes
    fill(store, 20_000, 100_000)
    const full = store.sizeBytes
    assert.ok(full > 100_000 * 256)
    store.compact(store.revision)
    const hash = hashOf(store, 0, 100_000)
    const kept = store.range(everything, 0, 0, false)
    reclaimAll(store)
    assert.equal(hashOf(store, 0, 100_000), hash)
    assert.equal(store.range(everything, 0, 0, false).count, kept.count)
    assert.ok(store.sizeBytes < full / 2, `${store.sizeBytes} of ${full}`)
    remove(store, '\0', '\0')
    put(store, 'last', 'value')
    store.compact(store.revision)
    reclaimAll(store)
    assert.ok(store.sizeInUseBytes < small * 2 + 600_000, `${store.sizeInUseBytes} in use`)
    assert.deepEqual([store.keyCount, store.range(everything, 0, 0, true).count], [1, 1])
    fill(store, 1000, 1000)
    assert.equal(store.keyCount, 1001)
  })

  it('frees a tombstone with the compaction after the one at its revision', () => {
    const store = new MemoryStore()
    put(store, 'a')
    put(store, 'c')
    remove(store, 'a')
    put(store, 'b')
    const counts: number[] = []
    for (const revision of [4, 5]) {
      store.compact(revision)
      reclaimAll(store)
      counts.push(store.recordCount)
    }
    assert.deepEqual(counts, [3, 2])
  })

  it('does so too when that transaction wrote a key twice', () => {
    const store = new MemoryStore()
    put(store, 'c')
    store.write((transaction) => {
      transaction.put('a', bytes('1'), 0n)
      transaction.put('a', bytes('2'), 0n)
      transaction.delete({ key: 'c', end: undefined })
    })
    put(store, 'b')
    store.compact(3)
    assert.deepEqual(
      store.changes(3, 1).refs.map((ref) => [store.key(ref), store.isTombstone(ref), valueText(store, ref)]),
      [
        ['a', false, '2'],
        ['c', true, ''],
      ],
    )
    reclaimAll(store)
    const counts = [store.recordCount]
    for (const revision of [4]) {
      store.compact(revision)
      reclaimAll(store)
      counts.push(store.recordCount)
    }
    assert.deepEqual(counts, [3, 2])
  })

  it('moves the few records left in a chunk together', () => {
    const store = new MemoryStore()
    const value = Buffer.alloc(256, 'x')
    for (let i = 0; i < 40_000; i++) {
      store.write((transaction) => transaction.put(i % 20 === 0 ? `rare${i}` : 'often', value, 0n))
    }
    const full = store.sizeBytes
    store.compact(store.revision)
    const hash = hashOf(store, 0, 100_000)
    reclaimAll(store)
    assert.equal(store.recordCount, 2001)
    assert.ok(store.sizeBytes < full / 3, `${store.sizeBytes} of ${full}`)
    assert.equal(hashOf(store, 0, 100_000), hash)
    for (let i = 0; i < 40_000; i += 20) assert.equal(store.value(store.get(`rare${i}`, 0)).length, 256)
  })

  it('uses room for keys and records again', () => {
    const store = new MemoryStore()
    const sizes: number[] = []
    for (let round = 0; round < 16; round++) {
      fill(store, 5000, 5000, 10)
      remove(store, '\0', '\0')
      put(store, 'last')
      store.compact(store.revision)
      reclaimAll(store)
      sizes.push(store.sizeBytes)
    }
    assert.ok(sizes.at(-1)! <= sizes[1]! * 1.1, sizes.join(' '))
  })

  it('keeps views readable after their bytes were moved and dropped', () => {
    const store = new MemoryStore()
    put(store, 'a', 'the first value')
    const [value, encoded] = [store.value(store.get('a', 0)), store.encoded(store.get('a', 0))]
    const copy = Buffer.from(encoded)
    fill(store, 100, 50_000)
    put(store, 'a', 'the second')
    store.compact(store.revision)
    reclaimAll(store)
    fill(store, 100, 50_000)
    assert.equal(Buffer.from(value).toString(), 'the first value')
    assert.deepEqual(Buffer.from(encoded), copy)
    assert.equal(valueText(store, store.get('a', 0)), 'the second')
  })

  it('waits for cursors, and stops at its budget', () => {
    const store = new MemoryStore()
    fill(store, 1000, 5000)
    const cursor = store.cursor(everything, 0)
    store.compact(store.revision)
    assert.equal(
      store.reclaim(1000, () => 0),
      false,
    )
    cursor.close()
    cursor.close()
    let slices = 1
    let ticks = 0
    while (store.reclaim(2, () => ticks++)) slices++
    assert.ok(slices > 20, `${slices} slices`)
  })

  it('refuses to go back or ahead', () => {
    const store = new MemoryStore()
    put(store, 'a')
    put(store, 'a')
    assert.throws(() => store.compact(4), /at or below/)
    store.compact(2)
    assert.throws(() => store.compact(2), /forward/)
    assert.throws(() => store.cursor(everything, 1), /compacted/)
    assert.throws(() => store.cursor(everything, 4), /future/)
    assert.throws(() => store.changes(1, 1), /compacted/)
  })

  it('answers reads between two compactions while the first is being reclaimed', () => {
    const store = new MemoryStore()
    fill(store, 300, 3000)
    store.compact(10)
    store.reclaim(0, () => 0)
    store.reclaim(0, () => 0)
    store.compact(25)
    const before = [kept(store), hashOf(store)]
    reclaimAll(store)
    assert.deepEqual([kept(store), hashOf(store)], before)
  })

  it('keeps values bigger than a chunk', () => {
    const store = new MemoryStore()
    for (let i = 0; i < 5; i++) store.write((transaction) => transaction.put('big', Buffer.alloc(3_000_000, i), 0n))
    put(store, 'small', 'x')
    store.compact(store.revision)
    reclaimAll(store)
    assert.ok(store.sizeBytes < 5_000_000)
    assert.deepEqual(new Uint8Array(store.value(store.get('big', 0))), new Uint8Array(3_000_000).fill(4))
  })
})

describe('hash', () => {
  it('is the CRC-32C that etcd defines for one put', () => {
    const store = new MemoryStore()
    store.write((transaction) => transaction.put('k', bytes('v'), 0n))
    const image = Buffer.from('6b65790000000000000002' + '5f' + '0000000000000000' + '0a016b1002180220012a0176', 'hex')
    assert.equal(hashOf(store), castagnoli(image))
  })

  it('leaves out a tombstone at the compacted revision, whether or not other keys are live', () => {
    const store = new MemoryStore()
    put(store, 'a')
    remove(store, 'a')
    assert.notEqual(hashOf(store), castagnoli(Buffer.from('key')))
    store.compact(3)
    assert.equal(hashOf(store), castagnoli(Buffer.from('key')))
    reclaimAll(store)
    assert.equal(hashOf(store), castagnoli(Buffer.from('key')))
  })
})

/** CRC-32C bit by bit. */
function castagnoli(image: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of image) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0)
  }
  return ~crc >>> 0
}
