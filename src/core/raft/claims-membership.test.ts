import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeConfiguration } from '../consensus/index.ts'
import type { Configuration, Entry, MemberId } from '../replicated-log.ts'
import { append, Bench, commands, only, preVoteRequest, sent, voteRequest } from './test-bench.ts'

/** What the papers claim about changes of the members: Raft §6, thesis §4. Longer stories stand in `testdata/`. */

const heartbeat = (term: number) => ({ type: 'heartbeat', term, commitIndex: 0, context: 0 }) as const

function configuration(
  voters: readonly MemberId[],
  outgoing: readonly MemberId[] = [],
  learners: readonly MemberId[] = [],
): Configuration {
  return { voters, outgoing, learners }
}

function configurationEntry(index: number, term: number, of: Configuration): Entry {
  return { index, term, kind: 'configuration', payload: encodeConfiguration(of) }
}

/** A leader of 1, 2 and 3 that has committed its opening entry. */
function settledLeader(): Bench {
  const bench = new Bench()
  bench.lead()
  bench.persisted()
  bench.acknowledge(2n, 1)
  assert.equal(bench.raft.status().commitIndex, 1)
  return bench
}

/** Everything proposed so far is durable here, and at these members. */
function reached(bench: Bench, ...members: readonly MemberId[]): number {
  const { lastIndex } = bench.raft.status()
  bench.persisted()
  for (const member of members) bench.acknowledge(member, lastIndex)
  return bench.raft.status().commitIndex
}

test('Raft §6: a change goes by way of C_old,new, which needs both majorities, and then C_new by its own', () => {
  const bench = settledLeader()
  const voters = [3n, 4n, 5n]
  assert.deepEqual(bench.raft.proposeConfiguration({ voters, learners: [] }), { ok: true, term: 1, index: 2 })
  assert.deepEqual(bench.raft.status().configuration, configuration(voters, [1n, 2n, 3n]))
  assert.equal(reached(bench, 2n, 3n), 1, 'a majority of C_old')
  assert.equal(reached(bench, 4n), 2, 'and of C_new')
  assert.deepEqual(bench.raft.status().configuration, configuration(voters), 'C_new follows by itself')
  assert.equal(reached(bench, 2n, 3n), 2, 'C_old counts no more')
  assert.equal(reached(bench, 5n), 3)
})

test('Raft §6: C_new does not follow before C_old,new is committed', () => {
  const bench = settledLeader()
  bench.raft.proposeConfiguration({ voters: [1n, 2n, 3n, 4n], learners: [] })
  bench.propose('a')
  bench.tick(3)
  assert.equal(bench.raft.status().lastIndex, 3)
  assert.deepEqual(bench.raft.status().configuration.outgoing, [1n, 2n, 3n])
})

test('Raft §6: a configuration is used from the moment it is appended, by the leader and by followers', () => {
  const bench = settledLeader()
  bench.raft.proposeConfiguration({ voters: [1n, 2n, 3n], learners: [9n] })
  const { configurationIndex, commitIndex } = bench.raft.status()
  assert.deepEqual([configurationIndex, commitIndex], [2, 1])
  assert.ok(bench.raft.status().progress.has(9n), 'a new member is sent to at once')
  const follower = new Bench()
  const entry = configurationEntry(1, 1, configuration([1n, 2n, 3n, 4n], [1n, 2n, 3n]))
  const effects = follower.hear(2n, { ...append(1, 0, 0, []), entries: [entry] } as ReturnType<typeof append>)
  assert.deepEqual(only(effects, 'configuration'), [
    { type: 'configuration', configuration: configuration([1n, 2n, 3n, 4n], [1n, 2n, 3n]), index: 1 },
  ])
})

test('Raft §6: one change at a time, and none before an entry of the own term is committed', () => {
  const bench = new Bench()
  const target = { voters: [1n, 2n], learners: [] }
  assert.deepEqual(bench.raft.proposeConfiguration(target), { ok: false, reason: 'not-leader', leader: 0n })
  bench.lead()
  assert.deepEqual(bench.raft.proposeConfiguration(target), { ok: false, reason: 'changing', leader: 1n })
  reached(bench, 2n)
  assert.equal(bench.raft.proposeConfiguration(target).ok, true)
  for (let phase = 0; phase < 2; phase++) {
    const again = bench.raft.proposeConfiguration({ voters: [1n], learners: [] })
    assert.deepEqual(again, { ok: false, reason: 'changing', leader: 1n }, `phase ${phase}`)
    reached(bench, 2n)
  }
  assert.deepEqual(bench.raft.proposeConfiguration(target), { ok: false, reason: 'unchanged', leader: 1n })
  assert.equal(bench.raft.proposeConfiguration({ voters: [1n], learners: [2n] }).ok, true)
})

