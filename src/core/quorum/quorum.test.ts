import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Configuration, MemberId } from '../replicated-log.ts'
import { committedIndex, isSoleVoter, voteResult } from './index.ts'

const someMembers = fc.uniqueArray(fc.bigInt({ min: 1n, max: 9n }), { maxLength: 7 })
const someConfiguration: fc.Arbitrary<Configuration> = fc.record({
  voters: someMembers.filter((members) => members.length > 0),
  outgoing: someMembers,
  learners: someMembers,
})

/** Whether `agreeing` holds more than half of each set of voters that is not empty. */
function naiveQuorum(configuration: Configuration, agreeing: (member: MemberId) => boolean): boolean {
  return [configuration.voters, configuration.outgoing]
    .filter((voters) => voters.length > 0)
    .every((voters) => voters.filter(agreeing).length * 2 > voters.length)
}

test('committedIndex is the highest index that a quorum has', () => {
  const someIndexes = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 10, maxLength: 10 })
  fc.assert(
    fc.property(someConfiguration, someIndexes, (configuration, indexes) => {
      const indexOf = (member: MemberId) => indexes[Number(member)] as number
      const naive = [6, 5, 4, 3, 2, 1, 0].find((index) => {
        return naiveQuorum(configuration, (member) => indexOf(member) >= index)
      })
      assert.equal(committedIndex(configuration, indexOf), naive)
    }),
  )
})

test('voteResult is won or lost exactly when the silent members cannot change it', () => {
  const someVotes = fc.array(fc.option(fc.boolean(), { nil: undefined }), { minLength: 10, maxLength: 10 })
  fc.assert(
    fc.property(someConfiguration, someVotes, (configuration, votes) => {
      const voteOf = (member: MemberId) => votes[Number(member)]
      const atWorst = naiveQuorum(configuration, (member) => voteOf(member) === true)
      const atBest = naiveQuorum(configuration, (member) => voteOf(member) !== false)
      assert.equal(voteResult(configuration, voteOf), atWorst ? 'won' : atBest ? 'pending' : 'lost')
    }),
  )
})

test('any two quorums of a configuration share a voter', () => {
  const someSubset = fc.array(fc.boolean(), { minLength: 10, maxLength: 10 })
  fc.assert(
    fc.property(someConfiguration, someSubset, (configuration, chosen) => {
      const won = (side: boolean) => {
        return voteResult(configuration, (member) => chosen[Number(member)] === side) === 'won'
      }
      assert.ok(!(won(true) && won(false)))
    }),
  )
})

test('without voters nothing is decided', () => {
  const nobody = { voters: [], outgoing: [], learners: [1n] }
  assert.equal(
    committedIndex(nobody, () => 7),
    0,
  )
  assert.equal(
    voteResult(nobody, () => true),
    'lost',
  )
  assert.equal(isSoleVoter(nobody, 1n), false)
})

test('a sole voter is alone in both halves', () => {
  assert.equal(isSoleVoter({ voters: [1n], outgoing: [], learners: [2n] }, 1n), true)
  assert.equal(isSoleVoter({ voters: [1n], outgoing: [1n, 2n], learners: [] }, 1n), false)
  assert.equal(isSoleVoter({ voters: [2n], outgoing: [], learners: [1n] }, 1n), false)
})
