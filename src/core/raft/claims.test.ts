import assert from 'node:assert/strict'
import { test } from 'node:test'
import { append, Bench, commands, only, preVoteRequest, sent, voteRequest } from './test-bench.ts'

/** What the papers claim, by section: Raft, extended version, and Ongaro's thesis. Longer stories stand in `testdata/`. */

const heartbeat = (term: number, context = 0) => ({ type: 'heartbeat', term, commitIndex: 0, context }) as const

test('Raft §5.1: a server that sees a higher term enters it and follows; a lower term is refused', () => {
  const bench = new Bench()
  bench.lead()
  const effects = bench.hear(3n, append(5, 0, 0, []))
  assert.deepEqual(only(effects, 'persist')[0]?.hardState, { term: 5, votedFor: 0n })
  assert.equal(bench.raft.status().role, 'follower')
  const refusal = sent(bench.hear(2n, append(4, 0, 0, [4])), 'appendEntriesResponse')[0]
  assert.equal(refusal?.message.success, false)
  assert.equal(refusal?.message.term, 5)
  assert.equal(bench.raft.status().lastIndex, 1, 'its own opening entry only')
})

test('Raft §5.2: one vote a term, first come first served, and it outlives a restart', () => {
  const bench = new Bench()
  const [first] = sent(bench.hear(2n, voteRequest(1, 0, 0)), 'requestVoteResponse')
  assert.deepEqual([first?.message.granted, first?.afterPersist], [true, 1], 'the vote waits for the disk')
  assert.equal(sent(bench.hear(3n, voteRequest(1, 0, 0)), 'requestVoteResponse')[0]?.message.granted, false)
  assert.equal(
    sent(bench.hear(2n, voteRequest(1, 0, 0)), 'requestVoteResponse')[0]?.message.granted,
    true,
    'asked again',
  )
  const restarted = new Bench({ restore: { hardState: { term: 1, votedFor: 2n } } })
  assert.equal(sent(restarted.hear(3n, voteRequest(1, 0, 0)), 'requestVoteResponse')[0]?.message.granted, false)
})

test('Raft §5.2: a vote in a term that was entered before is made durable too', () => {
  const bench = new Bench({ restore: { hardState: { term: 3, votedFor: 0n } } })
  const effects = bench.hear(2n, voteRequest(3, 0, 0))
  assert.deepEqual(only(effects, 'persist')[0]?.hardState, { term: 3, votedFor: 2n })
})

test('Raft §5.2: the own vote counts only when it is durable, and so are the requests', () => {
  const bench = new Bench()
  bench.tick(10)
  const requests = sent(bench.hear(2n, { type: 'preVoteResponse', term: 1, granted: true }), 'requestVote')
  assert.deepEqual(
    requests.map((request) => request.afterPersist),
    [1, 1],
  )
  bench.hear(2n, { type: 'requestVoteResponse', term: 1, granted: true })
  assert.equal(bench.raft.status().role, 'candidate')
  bench.persisted()
  assert.equal(bench.raft.status().role, 'leader')
})

test('Raft §5.2: a candidate that hears the leader of its term follows', () => {
  const bench = new Bench({ options: { preVote: false } })
  bench.tick(10)
  bench.hear(3n, append(1, 0, 0, [1]))
  assert.equal(bench.raft.status().leader, 3n)
})

test('Raft §5.2: time-outs are drawn from [t, 2t)', () => {
  const late = new Bench({ draw: 9 })
  assert.equal(sent(late.tick(18), 'preVote').length, 0)
  assert.equal(sent(late.tick(1), 'preVote').length, 2)
})

test('Raft §5.3: an append that does not connect is refused; a conflict replaces the entry and all after it', () => {
  const bench = new Bench({ restore: { hardState: { term: 2, votedFor: 0n }, entries: commands(1, 1, 1, 2) } })
  const [refusal] = sent(bench.hear(2n, append(3, 5, 3, [3])), 'appendEntriesResponse')
  assert.deepEqual(
    [refusal?.message.success, refusal?.message.index, refusal?.message.hintIndex, refusal?.message.hintTerm],
    [false, 5, 3, 2],
  )
  const effects = bench.hear(2n, append(3, 1, 1, [3]))
  assert.deepEqual(only(effects, 'persist')[0]?.entries, commands(2, 3))
  assert.equal(bench.raft.status().lastIndex, 2)
})

