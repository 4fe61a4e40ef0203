import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../../base/index.ts'
import {
  type AcceptorState,
  accepted,
  constrainedValue,
  freshAcceptor,
  higherProposal,
  Learner,
  mayAccept,
  type Proposal,
  Proposer,
  prepared,
} from './index.ts'

const majorityOf = (count: number) => (members: ReadonlySet<bigint>) => members.size * 2 > count

describe('Synod, Paxos Made Simple §2', () => {
  test('P1: an acceptor accepts the first proposal that it receives', () => {
    assert.deepEqual(accepted(freshAcceptor, { ballot: 1, value: 'a' }), {
      promised: 1,
      accepted: { ballot: 1, value: 'a' },
    })
  })

  test('P1a: an acceptor accepts a proposal iff it has not answered a prepare request of a higher ballot', () => {
    const promised = prepared<string>(freshAcceptor, 5)
    assert.ok(promised !== undefined)
    assert.equal(accepted(promised, { ballot: 4, value: 'late' }), undefined)
    assert.ok(accepted(promised, { ballot: 5, value: 'its own' }) !== undefined)
    assert.ok(
      accepted(promised, { ballot: 6, value: 'a higher one, whose prepare request it never saw' }) !== undefined,
    )
    assert.equal(mayAccept(5, 4), false)
  })

  test('§2.2: a prepare request is answered with the accepted proposal of the highest ballot, and once', () => {
    const state = accepted<string>(freshAcceptor, { ballot: 2, value: 'a' })
    assert.deepEqual(state && prepared(state, 7), { promised: 7, accepted: { ballot: 2, value: 'a' } })
    assert.equal(state && prepared(state, 2), undefined, 'the ballot it accepted in')
    assert.equal(state && prepared(state, 1), undefined)
  })

  test('P2c: a proposer is bound by the highest ballot among the promises, and free without any', () => {
    const none = { from: 1n, accepted: undefined }
    const low = { from: 2n, accepted: { ballot: 3, value: 'low' } }
    const high = { from: 3n, accepted: { ballot: 9, value: 'high' } }
    assert.equal(constrainedValue([none, high, low]), 'high')
    assert.equal(constrainedValue([none, low]), 'low')
    assert.equal(constrainedValue([none]), undefined)
    assert.deepEqual(higherProposal({ ballot: 1, value: 'a' }, { ballot: 2, value: 'b' }), { ballot: 2, value: 'b' })
    const proposer = new Proposer<string>(10, majorityOf(3))
    assert.equal(proposer.promised(low, 'own'), undefined, 'one promise is no quorum')
    assert.equal(proposer.promised(low, 'own'), undefined, 'nor is the same one twice')
    assert.deepEqual(proposer.promised(high, 'own'), { ballot: 10, value: 'high' })
    assert.equal(proposer.promised(none, 'own'), undefined, 'a ballot proposes once')
    const free = new Proposer<string>(11, majorityOf(3))
    free.promised(none, 'own')
    assert.deepEqual(free.promised({ from: 2n, accepted: undefined }, 'own'), { ballot: 11, value: 'own' })
  })

  test('§2.3: a value is chosen when a majority accepted it in one ballot; ballots do not add up', () => {
    const learner = new Learner<string>(majorityOf(3))
    assert.equal(learner.accepted(1n, { ballot: 1, value: 'a' }), false)
    assert.equal(learner.accepted(1n, { ballot: 1, value: 'a' }), false, 'the same acceptor twice')
    assert.equal(learner.accepted(2n, { ballot: 2, value: 'b' }), false, 'another ballot')
    assert.equal(learner.accepted(3n, { ballot: 2, value: 'b' }), true)
    assert.deepEqual(learner.chosen, { ballot: 2, value: 'b' })
  })
})

/** One decree among a few acceptors and proposers, with every message that was ever sent deliverable at any time, again and again. */
interface World {
  readonly acceptors: AcceptorState<string>[]
  readonly proposers: (Proposer<string> | undefined)[]
  readonly promises: {
    readonly ballot: number
    readonly from: number
    readonly accepted: Proposal<string> | undefined
  }[]
  readonly proposals: Proposal<string>[]
  readonly acceptances: { readonly from: number; readonly proposal: Proposal<string> }[]
}

