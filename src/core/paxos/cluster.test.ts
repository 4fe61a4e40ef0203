import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../../base/index.ts'
import type { MemberId } from '../replicated-log.ts'
import { TestCluster } from './testing/cluster.ts'

const seeds = Number(process.env['SYNOD_PAXOS_SEEDS'] ?? 300)

/** How wild one world is: each a chance of one in so many a round. */
interface Temper {
  readonly sync: number
  readonly crash: number
  readonly restart: number
  readonly partition: number
  readonly reconnect: number
  readonly transfer: number
  readonly snapshot: number
  readonly members: number
}

/** One random world: faults for a while, then it heals and progress is demanded. */
function runWorld(seed: string): TestCluster {
  const shape = new Prng(`${seed}/shape`)
  const pick = <T>(...values: T[]) => values[shape.below(values.length)] as T
  const voters = [1n, 2n, 3n, 4n, 5n].slice(0, pick(1, 2, 3, 3, 3, 5, 5, 5))
  const learners = pick(true, false, false) ? [8n, 9n] : []
  // Some worlds do little but elect and crash: that is where promises go wrong.
  const isStorm = pick(true, false, false)
  const preVote = !isStorm && pick(true, true, false)
  const changes = pick(true, false)
  const cluster = new TestCluster(
    seed,
    { voters, outgoing: [], learners },
    {
      heartbeatTicks: 2,
      electionTimeoutTicks: isStorm ? 3 : pick(5, 10),
      // Pages of a long report must get through faster than time-outs strike.
      maxAcceptBytes: preVote ? pick(1, 60, 200, 10_000) : 10_000,
      maxInflightAccepts: 1 + shape.below(6),
      maxUnchosenBytes: pick(300, 100_000),
      maxUndurableBytes: pick(200, 100_000),
      maxReadRounds: 1 + shape.below(3),
      checkQuorum: !isStorm && pick(true, true, false),
      preVote,
    },
  )
  if (changes) for (const id of [6n, 7n]) cluster.add(id, pick(true, false) ? undefined : empty)
  const temper: Temper = {
    sync: pick(1, 1, 3, 10),
    crash: isStorm ? 2 : pick(4, 10, 25, 100),
    restart: isStorm ? 1 : pick(1, 2, 10),
    partition: pick(8, 15, 40),
    reconnect: pick(5, 20, 60),
    transfer: pick(10, 40, 400),
    snapshot: pick(6, 12, 60),
    members: changes ? pick(3, 10, 30) : 0,
  }
  const ids = [...cluster.members.keys()]
  cluster.rotten = pick(0n, 0n, 1n, 3n)
  cluster.faults = { loss: pick(0, shape.below(300)), duplication: shape.below(100), delay: shape.below(500) }
  for (let round = 0; round < 400; round++) disturb(cluster, ids, temper, round)
  heal(cluster, ids)
  return cluster
}

const empty = { voters: [], outgoing: [], learners: [] }

function disturb(cluster: TestCluster, ids: readonly MemberId[], temper: Temper, round: number): void {
  const { prng } = cluster
  const oneIn = (count: number) => prng.below(count) === 0
  const anyone = () => ids[prng.below(ids.length)] as MemberId
  const someLeader = () => (oneIn(2) ? anyone() : (cluster.leader?.id ?? anyone()))
  for (const id of ids) if (!oneIn(3)) cluster.tick(id)
  for (const id of ids) if (oneIn(temper.sync)) cluster.sync(id, 1 + prng.below(3))
  for (const id of ids) if (oneIn(2)) cluster.propose(id, [`${id} ${round}`, `${id} ${round} again`])
  for (const id of ids) if (oneIn(4)) cluster.read(id)
  if (oneIn(temper.snapshot)) cluster.snapshot(anyone(), prng.below(4))
  if (oneIn(temper.transfer)) cluster.step(cluster.member(anyone()), { type: 'transferLeadership', to: anyone() })
  if (oneIn(40)) cluster.step(cluster.member(anyone()), { type: 'connectionLost', peer: anyone() })
  if (temper.members > 0 && oneIn(temper.members)) changeMembers(cluster, ids)
  if (oneIn(temper.crash)) cluster.crash(someLeader(), oneIn(2))
  if (oneIn(temper.partition)) partition(cluster, ids, someLeader())
  if (oneIn(temper.reconnect)) cluster.cut.clear()
  for (const id of ids) if (cluster.member(id).paxos === undefined && oneIn(temper.restart)) cluster.start(id)
  cluster.deliver()
}

/** Any members to any others, with nothing in common if need be. */
function changeMembers(cluster: TestCluster, ids: readonly MemberId[]): void {
  const { prng } = cluster
  const voters = ids.filter(() => prng.below(2) === 0)
  if (voters.length === 0) return
  const learners = ids.filter((id) => !voters.includes(id) && prng.below(2) === 0)
  for (const { id } of cluster.running) cluster.reconfigure(id, voters, learners)
}

