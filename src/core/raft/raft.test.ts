import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeConfiguration } from '../consensus/index.ts'
import type { RaftMessage } from './message.ts'
import { append, Bench, commands, only, sent, voteRequest } from './test-bench.ts'

const three = { voters: [1n, 2n, 3n], outgoing: [], learners: [] }

test('messages of itself and without sense are ignored', () => {
  const bench = new Bench({ restore: { hardState: { term: 1, votedFor: 0n }, entries: commands(1, 1, 1) } })
  const nonsense: RaftMessage[] = [
    append(0, 0, 0, []),
    append(2, 0, 1, [1]),
    append(2, 1, 0, [1]),
    append(1, 1, 1, [2]),
    append(2, 2, 1, [2, 1]),
    { type: 'appendEntries', term: 2, prevLogIndex: 1, prevLogTerm: 1, commitIndex: 0, entries: commands(3, 2) },
    { type: 'heartbeat', term: 2, commitIndex: -1, context: 0 },
    { type: 'heartbeat', term: 1.5, commitIndex: 0, context: 0 },
    voteRequest(2, 0, 2),
    { type: 'installSnapshot', term: 2, meta: { index: 0, term: 0, configuration: three } },
    { type: 'installSnapshot', term: 2, meta: { index: 5, term: 3, configuration: three } },
  ]
  for (const message of nonsense) assert.deepEqual(bench.hear(2n, message), [], JSON.stringify(message.type))
  assert.deepEqual(bench.hear(0n, append(2, 2, 1, [2])), [])
  assert.deepEqual(bench.hear(1n, append(2, 2, 1, [2])), [])
})

test('a second leader in one term is not believed', () => {
  const bench = new Bench()
  bench.hear(2n, append(1, 0, 0, [1]))
  assert.deepEqual(bench.hear(3n, append(1, 0, 0, [1, 1])), [])
  const leader = new Bench()
  leader.lead()
  assert.deepEqual(leader.hear(3n, append(1, 0, 0, [1, 1])), [])
})

test('an acknowledgement beyond the log is ignored', () => {
  const bench = new Bench()
  bench.lead()
  assert.deepEqual(bench.acknowledge(2n, 99), [])
})

test('proposals are refused past the bound of uncommitted bytes, and admitted again after a commit', () => {
  const bench = new Bench({ options: { maxUncommittedBytes: 100 } })
  bench.lead()
  assert.equal(bench.raft.propose([new Uint8Array(60)]).ok, true)
  assert.deepEqual(bench.raft.propose([new Uint8Array(60)]), { ok: false, reason: 'full', leader: 1n })
  bench.persisted()
  bench.acknowledge(2n, 2)
  assert.deepEqual(bench.raft.propose([new Uint8Array(500)]), { ok: true, term: 1, firstIndex: 3 })
})

test('followers in the same place get the same append object', () => {
  const bench = new Bench()
  const effects = sent(bench.lead(), 'appendEntries')
  assert.equal(effects[0]?.message, effects[1]?.message)
})

test('a persist that a truncation overtook vouches only for what is left', () => {
  const bench = new Bench({ options: { checkQuorum: false } })
  bench.hear(2n, append(1, 0, 0, [1, 1, 1]))
  bench.hear(3n, append(2, 1, 1, [2]))
  bench.step({ type: 'persisted', id: 1 })
  bench.raft.validate()
  bench.tick(10)
  bench.hear(3n, { type: 'preVoteResponse', term: 3, granted: true })
  const { term } = bench.raft.status()
  assert.equal(term, 3)
})

test('a snapshot can be durable before the term that brought it: the restart enters that term without a vote', () => {
  const bench = new Bench({
    restore: { hardState: { term: 2, votedFor: 3n }, snapshot: { index: 8, term: 4, configuration: three } },
  })
  assert.equal(bench.raft.status().term, 4)
  const effects = bench.hear(2n, voteRequest(4, 8, 4))
  assert.deepEqual(only(effects, 'persist')[0]?.hardState, { term: 4, votedFor: 2n })
})

test('a restart whose log does not connect to the snapshot writes the stand-in first', () => {
  const bench = new Bench({
    restore: {
      hardState: { term: 4, votedFor: 0n },
      snapshot: { index: 2, term: 4, configuration: three },
      entries: commands(1, 1, 1, 1),
    },
  })
  assert.deepEqual([bench.raft.status().firstIndex, bench.raft.status().lastIndex], [3, 2])
  const [persist] = only(bench.hear(2n, append(4, 2, 4, [4])), 'persist')
  assert.deepEqual(
    persist?.entries.map((entry) => `${entry.index}/${entry.term} ${entry.kind}`),
    ['2/4 noop', '3/4 command'],
  )
})

