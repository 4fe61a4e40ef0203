import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { utf8Bytes } from '../../../base/index.ts'
import type { Runtime } from '../../../runtime/index.ts'
import { createNodeRuntime } from '../../../runtime/node/index.ts'
import { createSimulation, type Simulation } from '../../../runtime/simulation/index.ts'
import type { Compare, Driver } from '../../driver/index.ts'
import { SynodError, type SynodErrorCode } from '../../errors.ts'
import { type EmbeddedDriver, type EmbeddedDriverOptions, openEmbeddedDriver } from './index.ts'

function put(driver: Driver, key: string, value = '') {
  return driver.transact({ compares: [], success: [{ type: 'put', key, value: utf8Bytes(value) }] })
}

async function read(driver: Driver, key: string): Promise<string | undefined> {
  const { entry } = await driver.get(key)
  return entry === undefined ? undefined : Buffer.from(entry.value).toString()
}

/** In memory nothing takes any simulated time: a loop that never pauses would stop the clock. */
function pause(driver: Driver): Promise<void> {
  return new Promise((resolve) => driver.outside.scheduler.setTimer(1, resolve))
}

/** Adds one, however often it takes; resolves to whether it is known to have been added. */
async function increment(driver: Driver): Promise<boolean> {
  for (;;) {
    await pause(driver)
    const { entry } = await driver.get('n')
    const compare: Compare = { key: 'n', target: 'modRevision', is: '=', value: entry?.modRevision ?? 0 }
    const value = utf8Bytes(String(Number(Buffer.from(entry?.value ?? []).toString()) + 1))
    try {
      const { succeeded } = await driver.transact({ compares: [compare], success: [{ type: 'put', key: 'n', value }] })
      if (succeeded) return true
    } catch (error) {
      if ((error as SynodError).outcome === 'unknown') return false
    }
  }
}

function codeIs(code: SynodErrorCode, message?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SynodError, String(error))
    assert.equal(error.code, code, error.message)
    if (message !== undefined) assert.match(error.message, message)
    return true
  }
}

interface SimulatedEngine {
  readonly simulation: Simulation
  readonly driver: EmbeddedDriver
  run<T>(work: Promise<T>): Promise<T>
}

async function simulated(seed: number, options: EmbeddedDriverOptions): Promise<SimulatedEngine> {
  const simulation = createSimulation({ seed })
  const { runtime } = simulation.createNode('machine')
  const run = <T>(work: Promise<T>): Promise<T> => simulation.runUntilDone(work)
  return { simulation, driver: await run(openEmbeddedDriver(options, runtime)), run }
}

describe('an embedded cluster of three', () => {
  for (const directory of [undefined, '/data']) {
    const where = directory === undefined ? 'in memory' : 'in a directory'

    it(`loses nothing while one node after another is stopped and started, ${where}`, async () => {
      const { driver, run } = await simulated(1, { nodes: 3, directory })
      let added = 0
      let unknown = 0
      let over = false
      const adding = Promise.all(
        [1, 2, 3].map(async () => {
          while (!over) {
            if (await increment(driver)) added++
            else unknown++
          }
        }),
      )
      for (const index of [0, 1, 2, 0, 1, 2]) {
        const before = added
        await run(driver.stopNode(index))
        const grew = async (): Promise<void> => {
          while (added < before + 20) await pause(driver)
        }
        await run(grew())
        await run(driver.startNode(index))
      }
      over = true
      await run(adding)
      const total = Number(await run(read(driver, 'n')))
      assert.ok(added >= 120)
      assert.ok(total >= added && total <= added + unknown, `${added} <= ${total} <= ${added + unknown}`)
      await run(driver.close())
    })
  }

  it('serves no more without a majority, says so by the deadline, and goes on when there is one', async () => {
    const { driver, run, simulation } = await simulated(2, { nodes: 3 })
    await run(put(driver, 'a', '1'))
    await run(driver.stopNode(0))
    await run(driver.stopNode(2))
    const deadlineMs = driver.outside.clock.monotonicMs() + 3000
    const startMs = simulation.nowMs
    await assert.rejects(
      run(driver.get('a', { deadlineMs })),
      (error: SynodError) => error.code === 'TIMEOUT' && error.outcome === 'not-applied',
    )
    assert.ok(simulation.nowMs <= startMs + 3010)
    assert.ok((await run(driver.get('a', { stale: true }))).revision > 0, 'what is there is read all the same')
    await run(driver.startNode(2))
    await run(put(driver, 'a', '2'))
    assert.equal(await run(read(driver, 'a')), '2')
  })

  it('tells watchers when their node is stopped; what they missed is told by another', async () => {
    const { driver, run } = await simulated(3, { nodes: 3 })
    const { revision } = await run(put(driver, 'a', '1'))
    const told: string[] = []
    const ends: string[] = []
    let last = revision - 1
    const begin = () =>
      driver.watch!({ start: 'a', end: undefined }, last + 1, {
        onEvents: (events, upTo) => {
          last = upTo
          for (const event of events) told.push(event.type === 'put' ? Buffer.from(event.entry.value).toString() : '-')
        },
        onCompacted: () => assert.fail('nothing was compacted'),
        onEnd: (error) => {
          ends.push(error.code)
          begin()
        },
      })
    begin()
    for (const [i, index] of [0, 1, 2].entries()) {
      await run(driver.stopNode(index))
      await run(put(driver, 'a', String(i + 2)))
      await run(driver.startNode(index))
    }
    const heard = async (): Promise<void> => {
      while (told.length < 4) await pause(driver)
    }
    await run(heard())
    assert.deepEqual(told, ['1', '2', '3', '4'])
    assert.ok(ends.length > 0 && ends.every((code) => code === 'UNAVAILABLE'))
  })
})

