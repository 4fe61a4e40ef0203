import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { etcdErrors } from '../../../wire/etcd/index.ts'
import { outcomeOf, RpcFailure } from './rpc-failure.ts'

/** Which of the server's refusals say with certainty that nothing was carried out. */
const uncertain = [
  'NO_LEADER',
  'NO_LEADER_KNOWN',
  'LEADER_CHANGED',
  'TIMEOUT',
  'DISK_FULL',
  'UNHEALTHY',
  'STOPPED',
  'CANCELED',
  'WATCH_CANCELED',
  'DEADLINE_EXCEEDED',
  'CORRUPT',
  'MALFORMED_REQUEST',
  'NOT_ENOUGH_STARTED',
]

describe('what a failed call says of its operation', () => {
  for (const [code, { status, message }] of Object.entries(etcdErrors)) {
    const outcome = uncertain.includes(code) ? 'unknown' : 'failed'
    it(`${code}: ${outcome}`, () => {
      assert.equal(outcomeOf(new RpcFailure('refused', message, status)), outcome)
    })
  }

  it('nothing sent: failed; broken, too late, or anything else: unknown', () => {
    assert.equal(outcomeOf(new RpcFailure('not-sent', 'connection refused')), 'failed')
    assert.equal(outcomeOf(new RpcFailure('broken', 'reset')), 'unknown')
    assert.equal(outcomeOf(new RpcFailure('deadline', 'no answer')), 'unknown')
    assert.equal(outcomeOf(new Error('undecodable')), 'unknown')
  })

  it('an answer that grew too long was given after the deed', () => {
    const message = 'trying to send message larger than max (5 vs. 4)'
    assert.equal(outcomeOf(new RpcFailure('refused', message, 8)), 'unknown')
  })
})
