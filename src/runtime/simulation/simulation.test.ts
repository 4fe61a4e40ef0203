import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import type { CloseReason, Connection, Runtime } from '../index.ts'
import { createSimulation, type Simulation } from './index.ts'
import { connectTo, isDiskError, readFile, writeFile } from './test-nodes.ts'

const names = ['a', 'b', 'c']

/** Each node greets the others over and over, and writes down what it hears. */
async function startChatter(runtime: Runtime, name: string): Promise<void> {
  const file = await runtime.disk.open('/heard', 'create')
  let position = 0
  const hear = (bytes: Uint8Array): void => {
    const at = position
    position += bytes.length
    void file.writeDurably(at, [bytes]).catch(() => {})
  }
  const attend = (connection: Connection): void => {
    connection.setHandler({ onData: hear, onEnd: () => connection.end(), onClose: () => {} })
  }
  await runtime.network.listen({ host: name, port: 7 }, attend)
  for (const peer of names.filter((each) => each !== name)) {
    const greet = (): void => {
      const connection = runtime.network.connect({ host: peer, port: 7 })
      connection.setHandler({ onData: () => {}, onEnd: () => connection.end(), onClose: () => {} })
      connection.write(runtime.random.bytes(1 + runtime.random.below(2_000)))
      runtime.scheduler.endOfTurn(() => connection.end())
      runtime.scheduler.setTimer(5 + runtime.random.below(10), greet)
    }
    runtime.scheduler.setTimer(1, greet)
  }
}

async function runChatter(seed: number): Promise<Simulation> {
  const simulation = createSimulation({ seed })
  for (const name of names) void startChatter(simulation.createNode(name).runtime, name)
  simulation.setLink('a', 'b', { delayMs: [1, 20], lossProbability: 0.05 })
  await simulation.run({ untilMs: 500 })
  simulation.partition(['a'], ['b', 'c'])
  simulation.crash('c')
  await simulation.run({ untilMs: 700 })
  simulation.heal()
  void startChatter(simulation.restart('c').runtime, 'c')
  await simulation.run({ untilMs: 1_000 })
  return simulation
}

describe('a simulation', () => {
  it('gives the same run for the same seed, and another for another', async () => {
    const first = await runChatter(1)
    const second = await runChatter(1)
    const other = await runChatter(2)
    assert.ok(first.eventsRun > 1_000, `${first.eventsRun} events`)
    assert.equal(second.fingerprint(), first.fingerprint())
    assert.equal(second.eventsRun, first.eventsRun)
    assert.notEqual(other.fingerprint(), first.fingerprint())
  })

  it('runs all promise reactions between two events', async () => {
    const simulation = createSimulation({ seed: 1 })
    const { scheduler } = simulation.createNode('a').runtime
    const order: string[] = []
    scheduler.setTimer(1, async () => {
      for (let i = 0; i < 1_000; i++) await null
      order.push('reactions of the first')
    })
    scheduler.setTimer(1, () => order.push('the second'))
    assert.equal(await simulation.run({}), 'idle')
    assert.deepEqual(order, ['reactions of the first', 'the second'])
  })

  it('stops at the limit that comes first, and moves time where nothing happens', async () => {
    const simulation = createSimulation({ seed: 1 })
    let fired = 0
    const tick = (): void => {
      fired++
      simulation.after(1, tick)
    }
    simulation.after(1, tick)
    assert.equal(await simulation.run({ untilMs: 10.5 }), 'time')
    assert.deepEqual([fired, simulation.nowMs], [10, 10.5])
    assert.equal(await simulation.run({ steps: 5 }), 'steps')
    assert.equal(await simulation.run({ until: () => fired === 20 }), 'until')
    assert.equal(fired, 20)
  })

  it('ends a run with what an event throws', async () => {
    const simulation = createSimulation({ seed: 1 })
    simulation.after(1, () => {
      throw new Error('a bug')
    })
    await assert.rejects(simulation.run({}), /a bug/)
  })

  it('gives each node its own clock, which timers follow', async () => {
    const simulation = createSimulation({ seed: 1 })
    const fast = simulation.createNode('fast')
    const right = simulation.createNode('right')
    fast.setClock({ skewMs: 5_000, driftPpm: 500_000 })
    let firedAtMs = 0
    fast.runtime.scheduler.setTimer(300, () => {
      firedAtMs = simulation.nowMs
    })
    await simulation.run({ untilMs: 1_000 })
    assert.equal(firedAtMs, 200)
    assert.equal(fast.runtime.clock.monotonicMs(), 1_500)
    assert.equal(fast.runtime.clock.wallMs() - right.runtime.clock.wallMs(), 5_500)
    fast.setClock({ driftPpm: 0 })
    assert.equal(fast.runtime.clock.monotonicMs(), 1_500, 'a change of pace is no jump')
  })

  it('collects log lines with their node', async () => {
    const simulation = createSimulation({ seed: 1 })
    const { logger } = simulation.createNode('a').runtime
    logger.with({ group: 1 }).warn('slow disk', { ms: 9 })
    assert.deepEqual(simulation.logLines, [
      { atMs: 0, nodeName: 'a', level: 'warn', message: 'slow disk', fields: { group: 1, ms: 9 } },
    ])
  })
})

