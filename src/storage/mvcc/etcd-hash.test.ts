import assert from 'node:assert/strict'
import { it } from 'node:test'
import { MemoryStore } from './memory-store.ts'
import { hashOf, put, reclaimAll, remove } from './store-contract.ts'

/**
 * The hashes that a real etcd 3.6.16 answered (`etcdctl endpoint hashkv`) at each step of this history: puts, leases,
 * deletes, compactions at a put and at the newest revision, and a hash at an older revision.
 */
it('hashes as etcd 3.6.16 does', () => {
  for (const reclaims of [false, true]) {
    const store = new MemoryStore()
    const lease = 0x3432_a1fc_3416_2404n
    const compact = (revision: number) => {
      store.compact(revision)
      if (reclaims) reclaimAll(store)
    }
    assert.equal(hashOf(store), 1084519789)
    put(store, 'k', 'v')
    assert.equal(hashOf(store), 3658645045)
    for (const i of ['1', '2', '3', '4', '5']) {
      put(store, 'a', i)
      put(store, `b${i}`, 'x', lease)
    }
    assert.equal(hashOf(store), 2661489054)
    remove(store, 'b', 'c')
    assert.equal(hashOf(store), 1077576742)
    put(store, 'b1', 'again')
    assert.equal(hashOf(store), 3174103155)
    compact(9)
    assert.deepEqual([hashOf(store), hashOf(store, 11)], [1320102723, 2255346873])
    compact(14)
    assert.equal(hashOf(store), 1883122407)
    remove(store, '\0', '\0')
    assert.deepEqual([hashOf(store), store.revision], [3865947625, 15])
  }
})