test('Raft §6: a leader that hands over changes nothing', () => {
  const bench = settledLeader()
  bench.step({ type: 'transferLeadership', to: 2n })
  const refused = bench.raft.proposeConfiguration({ voters: [1n, 2n], learners: [] })
  assert.deepEqual(refused, { ok: false, reason: 'transferring', leader: 1n })
})

test('Raft §6: a server hears a leader and votes for a candidate that are not in its configuration', () => {
  const bench = new Bench()
  assert.equal(sent(bench.hear(7n, voteRequest(1, 0, 0)), 'requestVoteResponse')[0]?.message.granted, true)
  assert.equal(sent(bench.hear(8n, append(2, 0, 0, [2])), 'appendEntriesResponse')[0]?.message.success, true)
  assert.equal(bench.raft.status().leader, 8n)
})

test('Raft §6: votes and acknowledgements of who is no voter count for nothing', () => {
  const restore = { snapshot: { index: 0, term: 0, configuration: configuration([1n, 2n, 3n], [], [4n]) } }
  const bench = new Bench({ restore, options: { preVote: false } })
  bench.tick(10)
  bench.persisted()
  for (const from of [4n, 7n]) bench.hear(from, { type: 'requestVoteResponse', term: 1, granted: true })
  assert.equal(bench.raft.status().role, 'candidate')
  bench.hear(2n, { type: 'requestVoteResponse', term: 1, granted: true })
  bench.persisted()
  for (const from of [4n, 7n]) bench.acknowledge(from, 1)
  assert.equal(bench.raft.status().commitIndex, 0)
  bench.step({ type: 'readIndex', id: 1 })
  bench.acknowledge(3n, 1)
  const context = sent(bench.step({ type: 'readIndex', id: 2 }), 'heartbeat')[0]?.message.context ?? 1
  for (const from of [4n, 7n]) {
    const answer = { type: 'heartbeatResponse', term: 1, context, receivedIndex: 0 } as const
    assert.equal(only(bench.hear(from, answer), 'readReady').length, 0)
  }
})

test('Raft §6, thesis §4.2.3: a removed server does not disturb who hears a leader', () => {
  const bench = settledLeader()
  bench.raft.proposeConfiguration({ voters: [1n, 2n], learners: [] })
  reached(bench, 2n)
  assert.deepEqual(bench.hear(3n, preVoteRequest(9, 9, 9)), [])
  assert.deepEqual(bench.hear(3n, voteRequest(9, 9, 9)), [])
  const follower = new Bench()
  follower.hear(2n, heartbeat(1))
  assert.deepEqual(follower.hear(3n, voteRequest(9, 9, 9)), [])
})

test('thesis §4.2.1: learners only change by one entry, which the voters alone commit; a learner never campaigns', () => {
  const bench = settledLeader()
  bench.raft.proposeConfiguration({ voters: [1n, 2n, 3n], learners: [4n, 5n] })
  assert.deepEqual(bench.raft.status().configuration.outgoing, [])
  assert.equal(reached(bench, 4n, 5n), 1)
  assert.equal(reached(bench, 3n), 2)
  const restore = { snapshot: { index: 0, term: 0, configuration: configuration([2n, 3n], [], [1n]) } }
  const learner = new Bench({ restore })
  assert.deepEqual(learner.tick(100), [])
  assert.deepEqual(
    learner.hear(2n, { type: 'timeoutNow', term: 1 }).filter(({ type }) => type === 'send'),
    [],
  )
})

test('thesis §4.2.1: a server that joins knows nobody, hears its first leader, and learns who counts from the log', () => {
  const restore = { snapshot: { index: 0, term: 0, configuration: configuration([]) } }
  const bench = new Bench({ id: 4n, restore })
  assert.deepEqual(bench.tick(100), [])
  bench.hear(2n, append(3, 0, 0, [1, 3], 2))
  assert.deepEqual([bench.raft.status().role, bench.raft.status().commitIndex], ['learner', 2])
  const entries = [configurationEntry(3, 3, configuration([1n, 2n, 4n], [1n, 2n]))]
  bench.hear(2n, { type: 'appendEntries', term: 3, prevLogIndex: 2, prevLogTerm: 3, commitIndex: 2, entries })
  assert.equal(bench.raft.status().role, 'follower')
})