describe('a crash', () => {
  it('silences the node: no timer, disk call, log line or connection of the old process lives on', async () => {
    const simulation = createSimulation({ seed: 1 })
    const old = simulation.createNode('a').runtime
    const heard: string[] = []
    old.scheduler.setTimer(10, () => heard.push('timer'))
    old.scheduler.endOfTurn(() => heard.push('end of turn'))
    void old.disk.makeDirectory('/x').then(() => heard.push('disk'))
    void old.network.listen({ host: 'a', port: 1 }, () => {}).then(() => heard.push('listen'))
    simulation.crash('a')
    old.logger.info('from the grave')
    void old.disk.makeDirectory('/y').then(() => heard.push('disk after'))
    old.network.connect({ host: 'a', port: 1 }).setHandler({ onData() {}, onClose: () => heard.push('close') })
    assert.equal(await simulation.run({}), 'idle')
    const { disk } = simulation.restart('a').runtime
    assert.deepEqual(await simulation.runUntilDone(disk.readDirectory('/')), [])
    assert.deepEqual([heard, simulation.logLines], [[], []])
  })

  for (const kind of ['power-loss', 'process-death'] as const) {
    it(`shows to the peer, unless the link is cut (${kind})`, async () => {
      for (let seed = 0; seed < 20; seed++) {
        const open = await connectTo(createSimulation({ seed }))
        open.simulation.crash('b', kind)
        await open.simulation.run({ untilMs: 100 })
        assert.match(open.seen.join(), kind === 'power-loss' ? /^close reset$/ : /^(close reset|end)$/)

        const cut = await connectTo(createSimulation({ seed }))
        cut.simulation.partition(['a'], ['b'])
        cut.simulation.crash('b', kind)
        await cut.simulation.run({ untilMs: 60_000 })
        assert.deepEqual(cut.seen, [])
        cut.simulation.heal()
        cut.connection.write(utf8Bytes('anybody?'))
        await cut.simulation.run({ untilMs: 61_000 })
        assert.equal(cut.seen.at(-1), 'close reset')
      }
    })
  }

  it('frees locks, and keeps what a killed process wrote', async () => {
    const simulation = createSimulation({ seed: 1 })
    const { disk } = simulation.createNode('a').runtime
    await simulation.runUntilDone(disk.lock('/LOCK', 'first'))
    await simulation.runUntilDone(writeFile(disk, '/f', 'kept', false))
    simulation.crash('a', 'process-death')
    const { disk: later } = simulation.restart('a').runtime
    await simulation.runUntilDone(later.lock('/LOCK', 'second'))
    assert.equal(await simulation.runUntilDone(readFile(later, '/f')), 'kept')
  })

  it('of power keeps what was synced, and over seeds keeps and loses what was not', async () => {
    const unsyncedFates = new Set<string | undefined>()
    for (let seed = 0; seed < 40; seed++) {
      const simulation = createSimulation({ seed })
      const { disk } = simulation.createNode('a').runtime
      await simulation.runUntilDone(writeFile(disk, '/safe', 'safe', true))
      await simulation.runUntilDone(writeFile(disk, '/unsafe', 'new', false))
      simulation.crash('a')
      const { disk: later } = simulation.restart('a').runtime
      assert.equal(await simulation.runUntilDone(readFile(later, '/safe')), 'safe')
      unsyncedFates.add(await simulation.runUntilDone(readFile(later, '/unsafe')))
    }
    assert.deepEqual([...unsyncedFates].sort(), ['', '\0\0\0', 'new', undefined].sort())
  })
})

