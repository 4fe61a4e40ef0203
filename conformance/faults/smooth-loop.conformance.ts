// The event loop stays free: under load, during a Range of 100,000 keys, a compaction and a snapshot, no member's loop is
// held for long and none of them changes the leader. The figures are printed; only the leader is asserted, since on a
// shared machine the process itself may be held.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ProtobufWriter } from '../../src/base/index.ts'
import type { Cluster } from '../cluster.ts'
import { startCluster } from '../cluster.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { Channel } from './channel.ts'
import { leaderOf } from './checks.ts'
import { figure } from './figures.ts'
import { Load } from './load.ts'
import { range, revisionOf, succeeded, view } from './rpc.ts'

const keys = 100_000
const keysPerTxn = 100
const valueBytes = 256
const skip = subjectKind === 'synod' ? skipWithoutSubject() : 'a measurement of Synod'

describe('a smooth loop', { skip }, () => {
  let cluster: Cluster
  let channels: Channel[]
  before(async () => {
    // Snapshots as soon as there is enough log for one.
    cluster = await startCluster({ kind: subjectKind, flags: ['--snapshot-count=1000'] })
    channels = cluster.members.map((member) => new Channel(member.endpoint))
  })
  after(async () => {
    for (const channel of channels ?? []) channel.close()
    await cluster?.stop()
  })

  it('no work of the store changes the leader', { timeout: 90_000 }, async () => {
    await preload(channels[0]!)
    const leader = await leaderOf(cluster.members, channels)
    const termBefore = (await view(channels[0]!))?.term
    const leaderAt = cluster.members.indexOf(leader)
    const channel = channels[leaderAt]!
    const took: string[] = []
    const control = new IdleProcess()
    const phase = async (name: string, work: () => Promise<unknown>): Promise<void> => {
      const before = await longestStalls(cluster)
      const atMs = performance.now()
      await work()
      const tookMs = performance.now() - atMs
      const after = await longestStalls(cluster)
      const grown = after.map((ms, at) => (ms > before[at]! ? `${ms.toFixed(0)}` : '-'))
      took.push(`${name} ${tookMs.toFixed(0)} ms, new longest stall ${grown.join('/')} ms`)
    }
    await phase('idle', () => delay(500))
    const load = new Load(
      cluster.members.map((member) => member.endpoint),
      { clients: 64, pauseMs: 0 },
    )
    load.start()
    await phase('load', () => delay(4000))
    await phase('range of 100,000', async () => {
      const message = succeeded(await range(channel, 'p/', { end: 'p0', timeoutMs: 30_000 }))
      assert.ok(message.length > keys * valueBytes)
    })
    await phase('compaction', async () => {
      const revision = revisionOf(succeeded(await range(channel, 'none')))
      const request = new ProtobufWriter().int(1, revision).bool(2, true).finish()
      succeeded(await channel.call('/etcdserverpb.KV/Compact', request, 30_000))
    })
    await phase('snapshot', () => fillLog(channel))
    await load.stop()
    const stalls = await longestStalls(cluster)
    const longest = stalls.map((ms) => ms.toFixed(0)).join('/')
    figure(`${took.join('; ')}; longest on each member ${longest} ms, leader ${leader.name}`)
    figure(
      `${load.acknowledged} writes of load; an idle process beside was held for ${await control.stop()} ms at most`,
    )
    for (const { dataDir, name } of cluster.members)
      assert.ok(readdirSync(join(dataDir, 'snap')).length > 0, `${name} wrote a snapshot`)
    assert.equal((await view(channels[0]!))?.term, termBefore, 'the leader stayed')
    assert.equal((await leaderOf(cluster.members, channels)).name, leader.name)
  })
})

/** 100,000 keys of 256 bytes. */
async function preload(channel: Channel): Promise<void> {
  const value = Buffer.alloc(valueBytes, 'x')
  for (let from = 0; from < keys; from += keysPerTxn * 10)
    await Promise.all(
      Array.from({ length: 10 }, async (_, at) => {
        const first = from + at * keysPerTxn
        const txn = new ProtobufWriter()
        for (let key = first; key < first + keysPerTxn; key++) {
          const put = new ProtobufWriter().bytes(1, Buffer.from(`p/${String(key).padStart(6, '0')}`)).bytes(2, value)
          txn.presentBytes(2, new ProtobufWriter().presentBytes(2, put.finish()).finish())
        }
        succeeded(await channel.call('/etcdserverpb.KV/Txn', txn.finish(), 20_000))
      }),
    )
}

/** Writes enough log for a snapshot on every member. */
async function fillLog(channel: Channel): Promise<void> {
  const value = 'l'.repeat(512 * 1024)
  for (let n = 0; n < 160; n++) {
    const request = new ProtobufWriter()
      .bytes(1, Buffer.from(`log/${n % 4}`))
      .bytes(2, Buffer.from(value))
      .finish()
    succeeded(await channel.call('/etcdserverpb.KV/Put', request, 20_000))
  }
  await delay(1500)
}

/** The longest stall of each member since its start, in milliseconds. */
function longestStalls(cluster: Cluster): Promise<number[]> {
  return Promise.all(
    cluster.members.map(async (member) => {
      const page = await (await fetch(`${member.clientUrl}/metrics`)).text()
      const seconds = /^synod_event_loop_longest_stall_seconds ([\d.e+-]+)$/m.exec(page)?.[1]
      assert.ok(seconds !== undefined, 'the metric is there')
      return Number(seconds) * 1000
    }),
  )
}

/** What the machine does to a process that does nothing: the longest delay of a timer in it. */
class IdleProcess {
  readonly #child: ChildProcess
  #printed = ''

  constructor() {
    const program = `
      let longest = 0, due = performance.now() + 10
      setInterval(() => { const now = performance.now(); longest = Math.max(longest, now - due - 2); due = now + 10 }, 10)
      process.on('SIGTERM', () => { console.log(longest.toFixed(0)); process.exit() })`
    this.#child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child.stdout!.on('data', (chunk: Buffer) => (this.#printed += chunk.toString()))
  }

  async stop(): Promise<string> {
    const closed = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.kill('SIGTERM')
    await closed
    return this.#printed.trim()
  }
}