describe('an embedded engine on a machine that fails', () => {
  it('has after a power loss all that it acknowledged', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { driver, simulation } = await simulated(seed, { directory: '/data' })
      let acknowledged = 0
      void (async () => {
        for (let i = 1; ; i++) {
          await put(driver, 'a', String(i))
          acknowledged = i
        }
      })()
      await simulation.run({ until: () => acknowledged === 30 })
      simulation.crash('machine', 'power-loss')
      const { runtime } = simulation.restart('machine')
      const again = await simulation.runUntilDone(openEmbeddedDriver({ directory: '/data' }, runtime))
      assert.ok(Number(await simulation.runUntilDone(read(again, 'a'))) >= 30)
      await simulation.runUntilDone(again.close())
    }
  })

  it('opens again over a log of many segments', async () => {
    const { driver, run, simulation } = await simulated(9, { directory: '/data' })
    const value = 'x'.repeat(300_000)
    for (let i = 0; i < 40; i++) await run(put(driver, `k${i}`, value))
    await run(driver.close())
    const again = await run(openEmbeddedDriver({ directory: '/data' }, simulation.node('machine').runtime))
    const { entries } = await run(again.list({ start: '', end: '' }))
    assert.deepEqual([entries.length, entries.every((entry) => entry.value.length === value.length)], [40, true])
    await run(again.close())
  })

  it('ends with ENGINE_FAILED when the disk fails it, and tells the fate of what was under way', async () => {
    const { driver, simulation, run } = await simulated(6, { directory: '/data' })
    const ends: string[] = []
    await run(driver.observe({ start: '', end: '' }, { onChange: () => {}, onEnd: (error) => ends.push(error.code) }))
    simulation.node('machine').setDisk({ failSyncs: true })
    await assert.rejects(
      run(put(driver, 'a', '1')),
      (error: SynodError) => error.code === 'ENGINE_FAILED' && error.outcome === 'unknown' && !error.retryable,
    )
    await assert.rejects(run(put(driver, 'b', '1')), (error: SynodError) => {
      return error.code === 'ENGINE_FAILED' && error.outcome === 'not-applied'
    })
    await assert.rejects(run(driver.get('a')), codeIs('ENGINE_FAILED'))
    simulation.node('machine').setDisk({ failSyncs: false })
    await run(driver.close())
    assert.deepEqual(ends, ['ENGINE_FAILED'])
    const { runtime } = simulation.node('machine')
    const again = await run(openEmbeddedDriver({ directory: '/data' }, runtime))
    await run(put(again, 'b', '2'))
    await run(again.close())
  })

  it('runs alike for one seed', async () => {
    const runOf = async (seed: number): Promise<string> => {
      const { driver, simulation, run } = await simulated(seed, { nodes: 3, directory: '/data' })
      await run(Promise.all(['a', 'b', 'c'].map((key) => put(driver, key))))
      await run(driver.close())
      return simulation.fingerprint()
    }
    assert.equal(await runOf(7), await runOf(7))
    assert.notEqual(await runOf(7), await runOf(8))
  })
})

