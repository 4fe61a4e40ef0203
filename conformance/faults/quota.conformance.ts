// --quota-backend-bytes reached: the NOSPACE alarm, on every member and in etcd's words; reads and deletions go on; it is
// cleared by compaction, defragmentation and disarming. All through the real etcdctl.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Cluster } from '../cluster.ts'
import { startCluster } from '../cluster.ts'
import { skipWithout } from '../peers.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { Channel } from './channel.ts'
import { type CommandResult, etcdctl } from './etcdctl.ts'
import { figure } from './figures.ts'
import { range, until } from './rpc.ts'

const quotaBytes = 4 * 1024 * 1024
const value = 'v'.repeat(100 * 1024)
const spaceExceeded = /etcdserver: mvcc: database space exceeded/

describe('the quota of the store', { skip: skipWithoutSubject() || skipWithout('etcdctl36') }, () => {
  let cluster: Cluster
  let writes = 0
  before(async () => {
    cluster = await startCluster({ kind: subjectKind, flags: [`--quota-backend-bytes=${quotaBytes}`] })
  })
  after(() => cluster?.stop())

  const everywhere = (...args: readonly string[]) =>
    Promise.all(cluster.members.map((member) => etcdctl(member.endpoint, ...args)))

  it('reached, refuses writes with an alarm on every member', { timeout: 60_000 }, async () => {
    let refused: CommandResult | undefined
    for (; refused === undefined && writes < 100; writes++) {
      const result = await etcdctl(cluster.member(writes).endpoint, 'put', 'filler', value)
      if (result.code !== 0) refused = result
    }
    assert.match(refused?.stderr ?? `${writes} writes were taken`, spaceExceeded)
    for (const { stderr } of await everywhere('put', 'another', value)) assert.match(stderr, spaceExceeded)
    for (const { stderr } of await everywhere('put', 'small', 'x')) assert.match(stderr, spaceExceeded)
    for (const { stdout } of await everywhere('alarm', 'list')) assert.match(stdout, /^memberID:\d+ alarm:NOSPACE/m)
    for (const { stdout } of await everywhere('endpoint', 'status', '-w', 'json'))
      assert.match(stdout, /alarm:NOSPACE/, 'the status of every member tells the alarm')
  })

  it('leaves reads and deletions', { timeout: 30_000 }, async () => {
    for (const { stdout } of await everywhere('get', 'filler', '--keys-only')) assert.match(stdout, /^filler/)
    const deletion = await etcdctl(cluster.endpoints, 'del', 'nothing')
    assert.equal(deletion.stdout.trim(), '0', deletion.stderr)
  })

  it('survives a restart', { timeout: 30_000 }, async () => {
    const member = cluster.member(1)
    await member.stop()
    member.start()
    const channel = new Channel(member.endpoint)
    // Not `ready()`: as etcd's, the health page of a member with an alarm says no.
    await until('the member to serve', async () => ((await range(channel, 'filler')).kind === 'ok' ? true : undefined))
    channel.close()
    const { stdout } = await etcdctl(cluster.member(1).endpoint, 'alarm', 'list')
    assert.match(stdout, /alarm:NOSPACE/)
    assert.match((await etcdctl(cluster.member(1).endpoint, 'put', 'small', 'x')).stderr, spaceExceeded)
  })

  it('is cleared by compaction, defragmentation and disarming', { timeout: 60_000 }, async () => {
    const status = await etcdctl(cluster.member(0).endpoint, 'endpoint', 'status', '-w', 'json')
    const revision = /"revision":(\d+)/.exec(status.stdout)?.[1]
    assert.ok(revision !== undefined, status.stdout)
    const compaction = await etcdctl(cluster.member(0).endpoint, 'compact', revision, '--physical')
    assert.equal(compaction.code, 0, compaction.stderr)
    for (const { code, stderr } of await everywhere('defrag')) assert.equal(code, 0, stderr)
    const disarm = await etcdctl(cluster.member(0).endpoint, 'alarm', 'disarm')
    assert.match(disarm.stdout, /alarm:NOSPACE/)
    for (const { stdout } of await everywhere('alarm', 'list')) assert.equal(stdout.trim(), '')
    for (const { code, stderr } of await everywhere('put', 'filler', value)) assert.equal(code, 0, stderr)
    const hashes = await etcdctl(cluster.endpoints, 'endpoint', 'hashkv', '-w', 'json')
    const found = [...hashes.stdout.matchAll(/"hash":(\d+)/g)].map((match) => match[1])
    assert.equal(found.length, 3, hashes.stderr)
    assert.equal(new Set(found).size, 1, hashes.stdout)
    figure(`a quota of ${quotaBytes} bytes took ${writes - 1} writes of ${value.length} bytes`)
  })
})
