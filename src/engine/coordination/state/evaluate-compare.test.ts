import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MemoryStore } from '../../../storage/mvcc/index.ts'
import { type Compare, compareResults, compareTargets } from '../messages.ts'
import { compare } from '../testing/encode-requests.ts'
import { evaluateCompare } from './evaluate-compare.ts'

const { equal, greater, less, notEqual } = compareResults
const { version, create, mod, value, lease } = compareTargets

/** a: put once, at 2. b: put at 3 and 4, lease 5. */
function store(): MemoryStore {
  const store = new MemoryStore()
  store.write((transaction) => transaction.put('a', Buffer.from('m'), 0n))
  store.write((transaction) => transaction.put('b', Buffer.from('n'), 0n))
  store.write((transaction) => transaction.put('b', Buffer.from('o'), 5n))
  return store
}

const holds = (key: string, fields: Partial<Compare>): boolean => evaluateCompare(store(), compare(key, fields))

/** Which of equal, not equal, greater, less hold. */
function outcomes(key: string, fields: Partial<Compare>): string {
  const results = [equal, notEqual, greater, less]
  return results.map((result) => (holds(key, { ...fields, result }) ? 'y' : 'n')).join('')
}

describe('a compare', () => {
  it('of one key sets its target against the operand', () => {
    assert.equal(outcomes('b', { target: version, number: 2 }), 'ynnn')
    assert.equal(outcomes('b', { target: version, number: 1 }), 'nyyn')
    assert.equal(outcomes('b', { target: create, number: 4 }), 'nyny')
    assert.equal(outcomes('b', { target: mod, number: 4 }), 'ynnn')
    assert.equal(outcomes('b', { target: value, value: Buffer.from('n') }), 'nyyn')
    assert.equal(outcomes('b', { target: value, value: Buffer.from('o') }), 'ynnn')
    assert.equal(outcomes('b', { target: lease, lease: 6n }), 'nyny')
    assert.equal(outcomes('b', { target: lease, lease: -1n }), 'nyyn')
  })

  it('of a missing key finds zeros, and no value at all', () => {
    for (const target of [version, create, mod]) {
      assert.equal(outcomes('x', { target, number: 0 }), 'ynnn')
      assert.equal(outcomes('x', { target, number: 1 }), 'nyny')
    }
    assert.equal(outcomes('x', { target: lease, lease: 0n }), 'ynnn')
    assert.equal(outcomes('x', { target: value, value: Buffer.from('') }), 'nnnn')
    assert.equal(outcomes('x', { target: value, end: 'z' }), 'nnnn')
    assert.equal(outcomes('x', { target: version, end: 'z' }), 'ynnn')
  })

  it('of a range holds when it holds for every key in it', () => {
    assert.equal(outcomes('a', { end: 'c', target: version, number: 1 }), 'nnnn')
    assert.equal(outcomes('a', { end: 'c', target: version, number: 0 }), 'nyyn')
    assert.equal(outcomes('a', { end: '\0', target: mod, number: 5 }), 'nyny')
    assert.equal(outcomes('a', { end: 'b', target: version, number: 1 }), 'ynnn')
    assert.equal(outcomes('a', { end: 'c', target: value, value: Buffer.from('z') }), 'nyny')
  })

  it('with an operator or target that nobody knows goes as in etcd', () => {
    assert.equal(holds('a', { result: 9, target: version, number: 7 }), true)
    assert.equal(outcomes('a', { target: 9, number: 7 }), 'ynnn')
  })
})
