// The npm client etcd3 against a real cluster: what a Node program that uses etcd today does.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Etcd3, EtcdLockFailedError } from 'etcd3'
import { type Cluster, startCluster } from './cluster.ts'
import { skipWithoutSubject, subjectKind } from './subject.ts'

describe('the npm client etcd3', { skip: skipWithoutSubject(), concurrency: 1 }, () => {
  let cluster: Cluster
  let client: Etcd3
  before(async () => {
    cluster = await startCluster({ kind: subjectKind })
    client = new Etcd3({ hosts: cluster.members.map((member) => member.clientUrl) })
  })
  after(async () => {
    client?.close()
    await cluster?.stop()
  })

  it('puts, gets, deletes', async () => {
    await client.put('greeting').value('hello')
    assert.equal(await client.get('greeting').string(), 'hello')
    assert.equal(await client.get('absent').string(), null)
    await client.put('number').value(42)
    assert.equal(await client.get('number').number(), 42)
    const previous = await client.put('greeting').value('again').getPrevious()
    assert.equal(previous?.value.toString(), 'hello')
    const { deleted } = await client.delete().key('greeting')
    assert.equal(deleted, '1')
    assert.equal(await client.get('greeting').exists(), false)
  })

  it('reads ranges: prefix, order, limit, count, revision', async () => {
    const scores = client.namespace('scores/')
    for (const [name, score] of [
      ['ann', 3],
      ['bob', 1],
      ['cid', 2],
    ] as const) {
      await scores.put(name).value(score)
    }
    assert.deepEqual(await scores.getAll().numbers(), { ann: 3, bob: 1, cid: 2 })
    assert.deepEqual(await scores.getAll().sort('Value', 'Descend').limit(2).keys(), ['ann', 'cid'])
    assert.equal(await scores.getAll().count(), 3)
    const { header } = await scores.getAll().exec()
    await scores.put('ann').value(9)
    assert.equal(await scores.get('ann').revision(Number(header.revision)).number(), 3)
    await scores.delete().all()
    assert.equal(await scores.getAll().count(), 0)
  })

  it('compares and sets in a transaction', async () => {
    const attempt = () =>
      client.if('claim', 'Create', '==', 0).then(client.put('claim').value('mine')).else(client.get('claim')).commit()
    const first = await attempt()
    assert.equal(first.succeeded, true)
    const second = await attempt()
    assert.equal(second.succeeded, false)
    assert.equal(second.responses[0]?.response_range?.kvs[0]?.value.toString(), 'mine')
  })

  it('retries a software transaction that was interfered with', async () => {
    await client.put('counter').value(0)
    const increment = () =>
      client.stm({ retries: 50 }).transact(async (transaction) => {
        const value = await transaction.get('counter').number()
        await transaction.put('counter').value((value ?? 0) + 1)
      })
    await Promise.all(Array.from({ length: 5 }, increment))
    assert.equal(await client.get('counter').number(), 5)
  })

  it('keeps a lease alive; its keys go when it is revoked', async () => {
    const lease = client.lease(2)
    await lease.put('presence').value('here')
    await delay(3_500)
    assert.equal(await client.get('presence').string(), 'here')
    await lease.revoke()
    assert.equal(await client.get('presence').string(), null)
  })

  it('a lease that is not kept alive expires, and its watcher hears it', async () => {
    const watcher = await client.watch().key('fleeting').create()
    const gone = new Promise((resolve) => watcher.on('delete', resolve))
    const lease = client.lease(1, { autoKeepAlive: false })
    await lease.put('fleeting').value('here')
    await gone
    assert.equal(await client.get('fleeting').string(), null)
    lease.release()
    await watcher.cancel()
  })

  it('watches keys and prefixes, from now and from a revision', async () => {
    const seen: string[] = []
    const watcher = await client.watch().prefix('watched/').create()
    watcher.on('put', (kv) => seen.push(`put ${kv.key} ${kv.value}`))
    watcher.on('delete', (kv) => seen.push(`delete ${kv.key}`))
    const { header } = await client.put('watched/a').value('1')
    await client.put('unwatched').value('x')
    await client.put('watched/b').value('2')
    await client.delete().key('watched/a')
    const all = ['put watched/a 1', 'put watched/b 2', 'delete watched/a']
    await until(() => seen.length >= all.length)
    assert.deepEqual(seen, all)
    await watcher.cancel()

    const again: string[] = []
    const history = await client.watch().prefix('watched/').startRevision(header.revision).create()
    history.on('put', (kv) => again.push(`put ${kv.key} ${kv.value}`))
    history.on('delete', (kv) => again.push(`delete ${kv.key}`))
    await until(() => again.length >= all.length)
    assert.deepEqual(again, all)
    await history.cancel()
  })

  it('a lock has one holder at a time', async () => {
    let holders = 0
    let most = 0
    const work = () =>
      client
        .lock('mutex')
        .ttl(10)
        .do(async () => {
          holders++
          most = Math.max(most, holders)
          await delay(20)
          holders--
        })
    const attempts = await Promise.allSettled(Array.from({ length: 4 }, work))
    assert.equal(most, 1)
    assert.ok(attempts.some((attempt) => attempt.status === 'fulfilled'))
    const lock = client.lock('held')
    await lock.acquire()
    await assert.rejects(client.lock('held').acquire(), EtcdLockFailedError)
    await lock.release()
    await client.lock('held').do(() => {})
  })

  it('an election has one leader, and another after it resigns', async () => {
    const first = client.election('room', 5)
    const second = client.election('room', 5)
    const campaign = first.campaign('one')
    await new Promise<void>((resolve, reject) => {
      campaign.on('elected', () => resolve())
      campaign.on('error', reject)
    })
    assert.equal(await first.leader(), 'one')
    const rival = second.campaign('two')
    let elected = false
    const succeeded = new Promise<void>((resolve, reject) => {
      rival.on('elected', () => {
        elected = true
        resolve()
      })
      rival.on('error', reject)
    })
    await delay(200)
    assert.equal(elected, false)
    await campaign.resign()
    await succeeded
    assert.equal(await second.leader(), 'two')
    await rival.resign()
  })

  it('lists members and asks for status', async () => {
    const { members } = await client.cluster.memberList({})
    assert.deepEqual(members.map((member) => member.name).sort(), ['n1', 'n2', 'n3'])
    const status = await client.maintenance.status()
    assert.notEqual(status.leader, '0')
    assert.match(status.version, /^3\.\d+\.\d+/)
  })
})

async function until(condition: () => boolean, timeoutMs = 5_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!condition() && Date.now() < deadline) await delay(10)
}