test('Raft §5.3: an old append whose entries are all there shortens nothing', () => {
  const bench = new Bench({ restore: { hardState: { term: 1, votedFor: 0n }, entries: commands(1, 1, 1, 1) } })
  const effects = bench.hear(2n, append(1, 0, 0, [1]))
  assert.equal(only(effects, 'persist').length, 0)
  assert.equal(bench.raft.status().lastIndex, 3)
  assert.equal(
    sent(effects, 'appendEntriesResponse')[0]?.message.index,
    1,
    'only what the message carried is vouched for',
  )
})

test('Raft §5.3: the commit index goes no further than what the message vouches for', () => {
  const bench = new Bench({ restore: { hardState: { term: 1, votedFor: 0n }, entries: commands(1, 1, 1, 1) } })
  assert.deepEqual(only(bench.hear(2n, append(2, 0, 0, [1], 3)), 'commit'), [{ type: 'commit', index: 1 }])
})

test('Raft §5.3: a message that contradicts what is committed changes nothing', () => {
  const bench = new Bench()
  bench.hear(2n, append(1, 0, 0, [1, 1], 2))
  const merged = bench.hear(3n, append(2, 0, 0, [2, 2, 2]))
  assert.equal(only(merged, 'persist')[0]?.entries.length ?? 0, 0, 'a contradiction from outside is ignored')
  assert.equal(bench.raft.status().lastIndex, 2)
})

test('Raft §5.3: a commit notice counts only for who has that very entry', () => {
  const bench = new Bench({ restore: { hardState: { term: 2, votedFor: 0n }, entries: commands(1, 1, 1) } })
  const notice = (commitIndex: number, commitTerm: number) => {
    return only(bench.hear(2n, { type: 'commitNotice', term: 2, commitIndex, commitTerm }), 'commit').length
  }
  assert.deepEqual([notice(2, 2), notice(3, 2), notice(1, 1)], [0, 0, 1])
})

test('Raft §5.4.1: a vote goes to no log that is behind the own one', () => {
  const restore = { hardState: { term: 3, votedFor: 0n }, entries: commands(1, 1, 3) }
  const grants = (lastLogIndex: number, lastLogTerm: number) => {
    const request = voteRequest(4, lastLogIndex, lastLogTerm)
    return sent(new Bench({ restore }).hear(2n, request), 'requestVoteResponse')[0]?.message.granted
  }
  assert.equal(grants(9, 2), false, 'longer, but of an earlier term')
  assert.equal(grants(1, 3), false, 'shorter')
  assert.equal(grants(2, 3), true)
  assert.equal(grants(1, 4), true, 'shorter, but of a later term')
})

test('Raft §5.4.2: copies of an earlier term’s entry commit nothing; the own term’s entry commits both', () => {
  const bench = new Bench({ restore: { hardState: { term: 2, votedFor: 0n }, entries: commands(1, 1, 2) } })
  bench.lead()
  assert.equal(only(bench.acknowledge(2n, 2), 'commit').length, 0)
  assert.equal(only(bench.acknowledge(3n, 2), 'commit').length, 0)
  bench.persisted()
  assert.deepEqual(only(bench.acknowledge(3n, 3), 'commit'), [{ type: 'commit', index: 3 }])
})

test('Raft §6: while the configuration is joint, both majorities decide', () => {
  const configuration = { voters: [1n, 2n, 3n], outgoing: [1n, 4n, 5n], learners: [6n] }
  const bench = new Bench({ restore: { snapshot: { index: 0, term: 0, configuration } }, options: { preVote: false } })
  bench.tick(10)
  bench.persisted()
  bench.hear(2n, { type: 'requestVoteResponse', term: 1, granted: true })
  bench.hear(3n, { type: 'requestVoteResponse', term: 1, granted: true })
  bench.hear(6n, { type: 'requestVoteResponse', term: 1, granted: true })
  assert.equal(bench.raft.status().role, 'candidate')
  bench.hear(4n, { type: 'requestVoteResponse', term: 1, granted: true })
  assert.equal(bench.raft.status().role, 'leader')
  bench.persisted()
  bench.acknowledge(2n, 1)
  assert.equal(only(bench.acknowledge(6n, 1), 'commit').length, 0)
  assert.equal(only(bench.acknowledge(5n, 1), 'commit').length, 1)
})

