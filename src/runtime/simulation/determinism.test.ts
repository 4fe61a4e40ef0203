import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSimulation, drawClockFaults, type Simulation } from './index.ts'

/** Activities that do not touch each other: two disks, two links, two programs, and the scenario. */
function start(simulation: Simulation): void {
  for (const name of ['a', 'b', 'c', 'd']) simulation.createNode(name)
  for (const name of ['a', 'b']) {
    const { disk } = simulation.node(name).runtime
    void (async () => {
      for (let file = await disk.open('/f', 'create'), at = 0; ; at += 700) {
        try {
          await file.writeDurably(at % 70_000, [new Uint8Array(700).fill(at)])
        } catch {
          // It refuses all later syncs.
          file = await disk.open('/f', 'create')
        }
      }
    })()
  }
  for (const [from, to] of [
    ['c', 'd'],
    ['d', 'c'],
  ] as const) {
    const { runtime } = simulation.node(from)
    void simulation
      .node(to)
      .runtime.network.listen({ host: to, port: 1 }, (connection) => {
        connection.setHandler({ onData() {}, onClose() {} })
      })
      .then(() => {
        const connection = runtime.network.connect({ host: to, port: 1 })
        connection.setHandler({ onData() {}, onClose() {} })
        const talk = (): void => {
          connection.write(runtime.random.bytes(50))
          runtime.scheduler.setTimer(1, talk)
        }
        talk()
      })
    const gate = simulation.node(to).createMessageGate()
    simulation.setMessageFaults(from, to, { delayProbability: 0.5 })
    const send = (): void => {
      gate(from, () => {})
      simulation.after(1, send)
    }
    send()
  }
}

/** Each stream's draws with their times. */
async function traces(change: (simulation: Simulation) => void): Promise<Map<string, string>> {
  const simulation = createSimulation({ seed: 1 })
  const draws = new Map<string, string[]>()
  simulation.onDraw((stream, value) => {
    const list = draws.get(stream) ?? []
    draws.set(stream, list)
    list.push(`${simulation.nowMs} ${value}`)
  })
  start(simulation)
  await simulation.run({ untilMs: 20 })
  change(simulation)
  await simulation.run({ untilMs: 200 })
  return new Map([...draws].map(([stream, list]) => [stream, list.join('\n')]))
}

/** What draws more than it would, and the streams that may differ for it. */
const changes: readonly {
  readonly what: string
  readonly change: (simulation: Simulation) => void
  readonly own: RegExp
}[] = [
  {
    what: 'the disk of a has faults',
    change: (simulation) => {
      const faults = { writeErrorProbability: 0.01, latencySpikeProbability: 0.1, stuckProbability: 0.1 }
      simulation.node('a').setDisk(faults)
      simulation.node('a').rot()
    },
    own: /^node\/a\//,
  },
  {
    what: 'the link from c to d has faults',
    change: (simulation) =>
      simulation.setOneWayLink('c', 'd', {
        lossProbability: 0.1,
        latencySpikeProbability: 0.1,
        resetProbability: 0.01,
      }),
    // Its connection; the way back differs by when the bytes come that it answers.
    own: /^network\/(c>d|d>c)\//,
  },
  {
    what: 'messages from c to d are dropped',
    change: (simulation) => simulation.setMessageFaults('c', 'd', { dropProbability: 0.1 }),
    own: /^messages\/c>d$/,
  },
  {
    what: 'the program of b draws',
    change: (simulation) => simulation.node('b').runtime.random.bytes(100),
    own: /^node\/b#?.*\/program/,
  },
  {
    what: 'b is slow',
    change: (simulation) => simulation.node('b').setSpeed({ eventDelayMs: [0, 1] }),
    own: /^node\/b\//,
  },
  {
    what: 'the scenario draws, for clocks among others',
    change: (simulation) => {
      drawClockFaults(simulation.random, { driftPpmMax: 100, skewMsMax: 100 })
      simulation.random.uint32()
    },
    own: /^scenario$/,
  },
  {
    what: 'a link of a, which nobody uses, flaps',
    change: (simulation) => simulation.flap({ links: [['a', 'c']], upMs: [1, 5], downMs: [1, 5] }),
    own: /^scenario\/flap/,
  },
]