test('thesis §4.2.2: a leader without a vote leads until C_new is committed, then hands over and steps down', () => {
  const bench = settledLeader()
  bench.raft.proposeConfiguration({ voters: [2n, 3n], learners: [] })
  reached(bench, 2n, 3n)
  assert.deepEqual([bench.raft.status().role, bench.raft.status().lastIndex], ['leader', 3])
  assert.equal(reached(bench, 2n), 2, 'its own copy does not count')
  const effects = bench.acknowledge(3n, 3)
  assert.deepEqual(only(effects, 'commit'), [{ type: 'commit', index: 3 }])
  assert.deepEqual(
    sent(effects, 'timeoutNow').map((send) => send.to),
    [2n],
  )
  assert.deepEqual([bench.raft.status().role, bench.raft.status().leader], ['learner', 0n])
  assert.deepEqual(bench.tick(100), [], 'it does not campaign')
})

test('thesis §4.2.2: who is not in its own latest configuration campaigns until that is committed, without a vote', () => {
  const entries = [
    ...commands(1, 1),
    configurationEntry(2, 1, configuration([2n], [1n, 2n])),
    configurationEntry(3, 1, configuration([2n])),
  ]
  const snapshot = { index: 0, term: 0, configuration: configuration([1n, 2n]) }
  const restore = { hardState: { term: 1, votedFor: 0n }, snapshot, entries }
  const bench = new Bench({ restore, options: { preVote: false } })
  assert.deepEqual(
    sent([...bench.tick(10), ...bench.persisted()], 'requestVote').map((send) => send.to),
    [2n],
  )
  assert.equal(bench.raft.status().role, 'candidate', 'its own vote does not count')
  bench.hear(2n, { type: 'requestVoteResponse', term: 2, granted: true })
  assert.equal(bench.raft.status().role, 'leader')
})

test('thesis §4.2.2: when members that left are told, that is the last they hear', () => {
  const bench = settledLeader()
  bench.acknowledge(3n, 1)
  bench.raft.proposeConfiguration({ voters: [1n, 2n], learners: [] })
  reached(bench, 2n, 3n)
  bench.persisted()
  bench.acknowledge(3n, 3)
  const told = bench.acknowledge(2n, 3)
  assert.deepEqual(
    sent(told, 'commitNotice').map((send) => send.to),
    [2n, 3n],
  )
  assert.deepEqual([...bench.raft.status().progress.keys()], [2n])
})

test('thesis §4.3: a new leader that finds C_old,new commits it with its own entry, and leaves it', () => {
  const joint = configuration([1n, 2n, 4n], [1n, 2n, 3n])
  const entries = [...commands(1, 1), configurationEntry(2, 1, joint)]
  const bench = new Bench({ restore: { hardState: { term: 1, votedFor: 0n }, entries }, options: { preVote: false } })
  bench.tick(10)
  bench.persisted()
  bench.hear(2n, { type: 'requestVoteResponse', term: 2, granted: true })
  assert.equal(bench.raft.status().role, 'leader')
  assert.equal(reached(bench, 2n), 3)
  assert.deepEqual(bench.raft.status().configuration, configuration([1n, 2n, 4n]))
})

test('thesis §4.3: a voter made a learner votes in C_old,new and not in C_new', () => {
  const bench = settledLeader()
  bench.raft.proposeConfiguration({ voters: [1n, 2n], learners: [3n] })
  assert.deepEqual(bench.raft.status().configuration, configuration([1n, 2n], [1n, 2n, 3n], [3n]))
  assert.equal(reached(bench, 3n), 1, '2 is needed for C_new')
  assert.equal(reached(bench, 2n), 2)
  assert.equal(reached(bench, 3n), 2)
  assert.equal(reached(bench, 2n), 3)
  assert.ok(bench.raft.status().progress.has(3n))
})

test('a configuration entry that makes no sense changes nothing, on any node', () => {
  const nonsense = [
    new Uint8Array(0),
    Uint8Array.of(1, 2, 3),
    encodeConfiguration(configuration([])),
    encodeConfiguration(configuration([1n, 2n], [], [2n])),
    encodeConfiguration(configuration([1n, 1n])),
  ]
  const bench = new Bench()
  for (const [i, payload] of nonsense.entries()) {
    const entries = [{ index: i + 1, term: 1, kind: 'configuration', payload } as const]
    const prevLogTerm = i === 0 ? 0 : 1
    const message = {
      type: 'appendEntries',
      term: 1,
      prevLogIndex: i,
      prevLogTerm,
      commitIndex: i + 1,
      entries,
    } as const
    const effects = bench.hear(2n, message)
    assert.deepEqual([only(effects, 'configuration').length, only(effects, 'commit').length], [0, 1])
  }
  assert.equal(bench.raft.status().configurationIndex, 0)
})

test('a target without voters, with nobody, or with somebody twice is the caller’s mistake', () => {
  for (const target of [
    { voters: [], learners: [1n] },
    { voters: [0n], learners: [] },
    { voters: [1n, 2n], learners: [2n] },
  ]) {
    assert.throws(() => settledLeader().raft.proposeConfiguration(target), /membership|id|once/)
  }
})