test('Raft §8, thesis §6.4: a new leader opens its term with a noop and answers reads only after committing it', () => {
  const bench = new Bench()
  const [first] = sent(bench.lead(), 'appendEntries')
  assert.equal(first?.message.entries[0]?.kind, 'noop')
  assert.equal(sent(bench.step({ type: 'readIndex', id: 7 }), 'heartbeat').length, 0)
  bench.persisted()
  const round = sent(bench.acknowledge(2n, 1), 'heartbeat')
  assert.equal(round.length, 2)
  const context = round[0]?.message.context ?? 0
  const answer = (term: number, echoed: number) =>
    bench.hear(2n, { type: 'heartbeatResponse', term, context: echoed, receivedIndex: 0 })
  assert.equal(only(answer(1, context - 1), 'readReady').length, 0, 'an older round confirms nothing')
  assert.deepEqual(only(answer(1, context), 'readReady'), [{ type: 'readReady', id: 7, index: 1 }])
})

test('thesis §6.4: the read index is the commit index when the round began', () => {
  const bench = new Bench()
  bench.lead()
  bench.persisted()
  bench.acknowledge(2n, 1)
  const context = sent(bench.step({ type: 'readIndex', id: 1 }), 'heartbeat')[0]?.message.context ?? 0
  bench.propose('a')
  bench.persisted()
  bench.acknowledge(2n, 2)
  const ready = only(bench.hear(3n, { type: 'heartbeatResponse', term: 1, context, receivedIndex: 0 }), 'readReady')
  assert.deepEqual(ready, [{ type: 'readReady', id: 1, index: 1 }])
})

test('thesis §4.2.3: who heard a leader within the election time-out hears no candidate', () => {
  const bench = new Bench()
  bench.hear(2n, heartbeat(1))
  bench.tick(9)
  assert.deepEqual(bench.hear(3n, voteRequest(9, 5, 5)), [])
  assert.deepEqual(bench.hear(3n, preVoteRequest(9, 5, 5)), [])
  assert.equal(bench.raft.status().term, 1)
  const transfer = {
    type: 'requestVote',
    term: 2,
    lastLogIndex: 5,
    lastLogTerm: 1,
    transfer: true,
    lostLeader: 0n,
  } as const
  assert.equal(sent(bench.hear(3n, transfer), 'requestVoteResponse')[0]?.message.granted, true, 'a transfer is heard')
})

test('thesis §4.2.3, differs: stickiness gives way when both lost the same leader, and only then', () => {
  const hears = (lost: bigint, claimed: bigint, leaseReads = false, heardAgain = false) => {
    const bench = new Bench({ options: { leaseReads: leaseReads && { electionTimeoutMs: 10, clockDriftMax: 0 } } })
    bench.hear(2n, heartbeat(1))
    bench.step({ type: 'connectionLost', peer: lost })
    if (heardAgain) bench.hear(2n, heartbeat(1))
    return sent(bench.hear(3n, preVoteRequest(2, 0, 0, claimed)), 'preVoteResponse').length === 1
  }
  assert.equal(hears(2n, 2n), true)
  assert.equal(hears(3n, 2n), false, 'another connection was lost here')
  assert.equal(hears(2n, 3n), false, 'another connection was lost there')
  assert.equal(hears(2n, 0n), false, 'nothing was lost there')
  assert.equal(hears(2n, 2n, true), false, 'leases forbid it')
  assert.equal(hears(2n, 2n, false, true), false, 'the leader was heard again')
})

test('thesis §6.2: a leader without a quorum steps down, and its reads fail', () => {
  const bench = new Bench()
  bench.lead()
  bench.step({ type: 'readIndex', id: 3 })
  const effects = bench.tick(10)
  assert.equal(bench.raft.status().role, 'follower')
  assert.deepEqual(only(effects, 'readFailed'), [{ type: 'readFailed', id: 3 }])
})

