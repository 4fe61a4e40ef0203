import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { encodeConfiguration } from '../consensus/index.ts'
import { type Entry, noMember } from '../replicated-log.ts'
import { accept, Bench, only, prepare, promise, records, sent, slot, texts } from './testing/bench.ts'

/** Paxos Made Simple, by section, as Multi-Paxos keeps it; and what practice adds to it. */

describe('Paxos Made Simple §2.2, choosing a value', () => {
  test('P1a: nothing is accepted in a lower round than the promised one, and its proposer is told', () => {
    const bench = new Bench({ id: 2n })
    bench.hear(3n, prepare(5, 1))
    const effects = bench.hear(1n, accept(4, 1, ['late']))
    assert.deepEqual(texts(bench.paxos), [])
    assert.deepEqual(only(effects, 'persist'), [])
    assert.deepEqual(sent(effects, 'rejected'), [{ to: 1n, message: { type: 'rejected', round: 5 }, afterPersist: 0 }])
    bench.hear(3n, accept(5, 1, ['in time']))
    assert.deepEqual(texts(bench.paxos), ['in time'])
  })

  test('a promise carries what was accepted, leaves when it is durable, and binds after a restart', () => {
    const before = new Bench({ id: 2n })
    before.hear(1n, accept(1, 1, ['a', 'b']))
    before.persisted()
    const effects = before.hear(3n, prepare(4, 1, true))
    const [answer] = sent(effects, 'promise')
    const [persist] = only(effects, 'persist')
    assert.deepEqual(persist?.hardState, { term: 4, votedFor: 3n })
    assert.equal(answer?.afterPersist, persist?.id)
    assert.deepEqual(
      answer?.message.slots.map(({ ballot, value }) => [value.index, ballot]),
      [
        [1, 1],
        [2, 1],
      ],
    )
    const entries = records([slot(1, 'a', 1), slot(2, 'b', 1)])
    const after = new Bench({ id: 2n, restore: { hardState: { term: 4, votedFor: 3n }, entries } })
    assert.equal(sent(after.hear(1n, accept(3, 3, ['late'])), 'rejected').length, 1)
    assert.equal(sent(after.hear(1n, prepare(4, 1)), 'promise')[0]?.message.granted, false, 'the round belongs to 3')
    assert.equal(sent(after.hear(3n, prepare(4, 1)), 'promise')[0]?.message.granted, true)
  })

  test('ballots are unique: a round is durable before it is used, and a restart goes on above it', () => {
    const bench = new Bench({ options: { preVote: false } })
    const effects = bench.tick(10)
    const [persist] = only(effects, 'persist')
    assert.deepEqual(persist?.hardState, { term: 1, votedFor: 1n })
    for (const { afterPersist } of sent(effects, 'prepare')) assert.equal(afterPersist, persist?.id)
    const again = new Bench({ restore: { hardState: { term: 1, votedFor: 1n } }, options: { preVote: false } })
    for (const { message } of sent(again.tick(10), 'prepare')) assert.equal(message.round, 2)
  })

  test('P2c: each slot gets the value of the highest ballot in the reports, as a naive choice over all of them has it', () => {
    const someSlots = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 9 })), {
      selector: ([index]) => index,
      maxLength: 6,
    })
    fc.assert(
      fc.property(someSlots, someSlots, (own, reported) => {
        const slotsOf = (pairs: readonly [number, number][]) =>
          pairs.toSorted(([a], [b]) => a - b).map(([index, ballot]) => slot(index, `${index} in ${ballot}`, ballot))
        const all = [...slotsOf(own), ...slotsOf(reported)]
        const bench = new Bench({
          restore: { hardState: { term: 9, votedFor: noMember }, entries: records(slotsOf(own)) },
        })
        const round = bench.campaign()
        bench.hear(2n, promise(round, 1, slotsOf(reported)))
        assert.equal(bench.paxos.status().role, 'leader')
        const last = Math.max(0, ...all.map(({ value }) => value.index))
        const naive = Array.from({ length: last }, (_, i) => {
          const [highest] = all.filter(({ value }) => value.index === i + 1).sort((a, b) => b.ballot - a.ballot)
          return highest === undefined ? 'noop' : Buffer.from(highest.value.payload).toString()
        })
        assert.deepEqual(texts(bench.paxos), [...naive, 'noop'])
        for (let index = 1; index <= last; index++) assert.equal(bench.paxos.slotAt(index)?.ballot, round)
      }),
    )
  })

  test('a recovered value keeps the round that proposed it first, on its way and when it is applied', () => {
    const bench = new Bench({ restore: { hardState: { term: 7, votedFor: noMember } } })
    const round = bench.campaign()
    const effects = bench.hear(2n, promise(round, 1, [slot(1, 'old', 6, 3)]))
    assert.deepEqual(
      sent(effects, 'accept')[0]?.message.entries.map(({ term }) => term),
      [3, 8],
    )
    bench.persisted()
    bench.acknowledge(2n, 2)
    assert.deepEqual(
      bench.paxos.entries(1, 2).map(({ term }) => term),
      [3, 8],
    )
  })
})

