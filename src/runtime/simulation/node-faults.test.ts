import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import { type CrashMoment, createSimulation, drawClockFaults } from './index.ts'
import { connectTo, readFile, writeFile } from './test-nodes.ts'

describe('a stopped node', () => {
  it('runs nothing, and then all that gathered, in the order it came about', async () => {
    const { simulation, connection, received } = await connectTo(createSimulation({ seed: 1 }))
    const node = simulation.node('b')
    const order: string[] = []
    const startMs = simulation.nowMs
    void node.runtime.disk.stat('/').then(() => order.push('disk'))
    for (const delayMs of [20, 10, 30]) node.runtime.scheduler.setTimer(delayMs, () => order.push(`timer ${delayMs}`))
    const cancelled = node.runtime.scheduler.setTimer(15, () => order.push('cancelled'))
    node.runtime.scheduler.setTimer(10, () => cancelled.cancel())
    node.pause()
    connection.write(utf8Bytes('while it stood'))
    await simulation.run({ untilMs: startMs + 500 })
    assert.deepEqual([order, received(), node.isPaused], [[], '', true])
    assert.equal(node.runtime.clock.monotonicMs(), simulation.nowMs, 'its clock goes on')
    node.resume()
    // Due at the moment of the resume, though after all that gathered.
    node.runtime.scheduler.setTimer(0, () => order.push('new'))
    await simulation.run({ untilMs: startMs + 500 })
    assert.deepEqual(order, ['disk', 'timer 10', 'timer 20', 'timer 30', 'new'])
    assert.equal(received(), 'while it stood')
    assert.equal(simulation.faults['node-paused'], 1)
    let flushes = 0
    simulation.onEvent((_, kind) => {
      if (kind === 'flush') flushes++
    })
    connection.write(utf8Bytes('!'))
    await simulation.run({ untilMs: startMs + 600 })
    assert.deepEqual([received().at(-1), flushes], ['!', 0], 'nothing waits any more')
  })

  it('is still connected to by its kernel, and learns of it later', async () => {
    const { simulation } = await connectTo(createSimulation({ seed: 1 }))
    const b = simulation.node('b')
    let accepted = 0
    await simulation.runUntilDone(
      b.runtime.network.listen({ host: 'b', port: 10 }, (connection) => {
        accepted++
        connection.setHandler({ onData() {}, onClose() {} })
      }),
    )
    b.pause()
    let open = false
    const second = simulation.node('a').runtime.network.connect({ host: 'b', port: 10 })
    let closed = ''
    second.setHandler({
      onOpen: () => {
        open = true
      },
      onData() {},
      onClose: (reason) => {
        closed = reason
      },
    })
    second.write(utf8Bytes('early'))
    second.end()
    await simulation.run({ untilMs: 1_000 })
    assert.deepEqual([open, closed, accepted], [true, '', 0])
    b.resume()
    await simulation.run({ untilMs: 1_001 })
    assert.equal(accepted, 1)
    simulation.crash('b', 'process-death')
    await simulation.run({ untilMs: 2_000 })
    assert.match(closed, /^(ended|reset)$/)
  })

  it('slows its peer down once the window is full', async () => {
    const { simulation, connection, received } = await connectTo(createSimulation({ seed: 1 }))
    simulation.node('b').pause()
    connection.write(new Uint8Array(1 << 20))
    await simulation.run({ untilMs: 5_000 })
    assert.ok(connection.queuedBytes >= 512 * 1024, `${connection.queuedBytes} bytes wait`)
    simulation.node('b').resume()
    await simulation.run({ untilMs: 10_000 })
    assert.deepEqual([connection.queuedBytes, received().length], [0, 1 << 20])
  })

  it('that crashes is forgotten, and its next life runs', async () => {
    const simulation = createSimulation({ seed: 1 })
    const node = simulation.createNode('a')
    let fired = ''
    node.runtime.scheduler.setTimer(1, () => {
      fired += 'old'
    })
    node.pause()
    await simulation.run({ untilMs: 5 })
    simulation.crash('a')
    simulation.restart('a').runtime.scheduler.setTimer(1, () => {
      fired += 'new'
    })
    node.resume()
    assert.equal(await simulation.run({}), 'idle')
    assert.equal(fired, 'new')
  })
})

