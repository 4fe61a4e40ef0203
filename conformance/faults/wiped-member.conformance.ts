// A data directory is one member's, for good: a member that comes back with an empty one is refused, a second process on
// the same one too, and so are settings of another cluster. The cluster goes on.
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Cluster } from '../cluster.ts'
import { startCluster } from '../cluster.ts'
import type { Member } from '../member.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { Channel } from './channel.ts'
import { type CommandResult, run } from './etcdctl.ts'
import { figure } from './figures.ts'
import { freePorts, nodeCommand } from './layout.ts'
import { put, revisionOf, succeeded } from './rpc.ts'

const skip = subjectKind === 'synod' ? skipWithoutSubject() : 'etcd has no such checks'

describe('a data directory has one owner', { skip }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: subjectKind })
  })
  after(() => cluster?.stop())

  it('a second process on it is refused, and told who has it', { timeout: 30_000 }, async () => {
    const owner = cluster.member(2)
    const second = await startAgain(cluster, owner)
    assert.notEqual(second.code, 0)
    assert.match(second.stderr, new RegExp(`process ${owner.pid}\\b`))
    assert.match(second.stderr, new RegExp(owner.clientUrl.replaceAll('.', '\\.')))
    refusedPlainly(second)
    await stillWrites(cluster)
  })

  it('settings of another cluster are refused, with those that it was founded with', { timeout: 30_000 }, async () => {
    const member = cluster.member(2)
    await member.crash()
    const token = await startAgain(cluster, member, { token: 'another token' })
    assert.match(token.stderr, /belongs to another cluster/)
    refusedPlainly(token)
    const fewer = await startAgain(cluster, member, { initialCluster: `${member.name}=${member.peerUrl}` })
    assert.match(fewer.stderr, /belongs to another cluster.*founded with.*n1=.*n2=.*n3=/s)
    refusedPlainly(fewer)
    member.start()
    await member.ready()
  })

  it('a member that comes back with an empty one is refused', { timeout: 30_000 }, async () => {
    const member = cluster.member(2)
    await member.crash()
    rmSync(member.dataDir, { recursive: true })
    const logged = member.log().length
    member.start()
    const atMs = performance.now()
    const exit = await member.exited()
    const tookMs = performance.now() - atMs
    const said = member.log().slice(logged)
    assert.ok(exit.code !== null && exit.code > 0, `ended with ${exit.code ?? exit.signal}`)
    assert.match(said, /synod member remove [0-9a-f]+, synod member add n3 /)
    assert.doesNotMatch(said, /consensus role changed/, 'it took no part in consensus')
    await stillWrites(cluster)
    // The directory that the first attempt began must not pass for its old one.
    member.start()
    assert.ok(((await member.exited()).code ?? 0) > 0)
    await stillWrites(cluster)
    figure(`a wiped member was refused after ${tookMs.toFixed(0)} ms`)
  })
})

interface Changed {
  readonly token?: string
  readonly initialCluster?: string
}

/** Runs `member`'s command beside it, on its directory but on ports of its own. */
async function startAgain(cluster: Cluster, member: Member, changed: Changed = {}): Promise<CommandResult> {
  const ports = await freePorts(2)
  const initialCluster = cluster.members.map((each) => `${each.name}=${each.peerUrl}`).join(',')
  const settings = {
    '--name': member.name,
    '--data-dir': join(cluster.folder, member.name),
    '--listen-client-urls': `http://127.0.0.1:${ports[0]}`,
    '--advertise-client-urls': `http://127.0.0.1:${ports[0]}`,
    '--listen-peer-urls': `http://127.0.0.1:${ports[1]}`,
    '--initial-advertise-peer-urls': member.peerUrl,
    '--initial-cluster': changed.initialCluster ?? initialCluster,
    '--initial-cluster-token': changed.token ?? `conformance-${new URL(cluster.member(0).clientUrl).port}`,
  }
  const consensus = process.env['SYNOD_CONFORMANCE_CONSENSUS']
  const algorithm = consensus === undefined ? [] : ['--consensus', consensus]
  const [program, ...args] = [...nodeCommand(), ...Object.entries(settings).flat(), ...algorithm]
  return run(program!, args)
}

/** The process ended by itself, with a sentence and no stack trace. */
function refusedPlainly({ code, stderr }: CommandResult): void {
  assert.ok(code !== null && code > 0, `ended with ${code}`)
  assert.doesNotMatch(stderr, /\.ts:\d+:\d+/, 'no stack trace')
}

async function stillWrites(cluster: Cluster): Promise<void> {
  const channel = new Channel(cluster.member(0).endpoint)
  try {
    assert.ok(revisionOf(succeeded(await put(channel, 'still', 'writes'))) > 1)
  } finally {
    channel.close()
  }
}
