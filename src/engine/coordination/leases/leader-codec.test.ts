import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeLeaderRequest, decodeLeaderResponse, encodeLeaderRequest, encodeLeaderResponse } from './leader-codec.ts'

const id = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(fc.array(id), (ids) => {
      assert.deepEqual(decodeLeaderRequest(encodeLeaderRequest({ type: 'renew', ids })), { type: 'renew', ids })
    }),
  )
  const remaining = { type: 'remaining', id: -(2n ** 63n) } as const
  assert.deepEqual(decodeLeaderRequest(encodeLeaderRequest(remaining)), remaining)
  const answers = {
    type: 'answers',
    leases: [
      { state: 1, ms: 9_000_000_000_000 },
      { state: 2, ms: 0 },
    ],
  } as const
  assert.deepEqual(decodeLeaderResponse(encodeLeaderResponse(answers)), answers)
  for (const type of ['not-leader', 'refused'] as const) {
    assert.deepEqual(decodeLeaderResponse(encodeLeaderResponse({ type })), { type })
  }
})

test('any bytes are decoded or refused, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
      const request = decodeLeaderRequest(bytes)
      if (request !== undefined) assert.deepEqual(encodeLeaderRequest(request), Buffer.from(bytes))
      decodeLeaderResponse(bytes)
    }),
  )
})
