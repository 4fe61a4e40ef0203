import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { noMember } from '../replicated-log.ts'
import { Progress } from './progress.ts'
import { Bench, sent } from './test-bench.ts'

/** A follower that acknowledged everything up to `index` and then lost its connection. */
function reconnected(index: number): Progress {
  const progress = new Progress(index + 1, 4)
  progress.acknowledged(index, 1)
  progress.connectionLost()
  progress.heartbeatAnswered(index)
  progress.appendSent(index, index)
  return progress
}

test('a follower that lost what it had acknowledged is sent it again', () => {
  const progress = reconnected(10)
  equal(progress.rejected(10, 7), true)
  equal(progress.matchIndex, 7)
  equal(progress.nextIndex, 8)
  equal(progress.canSend, true)
  progress.validate(10)
})

test('an answer to an older probe changes nothing', () => {
  const progress = reconnected(10)
  equal(progress.rejected(9, 3), false)
  equal(progress.matchIndex, 10)
  progress.validate(10)
})

test('a check of the quorum alone makes nobody silent: who answered before it still answers lately', () => {
  const bench = new Bench()
  bench.lead()
  bench.acknowledge(2n, 1)
  bench.persisted()
  bench.tick(10)
  equal(bench.raft.status().progress.get(2n)?.recentlyActive, true)
  equal(bench.raft.status().progress.get(3n)?.recentlyActive, false)
  const effects = bench.step({ type: 'transferLeadership', to: noMember })
  deepEqual(
    sent(effects, 'timeoutNow').map(({ to }) => to),
    [2n],
    'asked right after a check, the leader finds a successor',
  )
})

test('a follower whose disk stands still is sent more, by what it received', () => {
  const progress = new Progress(11, 2)
  progress.appendSent(11, 0)
  equal(progress.canSend, false)
  progress.heartbeatTimerFired()
  progress.heartbeatTimerFired()
  progress.received(11)
  equal(progress.state, 'replicate')
  equal(progress.nextIndex, 12)
  equal(progress.matchIndex, 0)
  progress.appendSent(12, 0)
  progress.appendSent(13, 0)
  equal(progress.canSend, false)
  progress.heartbeatTimerFired()
  progress.received(13)
  equal(progress.canSend, true)
  equal(progress.matchIndex, 0)
  progress.validate(13)
})