describe('the streams of a seed', () => {
  it('are those of the nodes, the links, the messages and the scenario', async () => {
    const names = [...(await traces(() => {})).keys()].sort()
    assert.deepEqual(names, [
      'messages/c>d',
      'messages/d>c',
      'network/c>d/delays#0',
      'network/c>d/pieces#0',
      'network/d>c/delays#0',
      'network/d>c/pieces#0',
      'node/a/life-1/disk#0',
      'node/b/life-1/disk#0',
      'node/c/life-1/program#0',
      'node/d/life-1/program#0',
    ])
  })

  for (const { what, change, own } of changes) {
    it(`do not shift each other: ${what}`, async () => {
      const before = await traces(() => {})
      const after = await traces(change)
      const changed = [...new Set([...before.keys(), ...after.keys()])].filter((s) => before.get(s) !== after.get(s))
      assert.ok(changed.length > 0, 'the change draws')
      assert.deepEqual(
        changed.filter((stream) => !own.test(stream)),
        [],
      )
    })
  }
})

/** A run with every fault there is. */
async function everything(seed: number): Promise<Simulation> {
  const simulation = createSimulation({ seed })
  start(simulation)
  await simulation.run({ untilMs: 20 })
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => simulation.node(name))
  a!.setDisk({
    writeErrorProbability: 0.05,
    readErrorProbability: 0.05,
    misdirectedWriteProbability: 0.1,
    latencySpikeProbability: 0.02,
    latencySpikeMs: [1, 5],
    stuckProbability: 0.02,
    stuckMs: [1, 5],
  })
  a!.rot()
  b!.setSpeed({ eventDelayMs: [0, 3] })
  b!.crashAtDiskOperation(20, { moment: 'between' })
  simulation.onCrash((node) => simulation.after(5, () => simulation.restart(node.name)))
  simulation.setLink('c', 'd', { lossProbability: 0.05, latencySpikeProbability: 0.05, resetProbability: 0.01 })
  const endFlapping = simulation.flap({ links: [['c', 'd']], upMs: [5, 10], downMs: [1, 5] })
  simulation.setMessageFaults('c', 'd', { dropProbability: 0.1, duplicateProbability: 0.1 })
  c!.setClock({ driftPpm: 400, skewMs: 1_000 })
  await simulation.run({ untilMs: 150 })
  d!.pause()
  await simulation.run({ untilMs: 200 })
  d!.resume()
  endFlapping()
  await simulation.run({ untilMs: 400 })
  return simulation
}

describe('a run with every fault', () => {
  it('is the same for the same seed: fingerprint, events and faults', async () => {
    const first = await everything(1)
    const second = await everything(1)
    const other = await everything(2)
    assert.equal(second.fingerprint(), first.fingerprint())
    assert.notEqual(other.fingerprint(), first.fingerprint())
    assert.deepEqual([second.events, second.faults], [first.events, first.faults])
    for (const kind of ['link-cut', 'segment-lost', 'message-dropped', 'message-duplicated', 'write-error'] as const) {
      assert.ok(first.faults[kind] > 0, kind)
    }
    const { messagesDelivered, diskCompletions, timersFired, others, total } = first.events
    assert.equal(messagesDelivered + diskCompletions + timersFired + others, total)
    assert.ok(messagesDelivered > 100 && diskCompletions > 100 && timersFired > 100)
  })

  it('differs by a single draw', async () => {
    const one = createSimulation({ seed: 1 })
    const other = createSimulation({ seed: 1 })
    assert.equal(one.fingerprint(), other.fingerprint())
    one.random.fork('anything').below(1)
    assert.notEqual(one.fingerprint(), other.fingerprint())
  })
})

describe('the event hook', () => {
  it('names the node that acted, once its promise reactions have run', async () => {
    const simulation = createSimulation({ seed: 1 })
    const { scheduler } = simulation.createNode('a').runtime
    const order: string[] = []
    simulation.onEvent((nodeName, kind) => order.push(`${nodeName} ${kind}`))
    scheduler.setTimer(1, async () => {
      for (let i = 0; i < 100; i++) await null
      order.push('reactions')
    })
    simulation.after(2, () => order.push('scenario runs'))
    await simulation.run({})
    assert.deepEqual(order, ['reactions', 'a timer', 'scenario runs', 'undefined scenario'])
  })

  it('names the receiver of a segment', async () => {
    const simulation = createSimulation({ seed: 1 })
    start(simulation)
    const seen = new Set<string>()
    simulation.onEvent((nodeName, kind) => seen.add(`${nodeName} ${kind}`))
    await simulation.run({ untilMs: 50 })
    assert.ok(seen.has('c net-data') && seen.has('d net-data') && seen.has('a disk-write-durably'))
    assert.ok(!seen.has('undefined net-data'))
  })

  it('ends the run with what it throws', async () => {
    const simulation = createSimulation({ seed: 1 })
    simulation.after(1, () => {})
    simulation.onEvent(() => {
      throw new Error('an invariant is broken')
    })
    await assert.rejects(simulation.run({}), /an invariant is broken/)
  })
})