describe('Paxos Made Simple §2.3, learning a chosen value', () => {
  test('a slot is chosen when a quorum accepted it durably, the leader included', () => {
    const bench = new Bench({ voters: [1n, 2n, 3n, 4n, 5n] })
    const round = bench.campaign()
    bench.hear(2n, promise(round, 1, []))
    bench.hear(3n, promise(round, 1, []))
    assert.deepEqual(only(bench.acknowledge(2n, 1), 'commit'), [])
    assert.deepEqual(only(bench.acknowledge(2n, 1), 'commit'), [], 'the same acceptor again')
    assert.deepEqual(only(bench.persisted(), 'commit'), [], 'two of five')
    assert.deepEqual(only(bench.acknowledge(3n, 1), 'commit'), [{ type: 'commit', index: 1 }])
  })

  test('the leader does not count what is not on its own disk', () => {
    const bench = new Bench()
    bench.lead()
    assert.deepEqual(only(bench.acknowledge(2n, 1), 'commit'), [])
    assert.deepEqual(only(bench.persisted(), 'commit'), [{ type: 'commit', index: 1 }])
  })

  test('acceptances of another ballot do not count', () => {
    const bench = new Bench({ restore: { hardState: { term: 4, votedFor: noMember } } })
    bench.campaign()
    bench.hear(3n, promise(5, 1, [slot(1, 'x', 4)]))
    bench.persisted()
    bench.hear(2n, { type: 'accepted', round: 4, firstSlot: 1, lastSlot: 1, throughSlot: 1 })
    assert.equal(bench.paxos.status().commitIndex, 0)
    bench.hear(2n, { type: 'accepted', round: 5, firstSlot: 1, lastSlot: 1, throughSlot: 1 })
    assert.equal(bench.paxos.status().commitIndex, 1)
  })

  test("a learner's acceptance does not count", () => {
    const bench = new Bench({ voters: [1n, 2n, 3n], learners: [4n, 5n] })
    bench.lead()
    bench.persisted()
    bench.acknowledge(4n, 1)
    bench.acknowledge(5n, 1)
    assert.equal(bench.paxos.status().commitIndex, 0)
    bench.acknowledge(3n, 1)
    assert.equal(bench.paxos.status().commitIndex, 1)
  })

  test('slots are chosen in any order, and known chosen without gaps', () => {
    const bench = new Bench()
    bench.lead()
    bench.propose('a', 'b', 'c')
    bench.persisted()
    bench.acknowledge(2n, 1)
    bench.hear(2n, { type: 'accepted', round: 1, firstSlot: 3, lastSlot: 4, throughSlot: 1 })
    assert.equal(bench.paxos.status().commitIndex, 1)
    bench.hear(3n, { type: 'accepted', round: 1, firstSlot: 2, lastSlot: 2, throughSlot: 0 })
    assert.equal(bench.paxos.status().commitIndex, 4, 'no quorum has everything, and all of it is chosen')
  })

  test("a follower takes the leader's word only for what it accepted in the leader's round", () => {
    const entries = records([slot(1, 'a', 3), slot(2, 'not chosen', 2)])
    const bench = new Bench({ id: 2n, restore: { hardState: { term: 3, votedFor: 3n }, entries } })
    const effects = bench.hear(1n, { type: 'heartbeat', round: 4, chosenIndex: 2, context: 0 })
    assert.deepEqual(only(effects, 'commit'), [])
    assert.deepEqual(only(bench.hear(1n, accept(4, 1, ['a', 'b'], 2)), 'commit'), [{ type: 'commit', index: 2 }])
    assert.deepEqual(texts(bench.paxos), ['a', 'b'])
  })

  test('an accept that overtook others waits for them', () => {
    const bench = new Bench({ id: 2n })
    assert.deepEqual(only(bench.hear(1n, accept(1, 3, ['c'], 3)), 'commit'), [])
    assert.deepEqual(texts(bench.paxos), ['-', '-', 'c'])
    assert.deepEqual(only(bench.hear(1n, accept(1, 1, ['a', 'b'])), 'commit'), [{ type: 'commit', index: 3 }])
  })

  test('an acceptance is told when it is durable', () => {
    const bench = new Bench({ id: 2n })
    const effects = bench.hear(1n, accept(1, 1, ['a']))
    assert.equal(sent(effects, 'accepted')[0]?.afterPersist, only(effects, 'persist')[0]?.id)
    const again = bench.hear(1n, accept(1, 1, ['a']))
    assert.deepEqual(only(again, 'persist'), [], 'the same once more is not written again')
    assert.equal(sent(again, 'accepted')[0]?.afterPersist, only(effects, 'persist')[0]?.id, 'but still waited for')
  })
})