test('thesis §9.6: a pre-vote changes no term and no vote, on neither side', () => {
  const bench = new Bench()
  assert.equal(only(bench.tick(10), 'persist').length, 0)
  assert.equal(bench.raft.status().term, 0)
  const voter = new Bench()
  const effects = voter.hear(2n, preVoteRequest(1, 0, 0))
  assert.deepEqual([only(effects, 'persist').length, sent(effects, 'preVoteResponse')[0]?.message.granted], [0, true])
  assert.equal(sent(voter.hear(3n, preVoteRequest(1, 0, 0)), 'preVoteResponse')[0]?.message.granted, true, 'to anyone')
})

test('thesis §10.2.1: a leader sends before its own disk, and commits without it if a quorum of others is durable', () => {
  const bench = new Bench()
  const effects = bench.lead()
  assert.deepEqual(
    sent(effects, 'appendEntries').map((send) => send.afterPersist),
    [0, 0],
  )
  bench.acknowledge(2n, 1)
  assert.equal(bench.raft.status().commitIndex, 0)
  bench.acknowledge(3n, 1)
  assert.equal(bench.raft.status().commitIndex, 1)
})

test('thesis §10.2.1: a follower acknowledges what is durable, also when it was asked twice', () => {
  const bench = new Bench()
  const first = sent(bench.hear(2n, append(1, 0, 0, [1])), 'appendEntriesResponse')[0]
  const again = sent(bench.hear(2n, append(1, 0, 0, [1])), 'appendEntriesResponse')[0]
  assert.deepEqual([first?.afterPersist, again?.afterPersist], [1, 1])
  bench.persisted()
  assert.equal(sent(bench.hear(2n, append(1, 0, 0, [1])), 'appendEntriesResponse')[0]?.afterPersist, 0)
})

const leaseReads = { electionTimeoutMs: 10, clockDriftMax: 0.25 }

/** A leader at 15 ms that committed its opening entry, and whose round of heartbeats of 15 ms is on its way. */
function leaderWithLeases(): { bench: Bench; context: number } {
  const bench = new Bench({ options: { leaseReads, heartbeatTicks: 4 } })
  bench.tick(1)
  bench.lead()
  bench.persisted()
  bench.acknowledge(2n, 1)
  const context = sent(bench.tick(4), 'heartbeat')[0]?.message.context ?? 0
  assert.equal(bench.nowMs, 15)
  return { bench, context }
}

const answersAtOnce = (bench: Bench, nowMs: number) =>
  only(bench.step({ type: 'readIndex', id: nowMs, nowMs }), 'readReady').length === 1

test('thesis §6.4.1: a lease counts from when the round was sent, not from its answer, and ends before a pledge by the drift', () => {
  const { bench, context } = leaderWithLeases()
  assert.equal(answersAtOnce(bench, 15), false, 'nobody answered')
  bench.step({ type: 'readIndex', id: 1, nowMs: 22 })
  bench.hear(2n, { type: 'heartbeatResponse', term: 1, context, receivedIndex: 0 })
  assert.deepEqual([answersAtOnce(bench, 22), answersAtOnce(bench, 23)], [true, false])
})

test('thesis §6.4.1: a read that brings no time, as one of a follower, takes a round', () => {
  const { bench, context } = leaderWithLeases()
  bench.hear(2n, { type: 'heartbeatResponse', term: 1, context, receivedIndex: 0 })
  assert.equal(only(bench.step({ type: 'readIndex', id: 1 }), 'readReady').length, 0)
  assert.equal(only(bench.hear(2n, { type: 'readIndex', term: 1, context: 5 }), 'send').length > 0, true)
  assert.equal(answersAtOnce(bench, 16), true)
})

test('thesis §6.4.1: a voter that heard a leader gives no vote for an election time-out, not even to itself', () => {
  const bench = new Bench({ options: { leaseReads, electionTimeoutTicks: 2, heartbeatTicks: 1 } })
  bench.tick(20)
  bench.hear(2n, append(1, 0, 0, [1]))
  // Its clock may have stood at 20 for long: the pledge counts from the next time it is told.
  assert.deepEqual(bench.step({ type: 'tick', nowMs: 100 }), [])
  bench.nowMs = 100
  assert.deepEqual(bench.tick(9), [])
  assert.deepEqual(bench.hear(3n, voteRequest(9, 9, 9)), [])
  assert.equal(sent(bench.tick(1), 'preVote').length, 2)
  assert.equal(sent(bench.hear(3n, voteRequest(9, 9, 9)), 'requestVoteResponse')[0]?.message.granted, true)
})

