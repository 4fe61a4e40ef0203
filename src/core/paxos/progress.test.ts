import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Progress } from './progress.ts'

function replicating(inflightMax = 4): Progress {
  const progress = new Progress(inflightMax)
  progress.begin(0)
  return progress
}

describe('progress of a member', () => {
  test('answers in any order: what is acknowledged is the union of all of them, as a naive set has it', () => {
    const someRange = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 8 }))
    fc.assert(
      fc.property(fc.array(someRange, { maxLength: 20 }), (ranges) => {
        const progress = replicating(100)
        progress.acceptSent(1, 40, 0)
        const naive = new Set<number>()
        for (const [first, length] of ranges) {
          for (let slot = first; slot <= first + length; slot++) naive.add(slot)
          progress.acknowledged(first, first + length, 0, 1)
          progress.validate(40)
        }
        let prefix = 0
        while (naive.has(prefix + 1)) prefix++
        assert.equal(progress.matchIndex, prefix)
        for (let slot = 1; slot <= 40; slot++) assert.equal(progress.isAcked(slot), naive.has(slot), String(slot))
        const open = progress.unackedFrom(1, 40)
        const firstOpen = Array.from({ length: 40 }, (_, i) => i + 1).find((slot) => !naive.has(slot))
        assert.equal(open?.first, firstOpen)
      }),
    )
  })

  test('the window: so many accepts unanswered, each answer frees its own', () => {
    const progress = replicating(2)
    progress.acceptSent(1, 1, 0)
    progress.acceptSent(2, 3, 0)
    assert.equal(progress.canSend, false)
    progress.acknowledged(2, 3, 0, 1)
    assert.equal(progress.canSend, true)
    assert.equal(progress.inflightCount, 1)
    progress.acknowledged(1, 1, 1, 1)
    assert.equal(progress.matchIndex, 3)
    assert.equal(progress.inflightCount, 0)
  })

  test('a loss is made good after a heartbeat interval, and only what was lost is sent again', () => {
    const progress = replicating()
    progress.acceptSent(1, 2, 0)
    progress.acknowledged(1, 2, 2, 1)
    progress.acceptSent(3, 4, 0)
    progress.acceptSent(5, 6, 0)
    progress.acknowledged(5, 6, 2, 1)
    progress.heartbeatTimerFired()
    progress.heartbeatAnswered(2, 6)
    assert.equal(progress.nextSlot, 7, 'slots at the front were acknowledged in this interval')
    progress.heartbeatTimerFired()
    progress.heartbeatAnswered(2, 6)
    assert.deepEqual(progress.unackedFrom(progress.nextSlot, 6), { first: 3, last: 4 })
  })

  test('a gap is noticed under steady load: what is acknowledged behind it is no progress', () => {
    const progress = replicating()
    progress.acceptSent(1, 2, 0)
    progress.acceptSent(3, 3, 0)
    for (let slot = 3; slot < 6; slot++) {
      progress.acknowledged(slot, slot, 0, 1)
      progress.acceptSent(slot + 1, slot + 1, 0)
      progress.heartbeatTimerFired()
    }
    progress.heartbeatAnswered(0, 6)
    assert.equal(progress.nextSlot, 1)
    assert.deepEqual(progress.unackedFrom(progress.nextSlot, 6), { first: 1, last: 2 })
  })

  test('a member whose disk is stuck is sent what comes after all it has received', () => {
    const progress = replicating(1)
    progress.acceptSent(1, 2, 0)
    progress.heartbeatTimerFired()
    assert.equal(progress.heartbeatAnswered(2, 5), false)
    assert.equal(progress.nextSlot, 3)
    assert.equal(progress.matchIndex, 0, 'nothing of it counts')
    assert.equal(progress.canSend, true)
  })

  test('everything received and nothing acknowledged: an empty accept asks what is durable', () => {
    const progress = replicating()
    progress.acceptSent(1, 2, 0)
    progress.heartbeatTimerFired()
    assert.equal(progress.heartbeatAnswered(2, 2), true)
  })

  test('a member that lost what it had acknowledged gets it again', () => {
    const progress = replicating()
    progress.acceptSent(1, 5, 0)
    progress.acknowledged(1, 5, 5, 1)
    progress.heartbeatTimerFired()
    progress.heartbeatTimerFired()
    progress.heartbeatAnswered(3, 5)
    assert.equal(progress.matchIndex, 3)
    assert.equal(progress.nextSlot, 4)
  })

  test('a broken connection: nothing is sent before a heartbeat is answered', () => {
    const progress = replicating()
    progress.acceptSent(1, 2, 0)
    progress.connectionLost()
    assert.equal(progress.canSend, false)
    progress.heartbeatAnswered(1, 2)
    assert.equal(progress.canSend, true)
    assert.equal(progress.nextSlot, 2)
  })

  test('a snapshot: no accepts until it is reported, or overtaken', () => {
    const progress = replicating()
    progress.becomeSnapshot()
    assert.equal(progress.heartbeatAnswered(0, 9), false)
    assert.equal(progress.canSend, false)
    progress.snapshotSent(7, true)
    assert.equal(progress.nextSlot, 8)
    progress.becomeSnapshot()
    progress.snapshotSent(7, false)
    assert.equal(progress.state, 'probe')
    progress.becomeSnapshot()
    progress.acknowledged(1, 9, 9, 5)
    assert.equal(progress.state, 'replicate')
  })
})