describe('Paxos Made Simple §2.4, progress', () => {
  test('a leader without a quorum gives up; acceptors that hear a leader ignore others', () => {
    const bench = new Bench()
    bench.lead()
    bench.tick(10)
    assert.equal(bench.paxos.status().role, 'leader', '2 was heard in this period')
    bench.tick(10)
    assert.equal(bench.paxos.status().role, 'follower')
    const loyal = new Bench({ id: 2n })
    loyal.hear(1n, accept(1, 1, ['a']))
    assert.deepEqual(loyal.hear(3n, prepare(2, 1)), [])
    loyal.tick(10)
    assert.equal(loyal.paxos.status().term, 1)
    assert.equal(sent(loyal.hear(3n, prepare(2, 1)), 'promise').length, 1)
  })

  test('a node that was cut off asks first, and deposes nobody', () => {
    const bench = new Bench({ id: 3n })
    bench.tick(100)
    assert.equal(bench.paxos.status().term, 0)
  })
})

describe('Paxos Made Simple §3, a state machine', () => {
  test('phase 1 is carried out once for all slots; then one accept a command', () => {
    const bench = new Bench()
    bench.lead()
    const effects = bench.propose('a', 'b')
    assert.deepEqual(sent(effects, 'prepare'), [])
    assert.deepEqual(
      sent(effects, 'accept').map(({ to, afterPersist }) => [to, afterPersist]),
      [[2n, 0]],
      'in parallel with the own disk; 3 has not said yet where it is',
    )
  })

  test('a long report comes in pages, and counts when it is complete', () => {
    const bench = new Bench({ restore: { hardState: { term: 1, votedFor: noMember } } })
    const round = bench.campaign()
    const first = promise(round, 1, [slot(1, 'a', 1)], { complete: false })
    const effects = bench.hear(2n, first)
    assert.equal(bench.paxos.status().role, 'candidate')
    assert.deepEqual(sent(effects, 'prepare')[0]?.message.fromSlot, 2)
    bench.hear(2n, promise(round, 3, [slot(3, 'c', 1)]))
    assert.equal(bench.paxos.status().role, 'candidate', 'a page is missing in between')
    bench.hear(2n, promise(round, 2, [slot(2, 'b', 1), slot(3, 'c', 1)]))
    assert.equal(bench.paxos.status().role, 'leader')
    assert.deepEqual(texts(bench.paxos), ['a', 'b', 'c', 'noop'])
  })

  test('an acceptor whose snapshot covers what a candidate lacks does not promise', () => {
    const configuration = { voters: [1n, 2n, 3n], outgoing: [], learners: [] }
    const bench = new Bench({
      id: 2n,
      restore: { hardState: { term: 3, votedFor: 1n }, snapshot: { index: 10, term: 3, configuration } },
    })
    assert.equal(sent(bench.hear(3n, prepare(4, 9)), 'promise')[0]?.message.granted, false)
    assert.equal(sent(bench.hear(1n, prepare(5, 11)), 'promise')[0]?.message.granted, true)
  })

  test('what a report says is chosen is taken over, though no quorum has reported', () => {
    const bench = new Bench({ restore: { hardState: { term: 2, votedFor: noMember } }, voters: [1n, 2n, 3n, 4n, 5n] })
    bench.tick(10)
    for (const voter of [2n, 3n]) bench.hear(voter, { type: 'preVoteResponse', round: 3, granted: true })
    const effects = bench.hear(2n, promise(3, 1, [slot(1, 'a', 1), slot(2, 'b', 2)], { chosenIndex: 1 }))
    assert.deepEqual(only(effects, 'commit'), [{ type: 'commit', index: 1 }])
    assert.equal(bench.paxos.status().role, 'candidate')
  })
})