describe('an embedded engine on this machine', () => {
  const holdProcess = (): (() => void) => {
    const timer = setInterval(() => {}, 1000)
    return () => clearInterval(timer)
  }
  const real = createNodeRuntime({ logLevel: 'error' })
  /** A machine whose every socket is an error. */
  const runtime: Runtime = {
    ...real,
    network: {
      listen: () => assert.fail('no socket is listened on'),
      connect: () => assert.fail('no socket is opened'),
    },
  }

  it('has its directory to itself, and tells a second one who has it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'synod-embedded-'))
    const first = await openEmbeddedDriver({ directory, holdProcess, owner: 'the first program' }, runtime)
    await assert.rejects(
      openEmbeddedDriver({ directory, holdProcess }, runtime),
      codeIs('ALREADY_EXISTS', /in use.*the first program/),
    )
    await put(first, 'a', '1')
    await first.close()
    const second = await openEmbeddedDriver({ directory, holdProcess }, runtime)
    assert.equal(await read(second, 'a'), '1')
    await second.close()
    await rm(directory, { recursive: true })
  })

  it('keeps the number of nodes that its directory was made with', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'synod-embedded-'))
    const [one, three] = [`${directory}/one`, `${directory}/three`]
    for (const [path, nodes, other] of [
      [one, 1, 3],
      [three, 3, 1],
    ] as const) {
      const driver = await openEmbeddedDriver({ directory: path, nodes, holdProcess }, runtime)
      await put(driver, 'a', '1')
      await driver.close()
      await assert.rejects(
        openEmbeddedDriver({ directory: path, nodes: other, holdProcess }, runtime),
        codeIs('INVALID_ARGUMENT', new RegExp(`nodes=${nodes}`)),
      )
      const again = await openEmbeddedDriver({ directory: path, nodes, holdProcess }, runtime)
      assert.equal(await read(again, 'a'), '1')
      await again.close()
    }
    await rm(directory, { recursive: true })
  })

  it('says what is wrong with a directory that cannot be one', async () => {
    await assert.rejects(
      openEmbeddedDriver({ directory: '/proc/nobody-can/make-this', holdProcess }, runtime),
      (error: unknown) => error instanceof SynodError && error.message.includes('/proc/nobody-can'),
    )
  })

  it('lets a program wait for nothing but its engine, and end once it closed it', () => {
    const embedded = JSON.stringify(import.meta.resolve('./index.ts'))
    const node = JSON.stringify(import.meta.resolve('../../../runtime/node/index.ts'))
    const program = `
      const { openEmbeddedDriver } = await import(${embedded})
      const { createNodeRuntime, holdProcess } = await import(${node})
      const driver = await openEmbeddedDriver({ holdProcess }, createNodeRuntime({ logLevel: 'error' }))
      const { leaseId } = await driver.grantLease(1000)
      await driver.transact({ compares: [], success: [{ type: 'put', key: 'a', value: Buffer.from('1'), leaseId }] })
      await new Promise((resolve) => {
        driver.observe({ start: 'a', end: undefined }, { onChange: resolve, onEnd() {} })
      })
      console.log('the lease ended')
      await driver.close()
    `
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 50_000,
    })
    assert.deepEqual([child.status, child.signal, child.stdout.trim()], [0, null, 'the lease ended'], child.stderr)
  })

  it('is not harmed by what listens to it', async () => {
    const thrown: unknown[] = []
    const scheduler: Runtime['scheduler'] = {
      setTimer: (delayMs, callback) => real.scheduler.setTimer(delayMs, callback),
      endOfTurn: (callback) =>
        real.scheduler.endOfTurn(() => {
          try {
            callback()
          } catch (error) {
            thrown.push(error)
          }
        }),
    }
    const driver = await openEmbeddedDriver({ holdProcess }, { ...runtime, scheduler })
    const broken = new Error('a bug of the listener')
    let heard = 0
    for (const misbehaves of [true, false])
      await driver.observe(
        { start: '', end: '' },
        {
          onChange: () => {
            if (misbehaves) throw broken
            heard++
          },
          onEnd: () => {},
        },
      )
    for (let i = 0; i < 3; i++) await put(driver, 'a', String(i))
    await driver.get('a')
    assert.equal(await read(driver, 'a'), '2')
    await driver.close()
    assert.ok(heard > 0)
    assert.ok(thrown.length > 0 && thrown.every((error) => error === broken))
  })
})
