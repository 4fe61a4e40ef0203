import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Operation, TxnRequest } from '../messages.ts'
import { anyTxn } from '../testing/arbitraries.ts'
import { compare, deleteRangeRequest, putRequest, rangeRequest, txnRequest } from '../testing/encode-requests.ts'
import { findOverlap } from './overlap.ts'
import { validateDeleteRange, validatePut, validateRange, validateTxn } from './requests.ts'

const success = (...operations: Operation[]): TxnRequest => txnRequest({ success: operations })
const check = (request: TxnRequest, max = 128): string | undefined => validateTxn(request, max)

describe('single requests', () => {
  it('need a key, known sort options, and nothing that contradicts', () => {
    assert.equal(validateRange(rangeRequest('')), 'EMPTY_KEY')
    assert.equal(validateRange(rangeRequest('a', { sortOrder: 3 })), 'INVALID_SORT_OPTION')
    assert.equal(validateRange(rangeRequest('a', { sortTarget: -1 })), 'INVALID_SORT_OPTION')
    assert.equal(validateRange(rangeRequest('a', { sortTarget: 4, sortOrder: 2 })), undefined)
    assert.equal(validatePut(putRequest('')), 'EMPTY_KEY')
    assert.equal(validatePut(putRequest('a', 'x', { ignoreValue: true })), 'VALUE_PROVIDED')
    assert.equal(validatePut(putRequest('a', '', { ignoreLease: true, lease: 1n })), 'LEASE_PROVIDED')
    assert.equal(validatePut(putRequest('a', '', { ignoreLease: true, ignoreValue: true })), undefined)
    assert.equal(validateDeleteRange(deleteRangeRequest('')), 'EMPTY_KEY')
  })
})

describe('transactions', () => {
  it('have their operations checked, in every branch and depth', () => {
    assert.equal(check(success({ type: 'empty' })), 'EMPTY_OPERATION')
    assert.equal(check(txnRequest({ compares: [compare('', {})] })), 'EMPTY_KEY')
    assert.equal(check(txnRequest({ failure: [success(putRequest(''))] })), 'EMPTY_KEY')
    assert.equal(check(success()), undefined)
  })

  it('are bounded, and leave to nested ones what they did not use', () => {
    const reads = (count: number): Operation[] => Array.from({ length: count }, () => rangeRequest('a'))
    assert.equal(check(success(...reads(128))), undefined)
    assert.equal(check(success(...reads(129))), 'TOO_MANY_OPERATIONS')
    assert.equal(check(success(success(...reads(127)))), undefined)
    assert.equal(check(success(success(...reads(128)))), 'TOO_MANY_OPERATIONS')
  })

  it('may not put a key twice, or put one that they delete', () => {
    const duplicate = 'DUPLICATE_KEY'
    const nested = (...operations: Operation[]): TxnRequest => success(...operations)
    assert.equal(check(success(putRequest('a'), putRequest('a'))), duplicate)
    assert.equal(check(success(putRequest('a'), putRequest('b'))), undefined)
    assert.equal(check(success(putRequest('a'), deleteRangeRequest('a'))), duplicate)
    assert.equal(check(success(putRequest('c'), deleteRangeRequest('a', { end: 'd' }))), duplicate)
    assert.equal(check(success(putRequest('d'), deleteRangeRequest('a', { end: 'd' }))), undefined)
    assert.equal(check(success(deleteRangeRequest('a'), deleteRangeRequest('a'))), undefined)
    assert.equal(check(txnRequest({ success: [putRequest('a')], failure: [putRequest('a')] })), undefined)
    assert.equal(check(success(putRequest('a'), nested(putRequest('a')))), duplicate)
    assert.equal(check(success(nested(putRequest('a')), nested(putRequest('a')))), duplicate)
    const either = txnRequest({ success: [putRequest('a')], failure: [putRequest('a')] })
    assert.equal(check(success(either)), undefined)
    assert.equal(check(success(either, putRequest('a'))), duplicate)
    assert.equal(check(success(putRequest('a'), nested(deleteRangeRequest('a')))), duplicate)
    assert.equal(check(success(deleteRangeRequest('a'), nested(putRequest('a')))), duplicate)
    assert.equal(check(success(nested(deleteRangeRequest('a')), nested(putRequest('a')))), duplicate)
    // etcd looks only back, from one nested transaction to those before it.
    assert.equal(check(success(nested(putRequest('a')), nested(deleteRangeRequest('a')))), undefined)
  })

  it('that delete from a key on, or an empty range, clash with nothing, as in etcd', () => {
    for (const end of ['\0', 'a', 'b']) {
      const deletion = deleteRangeRequest('b', { end })
      for (const key of ['a', 'b', 'c']) assert.equal(check(success(deletion, putRequest(key))), undefined)
    }
  })
})

/** etcd's rules with plain lists. */
function naiveCollect(operations: readonly Operation[]): { puts: string[]; deletions: [string, string][] } | undefined {
  const puts: string[] = []
  const deletions: [string, string][] = []
  const deleted = (key: string): boolean => deletions.some(([begin, end]) => key >= begin && key < end)
  for (const operation of operations) {
    if (operation.type !== 'deleteRange') continue
    const { key, end } = operation
    deletions.push([key, end ?? `${key}\0`])
  }
  for (const operation of operations) {
    if (operation.type !== 'txn') continue
    const then = naiveCollect(operation.success)
    const otherwise = naiveCollect(operation.failure)
    if (then === undefined || otherwise === undefined) return undefined
    const added = new Set([...then.puts, ...otherwise.puts])
    for (const key of added) if (puts.includes(key) || deleted(key)) return undefined
    puts.push(...added)
    deletions.push(...then.deletions, ...otherwise.deletions)
  }
  for (const operation of operations) {
    if (operation.type !== 'put') continue
    if (puts.includes(operation.key) || deleted(operation.key)) return undefined
    puts.push(operation.key)
  }
  return { puts, deletions }
}

describe('overlaps', () => {
  it('are found as plain lists find them', () => {
    let clashes = 0
    fc.assert(
      fc.property(anyTxn, (request) => {
        const clash = naiveCollect(request.success) === undefined || naiveCollect(request.failure) === undefined
        if (clash) clashes++
        assert.equal(findOverlap(request), clash ? 'DUPLICATE_KEY' : undefined)
      }),
      { numRuns: 3000 },
    )
    assert.ok(clashes > 100 && clashes < 2900, `both outcomes occur (${clashes})`)
  })

  it('are found without quadratic work in a hostile request', () => {
    const deletions = Array.from({ length: 60_000 }, (_, i) => deleteRangeRequest(`k${i}`))
    const puts = Array.from({ length: 60_000 }, (_, i) => putRequest(`p${i}`))
    let request = success(...deletions)
    for (let depth = 0; depth < 20; depth++) request = success(request, ...puts.slice(depth * 3000, (depth + 1) * 3000))
    assert.equal(findOverlap(request), undefined)
  })
})
