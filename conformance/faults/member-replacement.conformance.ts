// Every founder of a cluster is replaced under load, one after the other, the last ones having been killed first: no
// acknowledged write is lost, none is applied twice, and the newcomers end with the same history, also after all of them
// were killed at once.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Cluster, startCluster } from '../cluster.ts'
import type { Member } from '../member.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { checkWrites, summary } from './checks.ts'
import { figure, spread } from './figures.ts'
import { Load } from './load.ts'
import { addMember, memberCommand } from './member-command.ts'
import { until } from './rpc.ts'

const skip = subjectKind === 'synod' ? skipWithoutSubject() : 'etcd takes five seconds before each change'

describe('replacing every member under load', { skip }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: subjectKind, spares: 3 })
  })
  after(() => cluster?.stop())

  it('loses no acknowledged write', { timeout: 120_000 }, async () => {
    const founders = [...cluster.members]
    const places = [...founders, ...cluster.spares].map(({ clientUrl }) => new URL(clientUrl).host)
    const load = new Load(places, { clients: 16 })
    const gapsMs: number[] = []
    load.start()
    try {
      await load.nextAcknowledged()
      for (const [at, { name, peerUrl }] of cluster.spares.entries()) {
        const leaving = founders[at]!
        const fromMs = performance.now()
        if (at === 0) await replaceLive(cluster, leaving, name, peerUrl)
        else await replaceKilled(cluster, leaving, name, peerUrl)
        await load.nextAcknowledged()
        gapsMs.push(performance.now() - fromMs)
      }
    } finally {
      await load.stop()
    }
    const newcomers = cluster.members.filter((member) => !founders.includes(member))
    assert.equal(newcomers.length, 3)
    const listed = await memberCommand(newcomers[0]!.endpoint, 'list')
    assert.deepEqual(
      listed.map((member) => [member['name'], member['isLearner']]),
      newcomers.map(({ name }) => [name, false]),
    )
    await checkWrites(newcomers, load.records, load.prefix)
    // None of them was there when the cluster was founded, and each must find the others again.
    await Promise.all(newcomers.map((member) => member.crash()))
    for (const member of newcomers) member.start()
    await Promise.all(newcomers.map((member) => member.ready()))
    await checkWrites(newcomers, load.records, load.prefix)
    figure(`3 members replaced: ${summary(load.records)}; each, to the next write, ${spread(gapsMs)}`)
  })
})

/** A learner first, which is promoted once it has caught up; then the old member leaves, and its process ends. */
async function replaceLive(cluster: Cluster, leaving: Member, name: string, peerUrl: string): Promise<void> {
  const endpoints = cluster.endpoints
  await cluster.join(name, await addMember(endpoints, name, peerUrl, '--learner'))
  await until(`${name} to be promoted`, async () => {
    return await memberCommand(endpoints, 'promote', name).catch(() => undefined)
  })
  await memberCommand(cluster.named(name).endpoint, 'remove', leaving.name)
  const exit = await Promise.race([leaving.exited(), new Promise((resolve) => setTimeout(resolve, 15_000, undefined))])
  assert.ok(exit !== undefined, `${leaving.name} ends once it is removed`)
  assert.match(leaving.log(), /removed/)
}

/** The old member is lost; it is taken out, and a voter comes in its place. */
async function replaceKilled(cluster: Cluster, lost: Member, name: string, peerUrl: string): Promise<void> {
  await lost.crash()
  const alive = cluster.members.filter((member) => member.running).map(({ endpoint }) => endpoint)
  const endpoints = alive.join(',')
  await until(`${lost.name} to be removed`, async () => {
    const removed = await memberCommand(endpoints, 'remove', lost.name).catch((error: Error) => error)
    // An answer that was lost with a leader may have been a yes.
    return removed instanceof Error && !/there is no member/.test(removed.message) ? undefined : true
  })
  await cluster.join(name, await addMember(endpoints, name, peerUrl))
}
