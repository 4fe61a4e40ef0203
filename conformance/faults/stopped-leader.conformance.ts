// The leader is stopped for 5 s under load, or cut off from its peers while clients still reach it: meanwhile another one leads, and the old one must not answer
// a linearizable read from what it knew before. Reads go to all members at a steady pace, whether or not earlier ones
// were answered, so that many wait in the stopped leader's sockets.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { startCluster } from '../cluster.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { Channel } from './channel.ts'
import { checkWrites, leaderOf, summary } from './checks.ts'
import { figure } from './figures.ts'
import { FreshnessProbe } from './freshness.ts'
import { Load } from './load.ts'
import { RelayedCluster } from './relay.ts'
import { memberIdOf } from './rpc.ts'

const stoppedMs = 5000

describe('SIGSTOP of the leader', { skip: skipWithoutSubject() }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: subjectKind })
  })
  after(() => cluster?.stop())

  it(`for ${stoppedMs} ms: no stale linearizable read by anyone`, { timeout: 80_000 }, async () => {
    const { members } = cluster
    const channels = members.map((member) => new Channel(member.endpoint))
    const load = new Load(
      members.map((member) => member.endpoint),
      { timeoutMs: 2000 },
    )
    const probe = new FreshnessProbe(channels)
    load.start()
    probe.start()
    await load.nextAcknowledged()
    const leader = await leaderOf(members, channels)
    leader.kill('SIGSTOP')
    const atMs = performance.now()
    await load.nextAcknowledged()
    const outageMs = performance.now() - atMs
    await delay(stoppedMs - outageMs)
    const revisionBefore = probe.acknowledgedRevision
    leader.kill('SIGCONT')
    await delay(2000)
    await probe.stop()
    await load.stop()
    for (const channel of channels) channel.close()
    assert.ok(probe.acknowledgedRevision > revisionBefore, 'writes went on after the leader woke up')
    assert.deepEqual(probe.stale, [])
    await checkWrites(members, load.records, load.prefix)
    figure(
      `leader stopped for ${stoppedMs} ms: ${probe.answered} reads answered, ${probe.failed} failed, none stale; ` +
        `${summary(load.records)}; to the next write ${outageMs.toFixed(0)} ms`,
    )
  })
})

const skipCut = subjectKind === 'synod' ? skipWithoutSubject() : 'the relays know the peer protocol of Synod'

describe('the leader cut off from its peers', { skip: skipCut }, () => {
  let cluster: RelayedCluster
  before(async () => {
    cluster = await RelayedCluster.start()
  })
  after(() => cluster?.stop())

  it('in silence, three times: no stale linearizable read by anyone', { timeout: 60_000 }, async () => {
    const { members } = cluster
    const channels = members.map((member) => new Channel(member.endpoint))
    const probe = new FreshnessProbe(channels)
    probe.start()
    for (let round = 0; round < 3; round++) {
      const leader = await leaderOf(members, channels)
      const revisionBefore = probe.acknowledgedRevision
      cluster.cutOff(leader, await memberIdOf(channels[members.indexOf(leader)]!))
      await delay(3500)
      assert.ok(probe.acknowledgedRevision > revisionBefore, 'the others go on')
      cluster.heal()
      await delay(1000)
    }
    await probe.stop()
    for (const channel of channels) channel.close()
    assert.deepEqual(probe.stale, [])
    figure(`leader cut off 3 times: ${probe.answered} reads answered, ${probe.failed} failed, none stale`)
  })
})