describe('faults', () => {
  it('a full disk refuses growth, lets overwriting pass, and recovers', async () => {
    const simulation = createSimulation({ seed: 1 })
    const node = simulation.createNode('a')
    const { disk } = node.runtime
    const file = await simulation.runUntilDone(disk.open('/f', 'create'))
    await simulation.runUntilDone(file.writeDurably(0, [utf8Bytes('12345678')]))
    node.setDisk({ full: true })
    await simulation.runUntilDone(file.writeDurably(0, [utf8Bytes('ABCDEFGH')]))
    for (const work of [
      () => file.write(8, [utf8Bytes('9')]),
      () => file.truncate(9),
      () => disk.open('/g', 'create'),
    ]) {
      await assert.rejects(simulation.runUntilDone<unknown>(work()), isDiskError('NO_SPACE'))
    }
    assert.equal(await simulation.runUntilDone(disk.availableBytes('/')), 0)
    node.setDisk({ full: false })
    await simulation.runUntilDone(file.write(8, [utf8Bytes('9')]))
  })

  it('a failed sync may lose the bytes, and the handle refuses all later syncs', async () => {
    const outcomes = new Set<string | undefined>()
    for (let seed = 0; seed < 20; seed++) {
      const simulation = createSimulation({ seed })
      const node = simulation.createNode('a')
      const { disk } = node.runtime
      await simulation.runUntilDone(writeFile(disk, '/f', 'old', true))
      const file = await simulation.runUntilDone(disk.open('/f', 'write'))
      node.setDisk({ failSyncs: true })
      await assert.rejects(simulation.runUntilDone(file.writeDurably(0, [utf8Bytes('new')])), isDiskError('IO'))
      node.setDisk({ failSyncs: false })
      await assert.rejects(simulation.runUntilDone(file.sync()), isDiskError('IO'))
      const reopened = await simulation.runUntilDone(disk.open('/f', 'write'))
      await simulation.runUntilDone(reopened.sync())
      simulation.crash('a')
      outcomes.add(await simulation.runUntilDone(readFile(simulation.restart('a').runtime.disk, '/f')))
    }
    assert.deepEqual([...outcomes].sort(), ['new', 'old'], 'a retried sync reports success for lost bytes')
  })

  it('a slow sync takes its time', async () => {
    const simulation = createSimulation({ seed: 1 })
    const node = simulation.createNode('a')
    node.setDisk({ syncDelayMs: [500, 500] })
    const file = await simulation.runUntilDone(node.runtime.disk.open('/f', 'create'))
    const startMs = simulation.nowMs
    await simulation.runUntilDone(file.writeDurably(0, [utf8Bytes('x')]))
    assert.equal(simulation.nowMs - startMs, 500)
  })

  it('a cut link stalls a stream, which goes on when it heals; connecting over it times out', async () => {
    const { simulation, connection, received } = await connectTo(createSimulation({ seed: 1 }))
    simulation.partition(['a'], ['b'])
    connection.write(utf8Bytes('later'))
    const closed: CloseReason[] = []
    const second = simulation.node('a').runtime.network.connect({ host: 'b', port: 9 }, { timeoutMs: 1_000 })
    second.setHandler({ onData() {}, onClose: (reason) => closed.push(reason) })
    await simulation.run({ untilMs: 5_000 })
    assert.deepEqual([received(), closed], ['', ['unreachable']])
    simulation.heal()
    await simulation.run({ untilMs: 6_000 })
    assert.equal(received(), 'later')
  })

  it('a lossy, slow link delivers all bytes in order', async () => {
    const { simulation, connection, received } = await connectTo(createSimulation({ seed: 1 }))
    simulation.setLink('a', 'b', { delayMs: [1, 50], lossProbability: 0.3 })
    let sent = ''
    for (let i = 0; i < 300; i++) {
      sent += `${i};`
      connection.write(utf8Bytes(`${i};`))
    }
    await simulation.run({ untilMs: simulation.nowMs + 1 })
    assert.equal(received(), '', 'nothing is faster than the link')
    await simulation.run({ untilMs: 30_000 })
    assert.equal(received(), sent)
  })

  it('an unknown host is unreachable', async () => {
    const simulation = createSimulation({ seed: 1 })
    const closed: CloseReason[] = []
    const connection = simulation.createNode('a').runtime.network.connect({ host: 'nowhere', port: 9 })
    connection.setHandler({ onData() {}, onClose: (reason) => closed.push(reason) })
    await simulation.run({ untilMs: 100 })
    assert.deepEqual(closed, ['unreachable'])
  })
})
