import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { asBuffer, concatBytes } from '../../base/index.ts'
import { createSimulation, type Simulation } from '../../runtime/simulation/index.ts'
import {
  type Algorithm,
  collapseGroup,
  type ReplicatedGroup,
  ReplicationHost,
  RestoreError,
  raftAlgorithm,
  type StateMachine,
  type StateRestorer,
} from './index.ts'

/** Joins the commands to a text. Images from `refusedFrom` characters on are refused as if of a later version. */
class TextMachine implements StateMachine<string> {
  text = ''
  restores = 0
  private readonly refusedFrom: number

  constructor(refusedFrom = Number.POSITIVE_INFINITY) {
    this.refusedFrom = refusedFrom
  }

  apply(command: Uint8Array): string {
    this.text += asBuffer(command).toString()
    return this.text
  }

  snapshot() {
    let image: Uint8Array | undefined = Buffer.from(this.text)
    return {
      next: () => {
        const chunk = image
        image = undefined
        return chunk
      },
      close() {},
    }
  }

  restore(): StateRestorer {
    const chunks: Uint8Array[] = []
    return {
      write: (chunk) => {
        chunks.push(chunk)
      },
      finish: () => {
        const bytes = concatBytes(chunks)
        if (bytes.length >= this.refusedFrom) throw new RestoreError('this image is of a later version')
        this.restores++
        this.text = asBuffer(bytes).toString()
      },
    }
  }
}

async function open(simulation: Simulation, machine: TextMachine) {
  if (!simulation.node('a').alive) simulation.restart('a')
  const { runtime } = simulation.node('a')
  await simulation.runUntilDone(runtime.disk.makeDirectory('/data'))
  const host = await simulation.runUntilDone(
    ReplicationHost.open({
      runtime,
      directory: '/data',
      clusterId: 1n,
      memberId: 2n,
      incarnation: 3n,
      listen: [],
      peers: new Map(),
      groups: [1],
      options: { snapshotCount: 10, snapshotLogBytes: 1, tailCount: 0, tailBytes: 0, requestTimeoutMs: 5000 },
      walSegmentBytes: 8192,
      onFailure: (error) => assert.fail(String(error)),
      recognises: () => true,
      onRefused() {},
    }),
  )
  const initialConfiguration = { voters: [2n], outgoing: [], learners: [] }
  const group = await simulation.runUntilDone(
    host.addGroup({ group: 1, algorithm: raftAlgorithm, machine, initialConfiguration }),
  )
  await simulation.runUntilDone(host.start())
  return group
}

async function write(simulation: Simulation, group: ReplicatedGroup<string, unknown>, text: string): Promise<void> {
  for (const letter of text) {
    let done = false
    group.propose(Buffer.from(letter), (outcome) => {
      done = outcome.ok
    })
    for (let i = 0; i < 1000 && !done; i++) await simulation.run({ untilMs: simulation.nowMs + 10 })
    assert.ok(done)
  }
}

describe('a snapshot that is whole and cannot be restored', () => {
  const text = 'abcdefghijklmnopqrstuvwxyz'

  async function written() {
    const simulation = createSimulation({ seed: 'fallback' })
    simulation.createNode('a')
    const group = await open(simulation, new TextMachine())
    await write(simulation, group as ReplicatedGroup<string, unknown>, text)
    await simulation.run({ untilMs: simulation.nowMs + 1000 })
    simulation.crash('a', 'power-loss')
    return simulation
  }

  test('gives way to the one before it and the log since then', async () => {
    const simulation = await written()
    const machine = new TextMachine(15)
    const group = await open(simulation, machine)
    await write(simulation, group as ReplicatedGroup<string, unknown>, '!')
    assert.equal(machine.text, `${text}!`)
    assert.equal(machine.restores, 1)
    simulation.crash('a', 'power-loss')
    const sound = new TextMachine()
    await write(simulation, (await open(simulation, sound)) as ReplicatedGroup<string, unknown>, '?')
    assert.equal(sound.text, `${text}!?`)
  })

  test('gives way to the one before it in a recovery, too', async () => {
    const simulation = await written()
    simulation.restart('a')
    const machine = new TextMachine(15)
    const report = await simulation.runUntilDone(
      collapseGroup({
        runtime: simulation.node('a').runtime,
        group: 1,
        memberId: 2n,
        algorithm: raftAlgorithm as Algorithm<unknown>,
        machine,
        from: { directory: '/data', clusterId: 1n },
        to: undefined,
        walSegmentBytes: 8192,
        prepare() {},
      }),
    )
    assert.equal(machine.text, text)
    assert.equal(machine.restores, 1)
    assert.ok(report.snapshotIndex > 0 && report.entries > 10, JSON.stringify(report))
  })

  test('when there is none before it, the node does not start', async () => {
    await assert.rejects(open(await written(), new TextMachine(0)), RestoreError)
  })
})