/** Cuts one direction, one member off, or the cluster in two. */
function partition(cluster: TestCluster, ids: readonly MemberId[], member: MemberId): void {
  const { prng } = cluster
  const kind = prng.below(3)
  if (kind === 0) {
    cluster.cut.add(`${member}>${ids[prng.below(ids.length)]}`)
    return
  }
  // One partition at a time, so that some side often holds a majority.
  cluster.cut.clear()
  const side = new Set(kind === 1 ? [member] : ids.filter(() => prng.below(2) === 0))
  for (const from of ids) for (const to of ids) if (side.has(from) !== side.has(to)) cluster.cut.add(`${from}>${to}`)
}

/** Once a change is settled, removed members may be gone for good (unless one of the others forgets what it knew). */
function stillNeeded(cluster: TestCluster, ids: readonly MemberId[]): readonly MemberId[] {
  const { voters, learners } = cluster.configuration
  const mayChange = ids.some((id) => {
    const { disk, unsynced } = cluster.member(id)
    const records = [...disk.records.values(), ...unsynced.flatMap((persist) => persist.entries)]
    return records.some(({ kind, index }) => kind === 'configuration' && index > cluster.configurationIndex)
  })
  return cluster.isSettled && !mayChange && cluster.rotten === 0n ? [...voters, ...learners] : ids
}

function heal(cluster: TestCluster, ids: readonly MemberId[]): void {
  cluster.faults = { loss: 0, duplication: 0, delay: 0 }
  cluster.cut.clear()
  const isWild = cluster.options.preVote !== true || cluster.options.checkQuorum !== true
  // Removed members that hear nothing are kept from disturbing by the questions first, as in a real cluster.
  cluster.options = { ...cluster.options, preVote: true, checkQuorum: true, electionTimeoutTicks: 10 }
  const needed = stillNeeded(cluster, ids)
  for (const id of ids) {
    if (isWild || cluster.prng.below(2) === 0 || !needed.includes(id)) cluster.crash(id)
    if (cluster.member(id).paxos === undefined && needed.includes(id)) cluster.start(id)
  }
  const members = () => [...cluster.configuration.voters, ...cluster.configuration.learners]
  const isDone = () =>
    cluster.appliedPayloads.has('final') &&
    new Set(members().map((id) => `${cluster.member(id).appliedIndex} ${cluster.member(id).digest}`)).size === 1
  const readsBefore = cluster.readsDone
  let proposed = false
  for (let round = 0; round < 3000 && !(isDone() && cluster.readsDone > readsBefore); round++) {
    for (const id of ids) cluster.tick(id)
    for (const id of ids) cluster.sync(id)
    const { leader } = cluster
    if (!proposed && leader !== undefined && round > 50) proposed = cluster.propose(leader.id, ['final'])
    if (proposed && !cluster.appliedPayloads.has('final') && round % 60 === 0) proposed = false
    for (const id of members()) if (round > 60) cluster.read(id)
    cluster.deliver()
  }
  const describe = () =>
    ids
      .map((id) => {
        const { paxos } = cluster.member(id)
        if (paxos === undefined) return `${id} is gone`
        const { role, leader, term, commitIndex, lastIndex, configuration } = paxos.status()
        return `${id} ${role} of ${leader} round ${term} chosen ${commitIndex} last ${lastIndex} [${configuration.voters}]`
      })
      .join('; ')
  assert.ok(isDone(), `all members apply the same after the world healed: ${describe()}`)
  assert.ok(cluster.readsDone > readsBefore, 'reads are answered after the world healed')
}

test(`random worlds keep what is chosen, and recover, ${seeds} seeds`, (context) => {
  let applied = 0
  let reads = 0
  const counts = new Map<string, number>()
  const only = process.env['SYNOD_PAXOS_SEED']
  const list = only === undefined ? Array.from({ length: seeds }, (_, seed) => String(seed)) : [only]
  for (const seed of list) {
    try {
      const cluster = runWorld(seed)
      applied += cluster.appliedPayloads.size
      reads += cluster.readsDone
      for (const [what, times] of cluster.counts) counts.set(what, (counts.get(what) ?? 0) + times)
    } catch (error) {
      throw new Error(`replay: SYNOD_PAXOS_SEED=${seed} node --test src/core/paxos/cluster.test.ts`, { cause: error })
    }
  }
  for (const [what, times] of counts) context.diagnostic(`${what}: ${times}`)
  if (only !== undefined) return
  assert.ok(applied > list.length * 10, `worlds make progress: ${applied} commands`)
  assert.ok(reads > list.length * 10, `worlds answer reads: ${reads}`)
  for (const what of ['election', 'snapshot taken', 'snapshot restored', 'snapshot rotten', 'reconfiguration chosen']) {
    assert.ok((counts.get(what) ?? 0) > list.length / 10, `too rare: ${what}`)
  }
})