/** How the rules may be broken, to see that the checks would notice. */
interface Breach {
  readonly forgets?: boolean
  readonly ownValue?: boolean
  readonly acceptsLate?: boolean
}

const acceptorCount = 3

/** Values chosen by the letter: accepted in one ballot by a majority, by the naive count over all that ever happened. */
function naivelyChosen(world: World): Set<string> {
  const chosen = new Set<string>()
  for (const { ballot, value } of world.proposals) {
    const voters = new Set(
      world.acceptances.filter(({ proposal }) => proposal.ballot === ballot).map(({ from }) => from),
    )
    if (voters.size * 2 > acceptorCount) chosen.add(value)
  }
  return chosen
}

/** P2b: once a value is chosen, every proposal of a higher ballot has it. */
function checkHigherProposals(world: World): void {
  for (const lower of world.proposals) {
    const voters = new Set(
      world.acceptances.filter(({ proposal }) => proposal.ballot === lower.ballot).map(({ from }) => from),
    )
    if (voters.size * 2 <= acceptorCount) continue
    for (const higher of world.proposals) {
      if (higher.ballot > lower.ballot) assert.equal(higher.value, lower.value, 'P2b')
    }
  }
}

function freshWorld(ballots: number): World {
  return {
    acceptors: Array.from({ length: acceptorCount }, () => freshAcceptor),
    proposers: Array.from({ length: ballots }, () => undefined),
    promises: [],
    proposals: [],
    acceptances: [],
  }
}

function prepareAt(world: World, ballot: number, at: number): void {
  const state = prepared(world.acceptors[at] as AcceptorState<string>, ballot)
  if (state === undefined) return
  world.acceptors[at] = state
  world.promises.push({ ballot, from: at, accepted: state.accepted })
}

function promiseTo(world: World, which: number, breach: Breach): void {
  const promise = world.promises[which]
  if (promise === undefined) return
  const { ballot, from } = promise
  world.proposers[ballot - 1] ??= new Proposer<string>(ballot, majorityOf(acceptorCount))
  const accepted = breach.ownValue ? undefined : promise.accepted
  const proposal = world.proposers[ballot - 1]?.promised({ from: BigInt(from), accepted }, `value of ${ballot}`)
  if (proposal !== undefined) world.proposals.push(proposal)
}

function acceptAt(world: World, which: number, at: number, breach: Breach): void {
  const proposal = world.proposals[which]
  if (proposal === undefined) return
  const acceptor = world.acceptors[at] as AcceptorState<string>
  const late = breach.acceptsLate
    ? { promised: Math.max(acceptor.promised, proposal.ballot), accepted: proposal }
    : undefined
  const state = accepted(acceptor, proposal) ?? late
  if (state === undefined) return
  world.acceptors[at] = state
  world.acceptances.push({ from: at, proposal })
}

function randomWorld(prng: Prng, breach: Breach = {}): World {
  const world = freshWorld(4)
  for (let step = 0; step < 60; step++) {
    const at = prng.below(acceptorCount)
    switch (prng.below(3)) {
      case 0:
        prepareAt(world, 1 + prng.below(4), at)
        break
      case 1:
        promiseTo(world, prng.below(Math.max(1, world.promises.length)), breach)
        break
      default:
        acceptAt(world, prng.below(Math.max(1, world.proposals.length)), at, breach)
    }
    if (breach.forgets && prng.below(8) === 0) world.acceptors[at] = freshAcceptor
    checkHigherProposals(world)
    assert.ok(naivelyChosen(world).size <= 1, `P2: two values are chosen: ${[...naivelyChosen(world)]}`)
  }
  return world
}

