import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ProposalOutcome } from './group.ts'
import { ProposalQueue } from './proposal-queue.ts'

function world(countMax = 10, termsNeverFall = true) {
  const queue = new ProposalQueue<string>({ countMax, bytesMax: 1000 }, termsNeverFall)
  const outcomes = new Map<number, ProposalOutcome<string>[]>()
  const add = (sequence: number, deadlineMs = 100) => {
    outcomes.set(sequence, [])
    const done = (outcome: ProposalOutcome<string>) => outcomes.get(sequence)!.push(outcome)
    return queue.add({ sequence, payload: new Uint8Array(10), done, deadlineMs, handedTerm: 0 })
  }
  const told = (sequence: number) =>
    outcomes.get(sequence)!.map((outcome) => (outcome.ok ? 'ok' : `${outcome.reason} ${outcome.outcome}`))
  return { queue, add, told }
}

describe('the queue of proposals', () => {
  test('P2: an applied entry of a later term settles what was handed in an earlier one', () => {
    const { queue, add, told } = world()
    add(1)
    queue.hand(3, 1000)
    add(2)
    queue.onAppliedTerm(3)
    assert.deepEqual(told(1), [])
    queue.onAppliedTerm(4)
    assert.deepEqual(told(1), ['leader-changed not-applied'])
    assert.deepEqual(told(2), [], 'one that waits is not touched')
    assert.equal(queue.take(1), undefined)
  })

  test('P2: where terms may fall along the log, it only tells that the earlier leader is gone', () => {
    const { queue, add, told } = world(10, false)
    add(1)
    queue.hand(3, 1000)
    add(2)
    queue.onAppliedTerm(4)
    assert.deepEqual(told(1), ['leader-changed unknown'])
    assert.deepEqual(told(2), [], 'one that waits is not touched')
    add(3)
    queue.hand(5, 1000)
    queue.onAppliedTerm(3)
    assert.deepEqual(told(3), [], 'a recovered value of an earlier term proves nothing')
  })

  test('P4: what a snapshot may have hidden is unknown', () => {
    const { queue, add, told } = world()
    add(1)
    queue.hand(3, 1000)
    add(2)
    queue.onEntriesSkipped()
    assert.deepEqual(told(1), ['leader-changed unknown'])
    assert.deepEqual(told(2), [])
  })

  test('a time-out is unknown once handed, and not-applied before', () => {
    const { queue, add, told } = world()
    add(1, 50)
    queue.hand(1, 1000)
    add(2, 60)
    add(3, 200)
    queue.expire(100)
    assert.deepEqual(told(1), ['timeout unknown'])
    assert.deepEqual(told(2), ['no-leader not-applied'])
    assert.deepEqual(told(3), [])
    assert.deepEqual(
      queue.hand(1, 1000).map((proposal) => proposal.sequence),
      [3],
    )
  })

  test('what its leader never proposed comes back to the front, in order; the word of another leader does not count', () => {
    const { queue, add } = world()
    add(1)
    add(2)
    queue.hand(1, 1000)
    add(3)
    queue.takeBack(9, [1, 2])
    queue.takeBack(1, [1, 2])
    assert.deepEqual(
      queue.hand(2, 1000).map((proposal) => [proposal.sequence, proposal.handedTerm]),
      [
        [1, 2],
        [2, 2],
        [3, 2],
      ],
    )
  })

  test('bounds: the count, and the bytes handed at once', () => {
    const { queue, add } = world(2)
    assert.ok(add(1))
    assert.ok(add(2))
    assert.ok(!add(3))
    assert.equal(queue.hand(1, 5).length, 1, 'at least one goes, however large')
    assert.equal(queue.take(1)?.sequence, 1)
    assert.ok(add(4))
  })

  test('stopping answers everything, each once', () => {
    const { queue, add, told } = world()
    add(1)
    queue.hand(1, 1000)
    add(2)
    queue.stop()
    queue.stop()
    assert.deepEqual(told(1), ['stopped unknown'])
    assert.deepEqual(told(2), ['stopped not-applied'])
  })
})
