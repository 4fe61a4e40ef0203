// A driver on an ensemble of three real servers, of which one after the other is killed: what was acknowledged stays,
// nothing is done twice, and leases live on.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { utf8Bytes } from '../../src/base/index.ts'
import type { Driver, LeaseId } from '../../src/client/driver/index.ts'
import { openZooKeeperDriver } from '../../src/client/drivers/zookeeper/index.ts'
import { SynodError } from '../../src/client/errors.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'
import { skipWithout } from '../peers.ts'
import { startZooKeeper, type ZooKeeperServers } from './zookeeper-server.ts'

const runtime = createNodeRuntime({ logLevel: 'warn' })
const rounds = 3
const clients = 3
const leaseMs = 20_000

const numberIn = (value: Uint8Array | undefined) => (value === undefined ? 0 : Number(Buffer.from(value).toString()))

/** Adds 1 to a counter until it is told to stop, and counts what it was told. */
class Incrementer {
  readonly #driver: Driver
  readonly #key: string
  #isStopped = false
  acknowledged = 0
  unknown = 0
  /** The revisions of its acknowledged writes rise. */
  #lastRevision = 0

  constructor(driver: Driver, key: string) {
    this.#driver = driver
    this.#key = key
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#increment()
      } catch (error) {
        if (!(error instanceof SynodError)) throw error
        assert.ok(['UNAVAILABLE', 'TIMEOUT'].includes(error.code), `${error.code}: ${error.message}`)
        if (error.outcome === 'unknown') this.unknown++
      }
    }
  }

  async #increment(): Promise<void> {
    const { entry } = await this.#driver.get(this.#key)
    const { succeeded, revision } = await this.#driver.transact({
      compares: [{ key: this.#key, target: 'modRevision', is: '=', value: entry?.modRevision ?? 0 }],
      success: [{ type: 'put', key: this.#key, value: utf8Bytes(String(numberIn(entry?.value) + 1)) }],
    })
    if (!succeeded) return
    assert.ok(revision > this.#lastRevision, 'revisions rise')
    this.#lastRevision = revision
    this.acknowledged++
  }

  stop(): void {
    this.#isStopped = true
  }
}

describe('zookeeper://, three real servers', { skip: skipWithout('zookeeper') }, () => {
  let servers: ZooKeeperServers
  const drivers: Driver[] = []

  before(async () => {
    servers = await startZooKeeper(3)
    const addresses = servers.ports.map((port) => ({ host: '127.0.0.1', port }))
    for (let at = 0; at < clients; at++)
      drivers.push(await openZooKeeperDriver({ servers: addresses, sessionTimeoutMs: 3_000 }, runtime))
  })
  after(async () => {
    await Promise.all(drivers.map((driver) => driver.close()))
    await servers?.stop()
  })

  const put = (driver: Driver, key: string, leaseId: LeaseId) =>
    driver.transact({ compares: [], success: [{ type: 'put', key, value: utf8Bytes('x'), leaseId }] })

  /** Calls until it succeeds: only for what may be repeated. */
  async function eventually<T>(call: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + 30_000
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof SynodError && error.retryable) || Date.now() > deadline) throw error
      }
    }
  }

  async function seen(driver: Driver, number: number): Promise<void> {
    const deadline = Date.now() + 5_000
    while (numberIn((await driver.get('seen')).entry?.value) !== number)
      assert.ok(Date.now() < deadline, `${number} is not seen`)
  }

  it('a read on one server sees what was acknowledged on another; on the leader, a moment later at worst', async () => {
    const leaderAt = (await servers.roles()).indexOf('leader')
    const pinned = await Promise.all(
      servers.ports.map((port) => openZooKeeperDriver({ servers: [{ host: '127.0.0.1', port }] }, runtime)),
    )
    for (let i = 1; i <= 300; i++) {
      const writer = pinned[i % 3]!
      const value = utf8Bytes(String(i))
      await writer.transact({ compares: [], success: [{ type: 'put', key: 'seen', value }] })
      const found = await Promise.all(pinned.map(async (driver) => numberIn((await driver.get('seen')).entry?.value)))
      for (const [at, number] of found.entries()) {
        // The leader tells the others of a commit before it has applied it, and does not hold its own clients' `sync` for that.
        if (at === leaderAt && number === i - 1) await seen(pinned[at]!, i)
        else assert.equal(number, i)
      }
    }
    await Promise.all(pinned.map((driver) => driver.close()))
  })

  it('leases are renewed in time when a server falls silent', { timeout: 60_000 }, async () => {
    const ttlMs = 6_000
    const leases = await Promise.all(Array.from({ length: 9 }, (_, at) => drivers[at % clients]!.grantLease(ttlMs)))
    const silent = servers.members[(await servers.roles()).indexOf('follower')]!
    silent.kill('SIGSTOP')
    try {
      // Late, but in the first half of its time: then there must be time to go to another server.
      const lateMs = leases.at(-1)!.sentAtMs + 0.45 * ttlMs
      while (runtime.clock.monotonicMs() < lateMs) await new Promise((resolve) => setTimeout(resolve, 20))
      const renewed = await Promise.all(
        leases.map(({ leaseId }, at) => eventually(() => drivers[at % clients]!.renewLease(leaseId))),
      )
      for (const [at, { ttlMs: leftMs, sentAtMs }] of renewed.entries()) {
        assert.ok(sentAtMs < leases[at]!.sentAtMs + ttlMs, 'before the lease could have ended')
        assert.ok(sentAtMs + leftMs > runtime.clock.monotonicMs(), 'with time left')
      }
    } finally {
      silent.kill('SIGCONT')
    }
    await servers.ready()
    await Promise.all(leases.map(({ leaseId }, at) => eventually(() => drivers[at % clients]!.revokeLease(leaseId))))
  })

  it('the leader is killed under load, again and again', { timeout: 180_000 }, async () => {
    const leases = await Promise.all(drivers.map((driver) => driver.grantLease(leaseMs)))
    for (const [at, { leaseId }] of leases.entries()) await put(drivers[at]!, `leased/${at}`, leaseId)
    const incrementers = drivers.map((driver) => new Incrementer(driver, 'counter'))
    const running = Promise.all(incrementers.map((each) => each.run()))
    const acknowledged = () => incrementers.reduce((sum, each) => sum + each.acknowledged, 0)

    for (let round = 0; round < rounds; round++) {
      const leaderAt = (await servers.roles()).indexOf('leader')
      await servers.members[leaderAt]!.crash()
      const before = acknowledged()
      await servers.ready()
      const deadline = Date.now() + 30_000
      while (acknowledged() < before + 20) {
        assert.ok(Date.now() < deadline, 'writes go on after the leader was killed')
        await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 20))])
      }
      const renewed = await Promise.all(
        leases.map(({ leaseId }, at) => eventually(() => drivers[at]!.renewLease(leaseId))),
      )
      for (const { ttlMs } of renewed) assert.ok(ttlMs > 0)
      servers.members[leaderAt]!.start()
      await servers.ready()
    }
    for (const each of incrementers) each.stop()
    await running

    const { entry } = await eventually(() => drivers[0]!.get('counter'))
    const count = numberIn(entry?.value)
    const unknown = incrementers.reduce((sum, each) => sum + each.unknown, 0)
    assert.ok(count >= acknowledged(), `${count} of ${acknowledged()} acknowledged increments are there`)
    assert.ok(
      count <= acknowledged() + unknown,
      `${count} increments, ${acknowledged()} and at most ${unknown} were made`,
    )
    assert.equal(entry?.version, count)
    for (const [at, { leaseId }] of leases.entries()) {
      assert.equal((await eventually(() => drivers[0]!.get(`leased/${at}`))).entry?.leaseId, leaseId)
      await eventually(() => drivers[at]!.revokeLease(leaseId))
    }
    assert.deepEqual((await drivers[0]!.list({ start: 'leased/', end: 'leased0' })).entries, [])
  })

  it('without a quorum nothing is acknowledged, and it says so in time', { timeout: 120_000 }, async () => {
    const [first, second] = servers.members
    await Promise.all([first!.crash(), second!.crash()])
    const deadlineMs = runtime.clock.monotonicMs() + 2_000
    const failure = await drivers[0]!
      .transact({ compares: [], success: [{ type: 'put', key: 'alone', value: utf8Bytes('1') }] }, { deadlineMs })
      .then(
        () => undefined,
        (error: SynodError) => error,
      )
    assert.ok(failure?.code === 'TIMEOUT' || failure?.code === 'UNAVAILABLE', failure?.code)
    first!.start()
    second!.start()
    await servers.ready()
    const { entry } = await eventually(() => drivers[0]!.get('alone'))
    if (failure.outcome === 'not-applied') assert.equal(entry, undefined)
    await eventually(() => put(drivers[0]!, 'together', 0n))
  })
})
