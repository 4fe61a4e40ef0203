// The driver for etcd's protocol on real clusters, etcd and Synod alike: its contract, and what it does when members die
// and connections stop.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { driverContract } from '../../src/client/contract/index.ts'
import type { Driver } from '../../src/client/driver/index.ts'
import { SynodError } from '../../src/client/errors.ts'
import { type Cluster, type ServerKind, skipWithoutServer, startCluster } from '../cluster.ts'
import { clusterSubject, openRelayed, outside } from './etcd-cluster-subject.ts'

const kinds: readonly ServerKind[] = ['etcd36', 'synod']
const patienceMs = 20_000

for (const kind of kinds) {
  const skip = skipWithoutServer(kind)
  describe(`${kind}, three members`, { skip, timeout: 300_000 }, () => {
    let cluster: Cluster
    before(async () => {
      cluster = await startCluster({ kind, nodes: 3 })
    })
    after(() => cluster.stop())

    driverContract(kind, { open: () => clusterSubject(cluster) })

    it('writes while the leader is killed: what was acknowledged is there, what was not applied is not', async () => {
      const { driver, close } = await openRelayed(cluster)
      try {
        const writer = new Writer(driver)
        writer.start(16)
        await writer.acknowledgedMore(50)
        const leader = await leaderOf(cluster)
        await cluster.member(leader).crash()
        await writer.acknowledgedMore(200)
        await writer.stop()
        assert.deepEqual(await writer.lies(), [])
      } finally {
        await close()
        for (const member of cluster.members) if (!member.running) member.start()
        await cluster.ready()
      }
    })

    it('reads survive the death of the leader, without an error', async () => {
      const { driver, close } = await openRelayed(cluster, { requestTimeoutMs: patienceMs })
      try {
        await put(driver, 'read', '1')
        const leader = await leaderOf(cluster)
        let reading = true
        let count = 0
        const readers = Array.from({ length: 8 }, async () => {
          while (reading) {
            assert.equal(text((await driver.get('read')).entry?.value), '1')
            count++
          }
        })
        await cluster.member(leader).crash()
        const before = count
        await until('reads again', () => count > before + 200)
        reading = false
        await Promise.all(readers)
      } finally {
        await close()
        for (const member of cluster.members) if (!member.running) member.start()
        await cluster.ready()
      }
    })

    it('a leader behind a dead link: reads are answered by others at once, writes go to others soon', async () => {
      const { driver, relays, close } = await openRelayed(cluster, { requestTimeoutMs: 2000 })
      try {
        await put(driver, 'cut', '1')
        const leader = await leaderOf(cluster)
        relays[leader]!.cut()
        const startedMs = outside.clock.monotonicMs()
        assert.equal(text((await driver.get('cut')).entry?.value), '1')
        // Far less than it takes to find that the connection is dead.
        assert.ok(outside.clock.monotonicMs() - startedMs < 2000)
        await until('a write that is acknowledged', () =>
          put(driver, 'cut', '2').then(
            () => true,
            (error: unknown) => {
              assert.ok(error instanceof SynodError && error.outcome === 'unknown', String(error))
              return false
            },
          ),
        )
        assert.ok(outside.clock.monotonicMs() - startedMs < 6000, 'before the connection is found dead')
      } finally {
        await close()
      }
    })

    it('connections broken again and again: leases live on, watches can be begun again', async () => {
      const { driver, relays, close } = await openRelayed(cluster)
      try {
        const { leaseId } = await driver.grantLease(5000)
        await put(driver, 'broken', '1', leaseId)
        for (let i = 0; i < 20; i++) {
          const renewals = Promise.all([driver.renewLease(leaseId), driver.renewLease(leaseId)])
          for (const relay of relays) relay.reset()
          const [first, second] = await renewals
          assert.ok(first.ttlMs >= 5000 && second.ttlMs >= 5000)
          assert.ok(first.sentAtMs <= outside.clock.monotonicMs())
        }
        assert.equal(text((await driver.get('broken')).entry?.value), '1')
        await driver.revokeLease(leaseId)
      } finally {
        await close()
      }
    })
  })
}

/** Writes keys of its own, each once, and keeps what it was told of each. */
class Writer {
  private readonly driver: Driver
  private readonly fates = new Map<string, 'acknowledged' | 'not-applied' | 'unknown'>()
  private writing = true
  private running: Promise<unknown> = Promise.resolve()
  private count = 0
  private acknowledged = 0
  private readonly prefix = `w-${Buffer.from(outside.random.bytes(6)).toString('hex')}/`

  constructor(driver: Driver) {
    this.driver = driver
  }

  start(parallel: number): void {
    this.running = Promise.all(Array.from({ length: parallel }, () => this.write()))
  }

  async acknowledgedMore(count: number): Promise<void> {
    const enough = this.acknowledged + count
    await until(`${count} more acknowledged writes`, () => this.acknowledged >= enough)
  }

  async stop(): Promise<void> {
    this.writing = false
    await this.running
  }

  /** Keys whose state is not what was told of them. A version above 1 was written twice. */
  async lies(): Promise<string[]> {
    const { entries } = await this.driver.list({ start: this.prefix, end: `${this.prefix}\xff` })
    const versions = new Map(entries.map((entry) => [entry.key, entry.version]))
    return [...this.fates]
      .filter(([key, fate]) => {
        const version = versions.get(key) ?? 0
        if (version > 1) return true
        return fate === 'acknowledged' ? version !== 1 : fate === 'not-applied' && version !== 0
      })
      .map(([key, fate]) => `${key} ${fate} has version ${versions.get(key) ?? 0}`)
  }

  private async write(): Promise<void> {
    while (this.writing) {
      const key = this.prefix + this.count++
      try {
        await put(this.driver, key, 'x')
        this.fates.set(key, 'acknowledged')
        this.acknowledged++
      } catch (error) {
        assert.ok(error instanceof SynodError, String(error))
        this.fates.set(key, error.outcome)
      }
    }
  }
}

function put(driver: Driver, key: string, value: string, leaseId = 0n) {
  return driver.transact({ compares: [], success: [{ type: 'put', key, value: Buffer.from(value), leaseId }] })
}

function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString()
}

/** The place of the leader among the members: the one that says it leads. */
async function leaderOf(cluster: Cluster): Promise<number> {
  let found = -1
  await until('a leader', async () => {
    const metrics = await Promise.all(
      cluster.members.map((member) => fetch(`${member.clientUrl}/metrics`).then((page) => page.text())),
    )
    found = metrics.findIndex((page) => /^etcd_server_is_leader 1$/m.test(page))
    return found >= 0
  })
  return found
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = outside.clock.monotonicMs() + patienceMs
  while (!(await holds())) {
    assert.ok(outside.clock.monotonicMs() < untilMs, `in time: ${what}`)
    await new Promise<void>((resolve) => outside.scheduler.setTimer(10, resolve))
  }
}
