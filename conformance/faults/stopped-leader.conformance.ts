// SIGSTOP of the leader for 5 s under load: while it sleeps another one leads, and when it wakes up it must not answer
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
import { Load } from './load.ts'
import { keyValuesOf, put, range, revisionOf } from './rpc.ts'

const stoppedMs = 5000
const readEveryMs = 20

/** A key that one writer keeps changing, and readers that must never see it older than it was when they asked. */
class FreshnessProbe {
  /** The revision of the newest acknowledged change. */
  acknowledgedRevision = 0
  answered = 0
  failed = 0
  readonly stale: string[] = []
  readonly #channels: readonly Channel[]
  readonly #reads = new Set<Promise<void>>()
  #stopping = false
  #running: Promise<unknown> | undefined

  constructor(channels: readonly Channel[]) {
    this.#channels = channels
  }

  start(): void {
    this.#running = Promise.all([this.#write(), ...this.#channels.map((channel) => this.#read(channel))])
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
    await Promise.all(this.#reads)
  }

  async #write(): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      const reply = await put(this.#channels[n % this.#channels.length]!, 'probe', String(n), 300)
      if (reply.kind === 'ok')
        this.acknowledgedRevision = Math.max(this.acknowledgedRevision, revisionOf(reply.message))
      await delay(2)
    }
  }

  async #read(channel: Channel): Promise<void> {
    while (!this.#stopping) {
      const read = this.#readOnce(channel).finally(() => this.#reads.delete(read))
      this.#reads.add(read)
      await delay(readEveryMs)
    }
  }

  async #readOnce(channel: Channel): Promise<void> {
    const floor = this.acknowledgedRevision
    const reply = await range(channel, 'probe', { timeoutMs: 20_000 })
    if (reply.kind !== 'ok') {
      this.failed++
      return
    }
    this.answered++
    const seen = keyValuesOf(reply.message)[0]?.modRevision ?? 0
    if (seen < floor) this.stale.push(`${channel.endpoint} saw revision ${seen}, ${floor} was acknowledged before`)
  }
}

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
