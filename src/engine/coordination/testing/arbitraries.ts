/** Random requests over few keys, leases and revisions, so that they meet. For property tests. */
import fc from 'fast-check'
import type { Compare, Operation, TxnRequest } from '../messages.ts'
import { putRequest, rangeRequest } from './encode-requests.ts'

export const anyKey = fc.constantFrom('a', 'b', 'c', 'ca', 'd', '\xff', '\xff\0')
const anyEnd = fc.option(fc.constantFrom('b', 'c', 'd', '\0', 'a'), { nil: undefined })
export const anyLease = fc.constantFrom(0n, 0n, 1n, 2n, 2n ** 62n, -5n)
const anyValue = fc.constantFrom('', 'x', 'y', 'zz').map((text) => Buffer.from(text))
const anyRevision = fc.oneof(fc.constantFrom(0, 0, 0, -1, 2 ** 40), fc.nat(30))
const small = fc.oneof(fc.constant(0), fc.nat(20))

export const anyRange = fc
  .record({
    key: anyKey,
    end: anyEnd,
    limit: fc.nat(4),
    revision: anyRevision,
    sortOrder: fc.nat(2),
    sortTarget: fc.nat(4),
    countOnly: fc.constantFrom(false, false, false, true),
    minModRevision: small,
    maxModRevision: small,
    minCreateRevision: small,
    maxCreateRevision: small,
  })
  .map(({ key, ...fields }) => rangeRequest(key, fields))

export const anyPut = fc
  .record({ key: anyKey, value: anyValue, lease: anyLease, previous: fc.boolean(), keep: fc.nat(11) })
  .map(({ key, value, lease, previous, keep }) => {
    const ignoreValue = keep === 0 || keep === 2
    const ignoreLease = keep === 1 || keep === 2
    const kept = ignoreLease ? 0n : lease
    return putRequest(key, ignoreValue ? '' : value, { lease: kept, previous, ignoreValue, ignoreLease })
  })

export const anyDeleteRange = fc.record({
  type: fc.constant('deleteRange' as const),
  key: anyKey,
  end: anyEnd,
  previous: fc.boolean(),
})

export const anyCompare: fc.Arbitrary<Compare> = fc
  .record({ key: anyKey, end: anyEnd, result: fc.nat(3), target: fc.nat(4), number: fc.nat(12) })
  .chain((fields) => fc.record({ lease: anyLease, value: anyValue }).map((more) => ({ ...fields, ...more })))
  .map((compare) => ({
    ...compare,
    number: compare.target < 3 ? compare.number : 0,
    lease: compare.target === 4 ? compare.lease : 0n,
    value: compare.target === 3 ? compare.value : Buffer.alloc(0),
  }))

const trees = fc.letrec<{ operation: Operation; txn: TxnRequest }>((tie) => ({
  operation: fc.oneof({ depthSize: 'small', withCrossShrink: true }, anyPut, anyRange, anyDeleteRange, tie('txn')),
  txn: fc.record({
    type: fc.constant('txn' as const),
    compares: fc.array(anyCompare, { maxLength: 2 }),
    success: fc.array(tie('operation'), { maxLength: 4 }),
    failure: fc.array(tie('operation'), { maxLength: 4 }),
  }),
}))

export const anyTxn = trees.txn
