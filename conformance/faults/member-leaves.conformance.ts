// A cluster shrinks from three members to one, each time by the member that leads and is asked itself: the answer is yes,
// its process ends and says why, it does not come back, and the rest goes on with all that was written. Then it grows again,
// and everything survives a kill of all processes.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, startCluster } from '../cluster.ts'
import type { Member } from '../member.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { Channel } from './channel.ts'
import { leaderOf } from './checks.ts'
import { addMember, memberCommand } from './member-command.ts'
import { put, range, revisionOf, succeeded, until } from './rpc.ts'

const skip = subjectKind === 'synod' ? skipWithoutSubject() : 'etcd may leave a removed member running'

describe('members that leave', { skip, concurrency: 1 }, () => {
  let cluster: Cluster
  let staying: Member[]
  const left: Member[] = []
  before(async () => {
    cluster = await startCluster({ kind: subjectKind, spares: 1 })
    staying = [...cluster.members]
  })
  after(() => cluster?.stop())

  const leaderLeaves = async (): Promise<void> => {
    const channels = staying.map((member) => new Channel(member.endpoint))
    const leader = await leaderOf(staying, channels)
    succeeded(await put(channels[0]!, `before ${leader.name}`, 'x'))
    await memberCommand(leader.endpoint, 'remove', leader.name)
    await ended(leader)
    assert.match(leader.log(), /removed/)
    staying = staying.filter((member) => member !== leader)
    left.push(leader)
    for (const channel of channels) channel.close()
    const channel = new Channel(staying[0]!.endpoint)
    await until('the rest to take a write', async () => {
      const reply = await put(channel, `after ${leader.name}`, 'x', 3000)
      return reply.kind === 'ok' ? true : undefined
    })
    assert.equal((await memberCommand(staying[0]!.endpoint, 'list')).length, staying.length)
    channel.close()
  }

  it('three become two, two become one', { timeout: 60_000 }, async () => {
    await leaderLeaves()
    await leaderLeaves()
    const channel = new Channel(staying[0]!.endpoint)
    for (const { name } of left)
      for (const key of [`before ${name}`, `after ${name}`])
        assert.ok(succeeded(await range(channel, key)).includes('x'), key)
    channel.close()
  })

  it('those who left end again when they are started again, and say what to do', { timeout: 60_000 }, async () => {
    for (const member of left) {
      const before = member.log().length
      member.start()
      await ended(member)
      assert.match(member.log().slice(before), /removed from cluster/)
    }
  })

  it('one becomes two; all are killed, and are the same again', { timeout: 60_000 }, async () => {
    const spare = cluster.spares[0]!
    const alone = staying[0]!
    const newcomer = await cluster.join(spare.name, await addMember(alone.endpoint, spare.name, spare.peerUrl))
    const before = await memberCommand(alone.endpoint, 'list')
    assert.equal(before.length, 2)
    const both = [alone, newcomer]
    await Promise.all(both.map((member) => member.crash()))
    for (const member of both) member.start()
    await Promise.all(both.map((member) => member.ready()))
    const channel = new Channel(newcomer.endpoint)
    const revision = revisionOf(succeeded(await put(channel, 'again', 'x')))
    assert.equal(revision, 6, 'four writes before, and this one')
    assert.deepEqual(await memberCommand(newcomer.endpoint, 'list'), before)
    channel.close()
  })
})

async function ended(member: Member): Promise<void> {
  const exit = await Promise.race([member.exited(), delay(15_000, undefined)])
  assert.ok(exit !== undefined, `${member.name} ends`)
  assert.notEqual(exit.code, 0, 'a supervisor must see that something is wrong')
}
