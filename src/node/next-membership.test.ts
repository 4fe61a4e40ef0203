import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { GroupConfiguration } from '../engine/replication/index.ts'
import { type DeclaredMember, isCaughtUp, isReconciled, nextMembership } from './next-membership.ts'

interface Peer {
  readonly match: number
  readonly active?: boolean
}

/** The leader is member 1; the others are as far as `peers` says, else up to date. */
function group(
  voters: readonly bigint[],
  learners: readonly bigint[] = [],
  peers: Readonly<Record<string, Peer>> = {},
  rest: { outgoing?: readonly bigint[]; committed?: boolean; commitIndex?: number } = {},
): GroupConfiguration {
  const { outgoing = [], committed = true, commitIndex = 1000 } = rest
  const progress = new Map(
    [...voters, ...outgoing, ...learners]
      .filter((id) => id !== 1n)
      .map((id) => {
        const { match = commitIndex, active = true } = peers[String(id)] ?? {}
        return [id, { matchIndex: match, recentlyActive: active }] as const
      }),
  )
  return { configuration: { voters, outgoing, learners }, committed, commitIndex, progress }
}

function declared(voters: readonly bigint[], learners: readonly bigint[] = []): DeclaredMember[] {
  const member = (isLearner: boolean) => (id: bigint) => ({ id, name: `n${id}`, isLearner })
  return [...voters.map(member(false)), ...learners.map(member(true))]
}

function next(configuration: GroupConfiguration, members: readonly DeclaredMember[]): string {
  const target = nextMembership(1n, configuration, members)
  return target === undefined ? 'nothing' : `${target.voters.join(' ')} | ${target.learners.join(' ')}`
}

describe('the next step to the declared members', () => {
  test('is none when they are there', () => {
    assert.equal(next(group([1n, 2n], [3n]), declared([2n, 1n], [3n])), 'nothing')
    assert.ok(isReconciled(group([1n, 2n], [3n]), declared([2n, 1n], [3n])))
    assert.ok(!isReconciled(group([1n, 2n], [3n]), declared([1n, 2n, 3n])))
  })

  test('waits for the one under way', () => {
    assert.equal(next(group([1n], [], {}, { committed: false }), declared([1n, 2n])), 'nothing')
    assert.equal(next(group([1n, 2n], [], {}, { outgoing: [1n] }), declared([1n])), 'nothing')
    assert.ok(!isReconciled(group([1n], [], {}, { committed: false }), declared([1n])))
    assert.ok(!isReconciled(group([1n], [], {}, { outgoing: [1n, 2n] }), declared([1n])))
  })

  test('takes a new voter in as a learner first (M1)', () => {
    assert.equal(next(group([1n, 2n, 3n]), declared([1n, 2n, 3n, 4n])), '1 2 3 | 4')
  })

  test('lets a learner vote when it has caught up and answers, unless it is declared a learner (M1)', () => {
    const all = declared([1n, 2n, 3n, 4n])
    assert.equal(next(group([1n, 2n, 3n], [4n]), all), '1 2 3 4 | ')
    assert.equal(next(group([1n, 2n, 3n], [4n], { 4: { match: 100 } }), all), 'nothing')
    assert.equal(next(group([1n, 2n, 3n], [4n], { 4: { match: 1000, active: false } }), all), 'nothing')
    assert.equal(next(group([1n, 2n, 3n], [4n]), declared([1n, 2n, 3n], [4n])), 'nothing')
  })

  test('lets nobody vote who has not published its name; who votes already goes on (M4)', () => {
    const unnamed = declared([1n, 2n, 3n, 4n]).map((member) => ({ ...member, name: '' }))
    assert.equal(next(group([1n, 2n, 3n], [4n]), unnamed), 'nothing')
    assert.equal(next(group([1n, 2n, 3n]), unnamed), '1 2 3 | 4')
    assert.equal(next(group([1n, 2n, 3n, 4n]), unnamed), 'nothing')
  })

  test('promotes several at once, those that are ready', () => {
    const lagging = { 5: { match: 3 } }
    assert.equal(next(group([1n], [4n, 5n, 6n], lagging), declared([1n, 4n, 5n, 6n])), '1 4 6 | 5')
  })

  test('lets the removed go, voters and learners, the leader itself, and one that is down', () => {
    assert.equal(next(group([1n, 2n, 3n], [4n]), declared([1n, 2n])), '1 2 | ')
    assert.equal(next(group([1n, 2n, 3n]), declared([2n, 3n])), '2 3 | ')
    assert.equal(next(group([1n, 2n, 3n], [], { 3: { match: 9, active: false } }), declared([1n, 2n])), '1 2 | ')
  })

  test('never empties the voters: the last one goes when another can vote (M2)', () => {
    assert.equal(next(group([1n], [2n], { 2: { match: 0 } }), declared([2n])), 'nothing')
    assert.equal(next(group([1n], [2n]), declared([2n])), '2 | ')
    assert.equal(next(group([1n]), declared([], [2n])), '1 | 2')
    assert.equal(next(group([1n]), []), 'nothing')
  })

  test('keeps the voters as long as those declared would be no quorum, and takes in others meanwhile (M3)', () => {
    const away = { 3: { match: 9, active: false } }
    assert.equal(next(group([1n, 2n, 3n], [], away), declared([2n, 3n])), 'nothing')
    assert.equal(next(group([1n, 2n, 3n], [], away), declared([2n, 3n, 4n])), '1 2 3 | 4')
    assert.equal(next(group([1n, 2n, 3n], [4n], away), declared([2n, 3n, 4n])), '2 3 4 | ')
  })

  test('caught up means a bounded lag, and a bounded part', () => {
    const lag = (match: number, commitIndex: number) =>
      isCaughtUp(group([1n], [2n], { 2: { match } }, { commitIndex }), 2n)
    assert.deepEqual(
      [lag(0, 1), lag(9, 10), lag(8, 10), lag(900, 1000), lag(899, 1000)],
      [false, true, false, true, false],
    )
    assert.deepEqual([lag(995_000, 1_000_000), lag(994_999, 1_000_000)], [true, false])
    assert.equal(isCaughtUp(group([1n]), 2n), false)
  })
})
