// SIGKILL of the leader under load, again and again, each restarted: no acknowledged write is lost, none is applied
// twice, and all members end with the same history.
import { after, before, describe, it } from 'node:test'
import type { Cluster } from '../cluster.ts'
import { startCluster } from '../cluster.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { Channel } from './channel.ts'
import { checkWrites, leaderOf, summary } from './checks.ts'
import { figure, spread } from './figures.ts'
import { Load } from './load.ts'

const kills = Number(process.env['SYNOD_KILLS'] ?? 20)

describe('SIGKILL of the leader under load', { skip: skipWithoutSubject() }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: subjectKind })
  })
  after(() => cluster?.stop())

  it(`${kills} times in a row`, { timeout: 120_000 }, async () => {
    const { members } = cluster
    const channels = members.map((member) => new Channel(member.endpoint))
    const load = new Load(members.map((member) => member.endpoint))
    const outagesMs: number[] = []
    load.start()
    try {
      for (let kill = 0; kill < kills; kill++) {
        await load.nextAcknowledged()
        const leader = await leaderOf(members, channels)
        const atMs = performance.now()
        await leader.crash()
        await load.nextAcknowledged()
        outagesMs.push(performance.now() - atMs)
        leader.start()
        await leader.ready()
      }
    } finally {
      await load.stop()
      for (const channel of channels) channel.close()
    }
    await checkWrites(members, load.records, load.prefix)
    figure(`${kills} leaders killed: ${summary(load.records)}; to the next write ${spread(outagesMs)}`)
  })
})