describe('what practice adds', () => {
  test('a restart knows chosen what its records claim, as far as its snapshot reaches back', () => {
    const slots = [slot(1, 'a', 1), slot(2, 'b', 1), slot(3, 'c', 1)]
    const known = new Bench({
      restore: { hardState: { term: 1, votedFor: 2n }, entries: records(slots, { chosenAfter: 0, chosenThrough: 9 }) },
    })
    assert.equal(known.paxos.status().commitIndex, 2, 'a record claims what is written before it')
    assert.deepEqual(only(known.tick(1), 'commit'), [{ type: 'commit', index: 2 }])
    const configuration = { voters: [1n, 2n, 3n], outgoing: [], learners: [] }
    const after = (chosenAfter: number) => {
      const entries = [...records([slot(6, 'f', 1)]), ...records([slot(7, 'g', 1)], { chosenAfter, chosenThrough: 9 })]
      const snapshot = { index: 5, term: 1, configuration }
      return new Bench({ restore: { hardState: { term: 1, votedFor: 2n }, snapshot, entries } }).paxos.status()
    }
    assert.equal(after(5).commitIndex, 6)
    assert.equal(after(0).commitIndex, 6)
    assert.equal(after(6).commitIndex, 5, 'the claim begins at a snapshot that is not there any more')
  })

  test('what was accepted before a snapshot from the leader is not taken for chosen after a restart', () => {
    const configuration = { voters: [1n, 2n, 3n], outgoing: [], learners: [] }
    const meta = { index: 2, term: 2, configuration }
    const bench = new Bench({ id: 3n })
    const disk = new Map(
      only(bench.hear(2n, accept(1, 1, ['a', 'not chosen'], 1)), 'persist')
        .flatMap((persist) => persist.entries)
        .map((entry) => [entry.index, entry]),
    )
    bench.hear(1n, { type: 'heartbeat', round: 2, chosenIndex: 2, context: 0 })
    bench.persisted()
    bench.step({ type: 'snapshotRestored', meta })
    for (const persist of only(bench.hear(1n, accept(2, 3, ['c'], 2)), 'persist')) {
      for (const entry of persist.entries) disk.set(entry.index, entry)
    }
    const restore = { hardState: { term: 2, votedFor: noMember }, snapshot: meta, entries: [...disk.values()] }
    assert.deepEqual(texts(new Bench({ id: 3n, restore }).paxos), ['c'])
  })

  test('slots before the snapshot are kept for others only where a claim covers them', () => {
    const configuration = { voters: [1n, 2n, 3n], outgoing: [], learners: [] }
    const early = [slot(3, 'c', 1)]
    const slots = [slot(4, 'd', 1), slot(5, 'e', 1), slot(6, 'f', 1), slot(7, 'g', 1)]
    const restore = { hardState: { term: 1, votedFor: 2n }, snapshot: { index: 5, term: 1, configuration } }
    const entries = [...records(early), ...records(slots, { chosenAfter: 3, chosenThrough: 6 })]
    assert.deepEqual(texts(new Bench({ restore: { ...restore, entries } }).paxos), ['d', 'e', 'f', 'g'])
    const none = new Bench({ restore: { ...restore, entries: records(slots) } })
    assert.deepEqual(texts(none.paxos), ['f', 'g'])
  })

  test('reads wait until the opening value is chosen, and for a quorum that still follows', () => {
    const bench = new Bench()
    bench.lead()
    assert.deepEqual(sent(bench.step({ type: 'readIndex', id: 1 }), 'heartbeat'), [])
    bench.persisted()
    const [heartbeat] = sent(bench.acknowledge(2n, 1), 'heartbeat')
    assert.ok(heartbeat !== undefined)
    const { context } = heartbeat.message
    const answer = { type: 'heartbeatResponse', round: 1, context, receivedThrough: 1 } as const
    assert.deepEqual(only(bench.hear(2n, { ...answer, context: context - 1 }), 'readReady'), [])
    assert.deepEqual(only(bench.hear(2n, answer), 'readReady'), [{ type: 'readReady', id: 1, index: 1 }])
  })

  test('a proposal is refused while too much is unchosen, in bytes and in slots', () => {
    const bench = new Bench({ options: { maxUnchosenBytes: 60, maxUnchosenSlots: 100 } })
    bench.lead()
    assert.equal(bench.paxos.propose([Buffer.alloc(20)]).ok, true)
    assert.deepEqual(bench.paxos.propose([Buffer.alloc(20)]), { ok: false, reason: 'full', leader: 1n })
    const few = new Bench({ options: { maxUnchosenSlots: 2 } })
    few.lead()
    assert.equal(few.paxos.propose([Buffer.alloc(1)]).ok, false)
  })

  test('an acceptor takes nothing that lies farther ahead than any leader may propose', () => {
    const bench = new Bench({ id: 2n, options: { maxUnchosenSlots: 5 } })
    assert.deepEqual(
      bench.hear(1n, accept(1, 1_000_000, ['far'])).filter(({ type }) => type === 'send'),
      [],
    )
    assert.equal(bench.paxos.status().lastIndex, 0)
  })

  test('a report from farther ahead than any leader may propose, or with less than it claims to be chosen, is ignored', () => {
    const bench = new Bench({ options: { maxUnchosenSlots: 5 } })
    const round = bench.campaign()
    bench.hear(2n, promise(round, 1, [slot(7, 'far', 1)]))
    bench.hear(2n, promise(round, 1, [slot(7, 'far', 1)], { chosenIndex: 6 }))
    bench.hear(2n, promise(round, 1, [], { chosenIndex: 1 }))
    assert.equal(bench.paxos.status().role, 'candidate')
    assert.equal(bench.paxos.status().lastIndex, 0)
    bench.hear(2n, promise(round, 1, [slot(1, 'chosen', 1), slot(6, 'near', 1)], { chosenIndex: 1 }))
    assert.deepEqual(texts(bench.paxos), ['chosen', 'noop', 'noop', 'noop', 'noop', 'near', 'noop'])
  })

  test('a snapshot is taken in only in a round that is on disk', () => {
    const configuration = { voters: [1n, 2n, 3n], outgoing: [], learners: [] }
    const meta = { index: 9, term: 2, configuration }
    const bench = new Bench({ id: 3n })
    const effects = bench.hear(1n, { type: 'heartbeat', round: 2, chosenIndex: 9, context: 0 })
    assert.equal(sent(effects, 'heartbeatResponse')[0]?.afterPersist, 0)
    bench.hear(1n, { type: 'installSnapshot', round: 2, meta })
    assert.equal(bench.paxos.acceptsSnapshot(meta), false)
    bench.persisted()
    assert.equal(bench.paxos.acceptsSnapshot(meta), true)
    bench.step({ type: 'snapshotRestored', meta })
    assert.equal(bench.paxos.status().commitIndex, 9)
  })
})

