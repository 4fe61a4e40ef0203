/** What the driver tells while members of a simulated cluster die, stand still and are cut off. One seed, one run. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prng } from '../../../base/index.ts'
import type { Driver, Entry } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import { type ClientWorld, clientWorld } from '../../testing/index.ts'

const seeds = 5
const faultyMs = 8000
/** Between the operations of one worker, so that a second of simulated time is little work. */
const restMs = 5

/** Adds one to a number by compare-and-swap, again and again, and keeps what it was told. */
class Counting {
  acknowledged = 0
  unknown = 0
  running = true
  /** The greatest value that a read must have seen. */
  floor = 0
  private readonly driver: Driver

  constructor(driver: Driver) {
    this.driver = driver
  }

  async run(): Promise<void> {
    while (this.running) {
      await rest(this.driver, restMs)
      const entry = await this.read()
      if (entry === undefined) continue
      await this.write(entry)
    }
  }

  private async read(): Promise<Entry | undefined> {
    const { floor, driver } = this
    try {
      const { entry } = await driver.get('n')
      assert.ok(entry)
      assert.ok(Number(Buffer.from(entry.value).toString()) >= floor, 'a read sees what was acknowledged before it')
      return entry
    } catch (error) {
      assert.ok(error instanceof SynodError, String(error))
      assert.equal(error.outcome, 'not-applied')
      return undefined
    }
  }

  private async write(entry: Entry): Promise<void> {
    const next = Number(Buffer.from(entry.value).toString()) + 1
    try {
      const { succeeded } = await this.driver.transact({
        compares: [{ key: 'n', target: 'modRevision', is: '=', value: entry.modRevision }],
        success: [{ type: 'put', key: 'n', value: Buffer.from(String(next)) }],
      })
      if (!succeeded) return
      this.acknowledged++
      this.floor = Math.max(this.floor, next)
    } catch (error) {
      assert.ok(error instanceof SynodError, String(error))
      if (error.outcome === 'unknown') this.unknown++
    }
  }
}

/** Puts keys without a condition: what is carried out twice shows as version 2. */
class Putting {
  readonly fates = new Map<string, 'acknowledged' | 'not-applied' | 'unknown'>()
  running = true
  private readonly driver: Driver

  constructor(driver: Driver) {
    this.driver = driver
  }

  async run(name: string): Promise<void> {
    for (let i = 0; this.running; i++) {
      const key = `p/${name}/${i}`
      await rest(this.driver, restMs)
      try {
        await this.driver.transact({ compares: [], success: [{ type: 'put', key, value: Buffer.from('x') }] })
        this.fates.set(key, 'acknowledged')
      } catch (error) {
        assert.ok(error instanceof SynodError, String(error))
        this.fates.set(key, error.outcome)
      }
    }
  }

  async lies(): Promise<string[]> {
    const { entries } = await this.driver.list({ start: 'p/', end: 'p0' })
    const versions = new Map(entries.map((entry) => [entry.key, entry.version]))
    return [...this.fates]
      .filter(([key, fate]) => {
        const version = versions.get(key) ?? 0
        if (fate === 'unknown') return version > 1
        return version !== (fate === 'acknowledged' ? 1 : 0)
      })
      .map(([key, fate]) => `${key} ${fate}: version ${versions.get(key) ?? 0}`)
  }
}

function rest(driver: Driver, ms: number): Promise<void> {
  return new Promise((resolve) => driver.outside.scheduler.setTimer(ms, resolve))
}

/** One fault after another, each healed before the next. */
async function disturb(world: ClientWorld, draw: Prng): Promise<void> {
  const untilMs = world.nowMs + faultyMs
  while (world.nowMs < untilMs) {
    await world.advance(200 + draw.below(800))
    const node = draw.below(2) === 0 ? (world.leader() ?? 0) : draw.below(3)
    const forMs = 500 + draw.below(2500)
    switch (draw.below(5)) {
      case 0:
        world.crashNode(node)
        await world.advance(forMs)
        await world.startNode(node)
        break
      case 1:
        world.cutNode(node)
        await world.advance(forMs)
        world.mendNode(node)
        break
      case 2:
        world.simulation.node(`node-${node}`).pause()
        await world.advance(forMs)
        world.simulation.node(`node-${node}`).resume()
        break
      case 3:
        world.simulation.setLink('client-0', `node-${node}`, { cut: true })
        await world.advance(forMs)
        world.simulation.setLink('client-0', `node-${node}`, { cut: false })
        break
      default:
        world.reset(0)
    }
  }
}

describe('while members of the cluster fail', { timeout: 300_000 }, () => {
  let certain = 0
  for (let seed = 0; seed < seeds; seed++) {
    it(`what is told is true, and the lease lives (seed ${seed})`, async () => {
      const world = await clientWorld({ seed: `failover-${seed}`, nodes: 3, driver: { requestTimeoutMs: 3000 } })
      const { driver } = world.client(0)
      await world.run(driver.transact({ compares: [], success: [{ type: 'put', key: 'n', value: Buffer.from('0') }] }))
      const { leaseId } = await world.run(driver.grantLease(60_000))
      const counting = new Counting(driver)
      const putting = new Putting(driver)
      let leasing = true
      let renewals = 0
      const renew = async (): Promise<void> => {
        while (leasing) {
          await driver.renewLease(leaseId).then(
            () => renewals++,
            (error: unknown) => {
              assert.ok(error instanceof SynodError && error.code !== 'LEASE_NOT_FOUND', String(error))
            },
          )
          await rest(driver, 500)
        }
      }
      const work = [counting.run(), putting.run('a'), putting.run('b'), renew()]
      const failed = Promise.all(work)
      await disturb(world, new Prng(`faults-${seed}`))
      await world.advance(5000)
      const [acknowledgedBefore, renewalsBefore] = [counting.acknowledged, renewals]
      await world.runUntil(
        () => counting.acknowledged > acknowledgedBefore + 5 && renewals > renewalsBefore,
        'all goes on once everything is healed',
      )
      counting.running = false
      putting.running = false
      leasing = false
      await world.run(failed)
      const { entry } = await world.run(driver.get('n'))
      const value = Number(Buffer.from(entry!.value).toString())
      assert.ok(value >= counting.acknowledged && value <= counting.acknowledged + counting.unknown)
      assert.deepEqual(await world.run(putting.lies()), [])
      certain += [...putting.fates.values()].filter((fate) => fate !== 'acknowledged').length
      await driver.close()
    })
  }

  it('and that was put to the test: some writes failed', () => {
    assert.ok(certain > seeds, `${certain} writes that were not acknowledged`)
  })
})