describe('Synod under any order of messages', () => {
  test('P2, P2b: only one value is ever chosen, and learners agree with the naive count', () => {
    let decided = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const world = randomWorld(new Prng(`synod ${seed}`))
        const learner = new Learner<string>(majorityOf(acceptorCount))
        for (const { from, proposal } of world.acceptances) learner.accepted(BigInt(from), proposal)
        assert.deepEqual(learner.chosen === undefined ? [] : [learner.chosen.value], [...naivelyChosen(world)])
        if (learner.chosen !== undefined) decided++
      }),
      { numRuns: 2000 },
    )
    assert.ok(decided > 200, `worlds decide: ${decided}`)
  })

  for (const [name, breach] of Object.entries({
    'an acceptor that forgets its promise': { forgets: true },
    'a proposer that prefers its own value': { ownValue: true },
    'an acceptor that accepts below its promise': { acceptsLate: true },
  } satisfies Record<string, Breach>)) {
    test(`the check notices ${name}`, () => {
      assert.throws(() => {
        for (let seed = 0; seed < 5000; seed++) randomWorld(new Prng(`breach ${seed}`), breach)
      }, /P2/)
    })
  }

  test('every interleaving of two ballots over three acceptors, exhaustively', () => {
    let worlds = 0
    const explore = (world: World, depth: number): void => {
      worlds++
      checkHigherProposals(world)
      assert.ok(naivelyChosen(world).size <= 1)
      if (depth === 0) return
      const branches: ((copy: World) => void)[] = []
      for (let at = 0; at < acceptorCount; at++) {
        // Acceptor 2 hears the second ballot only: less would be symmetric, and the tree stays small.
        for (const ballot of at === 2 ? [2] : [1, 2]) branches.push((copy) => prepareAt(copy, ballot, at))
        for (let i = 0; i < world.proposals.length; i++) branches.push((copy) => acceptAt(copy, i, at, {}))
      }
      for (const branch of branches) {
        const copy = copyOf(world)
        branch(copy)
        // Promises arrive at once; that they may be late is what the random worlds try.
        for (let i = world.promises.length; i < copy.promises.length; i++) promiseTo(copy, i, {})
        if (!sameWorld(world, copy)) explore(copy, depth - 1)
      }
    }
    explore(freshWorld(2), 7)
    assert.ok(worlds > 1000, `explored ${worlds}`)
  })

  test('§2.4 progress: duelling proposers may go on for ever; a distinguished one is done after its two phases', () => {
    const world = freshWorld(50)
    // Each prepares just before the other's accept requests arrive.
    for (let ballot = 1; ballot < 50; ballot++) {
      for (let at = 0; at < 2; at++) prepareAt(world, ballot, at)
      for (let i = 0; i < world.promises.length; i++) promiseTo(world, i, {})
      for (let at = 0; at < 2; at++) prepareAt(world, ballot + 1, at)
      for (let i = 0; i < world.proposals.length; i++) for (let at = 0; at < 2; at++) acceptAt(world, i, at, {})
      assert.equal(naivelyChosen(world).size, 0, 'nothing is chosen while they duel')
    }
    for (let i = 0; i < world.promises.length; i++) promiseTo(world, i, {})
    for (let at = 0; at < 2; at++) acceptAt(world, world.proposals.length - 1, at, {})
    assert.equal(naivelyChosen(world).size, 1, 'the last one is left in peace')
  })
})

function copyOf(world: World): World {
  const proposers = world.proposers.map((proposer, i) => {
    if (proposer === undefined) return undefined
    const copy = new Proposer<string>(i + 1, majorityOf(acceptorCount))
    for (const { ballot, from, accepted } of world.promises) {
      if (ballot === i + 1) copy.promised({ from: BigInt(from), accepted }, `value of ${ballot}`)
    }
    return copy
  })
  const { acceptors, promises, proposals, acceptances } = world
  return {
    acceptors: [...acceptors],
    proposers,
    promises: [...promises],
    proposals: [...proposals],
    acceptances: [...acceptances],
  }
}

function sameWorld(a: World, b: World): boolean {
  return a.promises.length === b.promises.length && a.acceptors.every((state, i) => state === b.acceptors[i])
}