test('snapshotRestored keeps the log after an entry that matches, and replaces it otherwise', () => {
  const meta = { index: 2, term: 1, configuration: three }
  const same = new Bench({ restore: { hardState: { term: 1, votedFor: 0n }, entries: commands(1, 1, 1, 1) } })
  same.hear(2n, { type: 'heartbeat', term: 1, commitIndex: 0, context: 0 })
  assert.equal(same.raft.acceptsSnapshot(meta), true)
  const kept = same.step({ type: 'snapshotRestored', meta })
  assert.deepEqual([same.raft.status().commitIndex, same.raft.status().lastIndex], [2, 3])
  assert.equal(only(kept, 'commit').length, 0, 'the state machine is there already')
  assert.equal(same.raft.acceptsSnapshot(meta), false)
  const other = new Bench({ restore: { hardState: { term: 2, votedFor: 0n }, entries: commands(1, 1, 2, 2) } })
  other.hear(2n, { type: 'heartbeat', term: 3, commitIndex: 0, context: 0 })
  const effects = other.step({ type: 'snapshotRestored', meta: { ...meta, term: 3 } })
  assert.deepEqual([other.raft.status().firstIndex, other.raft.status().lastIndex], [3, 2])
  const [answer] = sent(effects, 'appendEntriesResponse')
  assert.deepEqual([answer?.message.index, answer?.afterPersist], [2, only(effects, 'persist')[0]?.id])
})

test('an offer of a snapshot whose last entry is in the log commits up to it and answers', () => {
  const bench = new Bench({ restore: { hardState: { term: 1, votedFor: 0n }, entries: commands(1, 1, 1, 1) } })
  const meta = { index: 2, term: 1, configuration: three }
  const effects = bench.hear(2n, { type: 'installSnapshot', term: 1, meta })
  assert.deepEqual(only(effects, 'commit'), [{ type: 'commit', index: 2 }])
  assert.equal(sent(effects, 'appendEntriesResponse')[0]?.message.index, 2)
  assert.equal(bench.raft.acceptsSnapshot(meta), false)
})

test('compaction forgets entries, keeps their term and their configuration', () => {
  const bench = new Bench()
  bench.hear(2n, append(1, 0, 0, [1, 1, 1], 3))
  bench.step({ type: 'applied', index: 3 })
  bench.step({ type: 'snapshotTaken', meta: { index: 3, term: 1, configuration: three }, compactTo: 2 })
  assert.deepEqual([bench.raft.status().firstIndex, bench.raft.termAt(2), bench.raft.termAt(1)], [3, 1, undefined])
  assert.throws(() => bench.raft.entries(2, 3))
  assert.equal(bench.raft.logBytes, 3 + 16)
  assert.deepEqual(bench.raft.configurationAt(3), three)
})

test('the latest configuration in the log counts, committed or not, until it is truncated (Raft §6)', () => {
  const payload = encodeConfiguration({ voters: [1n, 2n, 3n, 4n], outgoing: [1n, 2n, 3n], learners: [] })
  const bench = new Bench()
  const entry = { index: 1, term: 1, kind: 'configuration', payload } as const
  bench.hear(2n, { type: 'appendEntries', term: 1, prevLogIndex: 0, prevLogTerm: 0, commitIndex: 0, entries: [entry] })
  assert.equal(bench.raft.status().configuration.voters.length, 4)
  assert.deepEqual(bench.raft.configurationAt(0), three)
  bench.hear(3n, append(2, 0, 0, [2]))
  assert.deepEqual(bench.raft.status().configuration, three)
})

test('reads wait in bounded number', () => {
  const bench = new Bench({ options: { maxPendingReads: 2 } })
  bench.lead()
  bench.step({ type: 'readIndex', id: 1 })
  bench.step({ type: 'readIndex', id: 2 })
  assert.deepEqual(only(bench.step({ type: 'readIndex', id: 3 }), 'readFailed'), [{ type: 'readFailed', id: 3 }])
  const refused = sent(bench.hear(2n, { type: 'readIndex', term: 1, context: 5 }), 'readIndexResponse')
  assert.deepEqual([refused[0]?.message.context, refused[0]?.message.index], [5, 0])
})

test('a silent follower costs a bounded number of messages, however much is committed without it', () => {
  const bench = new Bench({ options: { maxInflightAppends: 4, maxUncommittedBytes: 200 } })
  bench.lead()
  bench.persisted()
  bench.acknowledge(2n, 1)
  bench.acknowledge(3n, 1)
  let toSilent = 0
  for (let i = 0; i < 1000; i++) {
    const effects = bench.propose(String(i))
    toSilent += sent(effects, 'appendEntries').filter((send) => send.to === 3n).length
    bench.persisted()
    bench.acknowledge(2n, i + 2)
  }
  assert.equal(bench.raft.status().commitIndex, 1001)
  assert.equal(toSilent, 4)
})

test('a leader whose connection to a follower broke sends it nothing but heartbeats until it answers one', () => {
  const bench = new Bench()
  bench.lead()
  bench.persisted()
  bench.acknowledge(2n, 1)
  bench.acknowledge(3n, 1)
  bench.step({ type: 'connectionLost', peer: 2n })
  assert.deepEqual(
    sent(bench.propose('a'), 'appendEntries').map((send) => send.to),
    [3n],
  )
  const resumed = sent(
    bench.hear(2n, { type: 'heartbeatResponse', term: 1, context: 0, receivedIndex: 0 }),
    'appendEntries',
  )
  assert.deepEqual([resumed[0]?.to, resumed[0]?.message.entries.length], [2n, 1])
})

test('a core that broke an invariant is not used again', () => {
  const { raft } = new Bench()
  const meta = { index: 9, term: 1, configuration: three }
  assert.throws(() => raft.step({ type: 'snapshotTaken', meta, compactTo: 9 }), /a snapshot holds committed entries/)
  assert.throws(() => raft.step({ type: 'tick' }), /not re-entrant/)
})