describe('a slow node', () => {
  it('does everything later, in order, and is as fast as others once that ends', async () => {
    const simulation = createSimulation({ seed: 1 })
    const node = simulation.createNode('a')
    const { scheduler } = node.runtime
    const ran: { readonly timer: number; readonly lateMs: number }[] = []
    const set = (timer: number): void => {
      scheduler.setTimer(timer, () => ran.push({ timer, lateMs: simulation.nowMs - timer }))
    }
    node.setSpeed({ eventDelayMs: [5, 50] })
    for (let timer = 1; timer <= 40; timer++) set(timer)
    await simulation.run({ untilMs: 30 })
    node.setSpeed(undefined)
    await simulation.run({ untilMs: 200 })
    assert.deepEqual(
      ran.map(({ timer }) => timer),
      Array.from({ length: 40 }, (_, i) => i + 1),
    )
    assert.ok(ran[0]!.lateMs >= 5)
    assert.equal(simulation.faults['node-slowed'], 1)
    set(300)
    await simulation.run({})
    assert.equal(ran.at(-1)!.lateMs, 100 + 100, 'set at 200 for 300 later')
  })
})

describe('a crash at a disk operation', () => {
  /** What is left of a file after a crash at its second write, and whether the program heard of it. */
  async function crashed(seed: number, moment: CrashMoment): Promise<{ text: string | undefined; heard: boolean }> {
    const simulation = createSimulation({ seed })
    const node = simulation.createNode('a')
    await simulation.runUntilDone(writeFile(node.runtime.disk, '/f', 'old', true))
    const file = await simulation.runUntilDone(node.runtime.disk.open('/f', 'write'))
    let heard = false
    const crashes: string[] = []
    simulation.onCrash((each, kind) => crashes.push(`${each.name} ${kind}`))
    node.crashAtDiskOperation(1, { moment, counts: ({ kind }) => kind === 'disk-write-durably' })
    void node.runtime.disk.stat('/f')
    void file.writeDurably(0, [utf8Bytes('new')]).then(() => {
      heard = true
    })
    await simulation.run({})
    assert.deepEqual(crashes, ['a power-loss'])
    const { disk } = simulation.restart('a').runtime
    return { text: await simulation.runUntilDone(readFile(disk, '/f')), heard }
  }

  const outcomes: Record<CrashMoment, readonly string[]> = { before: ['old'], between: ['new', 'old'], after: ['new'] }
  for (const moment of ['before', 'between', 'after'] as const) {
    it(`${moment} it took effect leaves ${outcomes[moment].join(' or ')}, and no answer`, async () => {
      const seen = new Set<string | undefined>()
      for (let seed = 0; seed < 20; seed++) {
        const { text, heard } = await crashed(seed, moment)
        assert.equal(heard, false)
        seen.add(text)
      }
      assert.deepEqual([...seen].sort(), outcomes[moment])
    })
  }

  it('happens at every operation in turn', async () => {
    const healthy = createSimulation({ seed: 1 })
    const { runtime } = healthy.createNode('a')
    await healthy.runUntilDone(writeFile(runtime.disk, '/f', 'text', true))
    const { diskOperations } = healthy.node('a')
    assert.equal(diskOperations, 5, 'open, write, sync, sync of the directory, close')
    for (let n = 1; n <= diskOperations; n++) {
      const simulation = createSimulation({ seed: 1 })
      const node = simulation.createNode('a')
      node.crashAtDiskOperation(n, { kind: 'process-death', moment: 'before' })
      void writeFile(node.runtime.disk, '/f', 'text', true)
      await simulation.run({})
      assert.deepEqual([node.alive, node.diskOperations], [false, n])
      assert.equal(simulation.faults['process-death'], 1)
    }
  })
})

describe('clocks', () => {
  it('drawn within bounds keep them, use them, and are counted', () => {
    const simulation = createSimulation({ seed: 1 })
    const node = simulation.createNode('a')
    const bounds = { driftPpmMax: 500, skewMsMax: 60_000 }
    const draws = Array.from({ length: 500 }, () => drawClockFaults(simulation.random, bounds))
    const drifts = draws.map(({ driftPpm }) => driftPpm)
    const skews = draws.map(({ skewMs }) => skewMs)
    assert.ok(Math.max(...drifts) <= 500 && Math.min(...drifts) >= -500)
    assert.ok(Math.max(...drifts) > 400 && Math.min(...drifts) < -400)
    assert.ok(Math.max(...skews) > 50_000 && Math.min(...skews) < -50_000)
    node.setClock({ skewMs: 1_000 })
    node.setClock({ driftPpm: -500 })
    node.setClock({ driftPpm: 0 })
    assert.deepEqual([simulation.faults['clock-jump'], simulation.faults['clock-drift']], [1, 1])
    assert.throws(() => node.setClock({ driftPpm: -1e6 }), /goes forward/)
  })
})