test('thesis §6.4.1: a restarted voter may have pledged itself; a transfer is heard all the same', () => {
  const bench = new Bench({ options: { leaseReads, electionTimeoutTicks: 2, heartbeatTicks: 1 } })
  bench.tick(10)
  assert.deepEqual(bench.hear(3n, preVoteRequest(2, 9, 1)), [])
  const transfer = { ...voteRequest(2, 9, 1), transfer: true } as ReturnType<typeof voteRequest>
  assert.equal(sent(bench.hear(3n, transfer), 'requestVoteResponse')[0]?.message.granted, true)
})

test('thesis §6.4.1: who began to hand over has no lease for the rest of the term', () => {
  const { bench, context } = leaderWithLeases()
  bench.hear(2n, { type: 'heartbeatResponse', term: 1, context, receivedIndex: 0 })
  assert.equal(answersAtOnce(bench, 15), true)
  bench.propose('a')
  bench.step({ type: 'transferLeadership', to: 3n })
  assert.equal(answersAtOnce(bench, 15), false)
  const [late] = sent(bench.tick(11), 'heartbeat').slice(-1)
  bench.hear(2n, { type: 'heartbeatResponse', term: 1, context: late?.message.context ?? 0, receivedIndex: 0 })
  assert.equal(answersAtOnce(bench, bench.nowMs), false)
})

test('Raft §5.5: what is received twice has the effect of once', () => {
  const bench = new Bench()
  const twice = (from: bigint, message: ReturnType<typeof append>) => {
    bench.hear(from, message)
    const { lastIndex, commitIndex, term } = bench.raft.status()
    const effects = bench.hear(from, message)
    assert.deepEqual([only(effects, 'persist').length, only(effects, 'commit').length], [0, 0])
    const after = bench.raft.status()
    assert.deepEqual([after.lastIndex, after.commitIndex, after.term], [lastIndex, commitIndex, term])
  }
  twice(2n, voteRequest(1, 0, 0))
  twice(2n, append(1, 0, 0, [1, 1]))
  twice(2n, append(1, 2, 1, [1], 2))
  twice(2n, { type: 'heartbeat', term: 1, commitIndex: 3, context: 4 })
})

test('Raft §7: a snapshot carries the configuration in force at its index', () => {
  const bench = new Bench()
  bench.hear(2n, { type: 'heartbeat', term: 3, commitIndex: 0, context: 0 })
  const configuration = { voters: [1n, 2n], outgoing: [1n, 2n, 3n], learners: [3n] }
  const effects = bench.step({ type: 'snapshotRestored', meta: { index: 9, term: 2, configuration } })
  assert.deepEqual(only(effects, 'configuration'), [{ type: 'configuration', configuration, index: 9 }])
  assert.deepEqual(bench.raft.configurationAt(9), configuration)
})

test('thesis §6.4.1: a lease needs every majority that counts, and an entry of the own term that is committed', () => {
  const { bench } = leaderWithLeases()
  bench.acknowledge(3n, 1)
  bench.raft.proposeConfiguration({ voters: [1n, 4n], learners: [] })
  const answer = (from: bigint, context: number) =>
    bench.hear(from, { type: 'heartbeatResponse', term: 1, context, receivedIndex: 0 })
  const context = sent(bench.tick(4), 'heartbeat')[0]?.message.context ?? 0
  answer(4n, context)
  assert.equal(answersAtOnce(bench, bench.nowMs), false, 'of 1, 2 and 3 only one')
  answer(2n, context)
  assert.equal(answersAtOnce(bench, bench.nowMs), true)
  const fresh = new Bench({ options: { leaseReads, heartbeatTicks: 4 } })
  fresh.tick(1)
  fresh.lead()
  const [round] = sent(fresh.tick(4), 'heartbeat')
  fresh.hear(2n, { type: 'heartbeatResponse', term: 1, context: round?.message.context ?? 0, receivedIndex: 0 })
  assert.equal(answersAtOnce(fresh, fresh.nowMs), false, 'nothing of its term is committed')
})