describe('a member whose disk is full', () => {
  test('learns and serves what the others choose in a round that it cannot write down', () => {
    const bench = new Bench({ id: 3n })
    bench.hear(1n, { type: 'heartbeat', round: 2, chosenIndex: 0, context: 0 })
    const entries = [{ index: 1, term: 2, kind: 'noop', payload: new Uint8Array(0) } as const]
    const accepted = bench.hear(1n, { type: 'accept', round: 2, firstSlot: 1, chosenIndex: 0, entries })
    assert.notEqual(sent(accepted, 'accepted')[0]?.afterPersist, 0, 'it vouches for nothing')
    const effects = bench.hear(1n, { type: 'heartbeat', round: 2, chosenIndex: 1, context: 0 })
    assert.equal(bench.paxos.status().commitIndex, 1)
    const answer = sent(effects, 'heartbeatResponse')[0]
    assert.equal(answer?.afterPersist, 0)
    assert.deepEqual(answer?.message.type === 'heartbeatResponse' && answer.message.receivedThrough, 1)
  })
})

describe('reconfiguration', () => {
  test('M1, M2: a configuration governs when it is chosen, not before; then its own quorum must have promised', () => {
    const bench = new Bench()
    bench.lead()
    bench.persisted()
    bench.acknowledge(2n, 1)
    const effects = bench.changeMembers([1n, 4n, 5n])
    assert.deepEqual(
      sent(effects, 'prepare').map(({ to }) => to),
      [4n, 5n],
      'asked ahead',
    )
    bench.hear(4n, promise(1, 2, []))
    assert.deepEqual(bench.paxos.propose([Buffer.from('x')]), { ok: false, reason: 'full', leader: 1n })
    bench.persisted()
    bench.acknowledge(4n, 2)
    assert.equal(bench.paxos.status().commitIndex, 1, 'the new members have no say about slot 2')
    bench.acknowledge(3n, 2)
    assert.equal(bench.paxos.status().commitIndex, 2)
    assert.deepEqual(bench.paxos.status().configuration, { voters: [1n, 4n, 5n], outgoing: [1n, 2n, 3n], learners: [] })
    bench.persisted()
    bench.acknowledge(2n, 3)
    bench.acknowledge(3n, 3)
    assert.equal(bench.paxos.status().commitIndex, 2, 'the old members have no say about slot 3')
    bench.acknowledge(4n, 3)
    assert.equal(bench.paxos.status().commitIndex, 3)
    assert.deepEqual(bench.paxos.status().configuration, { voters: [1n, 4n, 5n], outgoing: [], learners: [] })
    assert.equal(bench.paxos.propose([Buffer.from('x')]).ok, true)
  })

  test('M2: without a quorum of the new members nothing is proposed', () => {
    const bench = new Bench()
    bench.lead()
    bench.persisted()
    bench.acknowledge(2n, 1)
    bench.changeMembers([1n, 4n, 5n])
    bench.persisted()
    bench.acknowledge(2n, 2)
    assert.equal(bench.paxos.status().commitIndex, 2)
    assert.equal(bench.paxos.status().lastIndex, 2)
    assert.equal(bench.paxos.propose([Buffer.from('x')]).ok, false)
    bench.hear(5n, promise(1, 2, []))
    assert.equal(bench.paxos.status().lastIndex, 3, 'the noop that settles it')
  })

  test('M5: the slot after a configuration counts only from those that hold everything before it', () => {
    const bench = new Bench({ voters: [1n] })
    bench.tick(1)
    bench.persisted()
    bench.persisted()
    assert.equal(bench.paxos.status().commitIndex, 1)
    bench.changeMembers([1n, 4n, 5n])
    bench.persisted()
    bench.hear(4n, promise(1, 2, []))
    bench.persisted()
    bench.hear(5n, { type: 'accepted', round: 1, firstSlot: 3, lastSlot: 3, throughSlot: 0 })
    bench.hear(5n, { type: 'accepted', round: 1, firstSlot: 2, lastSlot: 2, throughSlot: 2 })
    assert.equal(bench.paxos.status().commitIndex, 2, 'it has slot 3, and does not know yet what slot 2 chose')
    bench.acknowledge(5n, 3)
    assert.equal(bench.paxos.status().commitIndex, 3)
  })

  test('M5: who acknowledges the slot after a configuration knows that chosen, on disk, in whatever order they came', () => {
    const payload = encodeConfiguration({ voters: [2n, 4n], outgoing: [], learners: [] })
    const configuration = { index: 1, term: 1, kind: 'configuration', payload } as const
    const noop = { index: 2, term: 1, kind: 'noop', payload: Buffer.alloc(0) } as const
    const bench = new Bench({ id: 4n, voters: [1n, 2n] })
    const first = bench.hear(1n, { type: 'accept', round: 1, firstSlot: 2, chosenIndex: 1, entries: [noop] })
    const second = bench.hear(1n, { type: 'accept', round: 1, firstSlot: 1, chosenIndex: 1, entries: [configuration] })
    assert.equal(sent(second, 'accepted')[0]?.message.throughSlot, 1, 'its round is not on disk (M6)')
    const third = bench.persisted()
    const [vouches] = sent(third, 'accepted')
    assert.equal(vouches?.message.throughSlot, 2)
    assert.equal(vouches?.afterPersist, only(third, 'persist')[0]?.id)
    const disk = new Map<number, Entry>()
    for (const persist of only([...first, ...second, ...third], 'persist')) {
      for (const entry of persist.entries) disk.set(entry.index, entry)
    }
    const entries = [...disk.values()].sort((a, b) => a.index - b.index)
    const again = new Bench({
      id: 4n,
      voters: [1n, 2n],
      restore: { hardState: { term: 1, votedFor: noMember }, entries },
    })
    assert.deepEqual(again.paxos.status().configuration.voters, [2n, 4n])
    assert.equal(again.paxos.status().role, 'follower')
  })

  test('C3: a configuration of a deposed leader, recovered behind values of later rounds, sets nothing', () => {
    const payload = encodeConfiguration({ voters: [7n, 8n, 9n], outgoing: [], learners: [] })
    const late = { ballot: 3, value: { index: 3, term: 3, kind: 'configuration', payload } } as const
    const bench = new Bench({ restore: { hardState: { term: 4, votedFor: noMember } } })
    const round = bench.campaign()
    bench.hear(2n, promise(round, 1, [slot(1, 'a', 3), slot(2, 'b', 4), late, slot(4, 'c', 3)]))
    bench.persisted()
    assert.deepEqual(texts(bench.paxos), ['a', 'b', 'configuration'], 'it is proposed with care all the same (M1)')
    bench.acknowledge(2n, 3)
    assert.deepEqual(texts(bench.paxos), ['a', 'b', 'configuration', 'c', 'noop'])
    bench.persisted()
    bench.acknowledge(2n, 5)
    const { role, commitIndex, configuration } = bench.paxos.status()
    assert.deepEqual([role, commitIndex, configuration.voters], ['leader', 5, [1n, 2n, 3n]])
  })

  test('C3: a snapshot that hides those values tells their highest round', () => {
    const payload = encodeConfiguration({ voters: [7n, 8n, 9n], outgoing: [], learners: [] })
    const entry = { index: 6, term: 3, kind: 'configuration', payload } as const
    const configuration = { voters: [1n, 2n, 3n], outgoing: [], learners: [] }
    const restore = { hardState: { term: 5, votedFor: noMember }, snapshot: { index: 5, term: 4, configuration } }
    const bench = new Bench({ id: 2n, restore })
    bench.hear(1n, { type: 'accept', round: 5, firstSlot: 6, chosenIndex: 6, entries: [entry] })
    assert.equal(bench.paxos.status().commitIndex, 6)
    assert.deepEqual(bench.paxos.status().configuration, configuration)
  })

  test('M6: a candidate that learns of a configuration from a report goes on in a higher round', () => {
    const payload = encodeConfiguration({ voters: [1n, 4n, 5n], outgoing: [], learners: [] })
    const chosen = { ballot: 3, value: { index: 1, term: 2, kind: 'configuration', payload } } as const
    const bench = new Bench({ restore: { hardState: { term: 3, votedFor: noMember } } })
    const round = bench.campaign()
    const effects = bench.hear(2n, promise(round, 1, [chosen], { chosenIndex: 1 }))
    assert.deepEqual(
      sent(effects, 'prepare').map(({ to, message }) => [to, message.round]),
      [
        [4n, round + 1],
        [5n, round + 1],
      ],
    )
    bench.persisted()
    bench.hear(4n, promise(round, 2, []))
    assert.equal(bench.paxos.status().role, 'candidate', 'a promise of the round before')
    bench.hear(4n, promise(round + 1, 2, []))
    assert.equal(bench.paxos.status().role, 'leader')
  })

  test('M6: a follower learns of a configuration when its round is on disk', () => {
    const payload = encodeConfiguration({ voters: [2n, 4n], outgoing: [], learners: [] })
    const configuration = { index: 2, term: 1, kind: 'configuration', payload } as const
    const bench = new Bench({ id: 2n })
    bench.hear(1n, accept(1, 1, ['a']))
    bench.hear(1n, { type: 'accept', round: 1, firstSlot: 2, chosenIndex: 2, entries: [configuration] })
    assert.equal(bench.paxos.status().commitIndex, 1)
    assert.deepEqual(only(bench.persisted(), 'commit'), [{ type: 'commit', index: 2 }])
  })

  test('who follows a leader promises its round to nobody else, be it promised before or not', () => {
    const bench = new Bench({ id: 2n })
    bench.hear(3n, prepare(1, 1))
    bench.hear(1n, accept(1, 1, ['a']))
    assert.equal(sent(bench.hear(3n, prepare(1, 1)), 'promise')[0]?.message.granted, false)
    assert.equal(sent(bench.hear(1n, prepare(1, 2)), 'promise')[0]?.message.granted, false, 'it was promised to 3')
  })

  test('a change is refused while one is under way, and when nothing would change', () => {
    const bench = new Bench()
    const change = (...voters: bigint[]) => {
      const result = bench.paxos.proposeConfiguration({ voters, learners: [] })
      return result.ok ? 'ok' : result.reason
    }
    assert.equal(change(1n), 'not-leader')
    bench.lead()
    assert.equal(change(1n, 2n), 'changing', 'nothing of its own round is chosen yet')
    bench.persisted()
    bench.acknowledge(2n, 1)
    assert.equal(change(3n, 2n, 1n), 'unchanged')
    assert.equal(change(1n, 2n), 'ok')
    assert.equal(change(1n, 2n, 3n), 'changing')
  })

  test('a node without a configuration learns, and does not campaign', () => {
    const bench = new Bench({ id: 7n, voters: [] })
    bench.tick(100)
    assert.equal(bench.paxos.status().role, 'learner')
    assert.equal(bench.paxos.status().term, 0)
    bench.hear(1n, accept(1, 1, ['a'], 1))
    assert.equal(bench.paxos.status().commitIndex, 1)
  })
})
