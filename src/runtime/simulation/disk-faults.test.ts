import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import type { DiskFile } from '../index.ts'
import { createSimulation, type DiskFaults, type SimulatedNode, type Simulation } from './index.ts'
import { isDiskError, readFile, writeFile } from './test-nodes.ts'

interface World {
  readonly simulation: Simulation
  readonly node: SimulatedNode
  readonly file: DiskFile
}

/** A node with a file of these bytes, synced. */
async function worldWith(text: string, faults: Partial<DiskFaults> = {}, seed = 1): Promise<World> {
  const simulation = createSimulation({ seed })
  const node = simulation.createNode('a')
  await simulation.runUntilDone(writeFile(node.runtime.disk, '/f', text, true))
  const file = await simulation.runUntilDone(node.runtime.disk.open('/f', 'write'))
  node.setDisk(faults)
  return { simulation, node, file }
}

async function textOf({ simulation, node }: World): Promise<string | undefined> {
  return simulation.runUntilDone(readFile(node.runtime.disk, '/f'))
}

describe('bit rot', () => {
  it('flips one bit at rest, which a power loss does not heal, and says where', async () => {
    const world = await worldWith('0123456789')
    const damage = world.node.rot({ path: '/f' })!
    const rotten = await textOf(world)
    world.simulation.crash('a')
    world.simulation.restart('a')
    assert.equal(await textOf(world), rotten)
    const flipped = [...'0123456789'].map((char, i) => char.charCodeAt(0) ^ rotten!.charCodeAt(i))
    assert.deepEqual(
      flipped.flatMap((bits, i) => (bits === 0 ? [] : [{ i, isOneBit: (bits & (bits - 1)) === 0 }])),
      [{ i: damage.position, isOneBit: true }],
    )
    const { kind, path, length, synced } = damage
    assert.deepEqual({ kind, path, length, synced }, { kind: 'bit-rot', path: '/f', length: 1, synced: true })
    assert.deepEqual(world.node.damages, [damage])
    assert.equal(world.simulation.faults['bit-rot'], 1)
  })

  it('knows whether a sync covered the place, and leaves the bytes of the writer alone', async () => {
    const world = await worldWith('0123456789')
    const mine = utf8Bytes('abc')
    await world.simulation.runUntilDone(world.file.write(5, [mine]))
    assert.equal(world.node.flip('/f', 6)!.synced, false)
    assert.equal(world.node.flip('/f', 2)!.synced, true)
    assert.equal(Buffer.from(mine).toString(), 'abc')
    await world.simulation.runUntilDone(world.file.sync())
    world.simulation.crash('a')
    world.simulation.restart('a')
    assert.equal(await textOf(world), '01334acc89')
    assert.equal(world.node.flip('/f', 10), undefined, 'past the end')
  })

  it('hits files below a path only, and nothing where there is nothing', async () => {
    const { simulation, node } = await worldWith('0123456789')
    const { disk } = node.runtime
    await simulation.runUntilDone(disk.makeDirectory('/d'))
    assert.equal(node.rot({ path: '/d' }), undefined)
    await simulation.runUntilDone(writeFile(disk, '/d/g', 'x', true))
    const { random } = simulation
    for (let i = 0; i < 20; i++) assert.equal(node.rot({ path: '/d', random })!.path, '/d/g')
    const hit = new Set(Array.from({ length: 20 }, () => node.rot()!.path))
    assert.deepEqual([...hit].sort(), ['/d/g', '/f'])
  })
})

describe('misdirected I/O', () => {
  it('writes elsewhere, and leaves the intended place as it was', async () => {
    const text = 'o'.repeat(4096)
    const world = await worldWith(text, { misdirectedWriteProbability: 1 })
    await world.simulation.runUntilDone(world.file.writeDurably(100, [utf8Bytes('NEW')]))
    const [damage] = world.node.damages
    assert.ok(damage !== undefined && damage.position % 512 === 0 && damage.length === 3 && damage.path === '/f')
    const damaged = `${text.slice(0, damage.position)}NEW${text.slice(damage.position + 3)}`
    const bytes = await world.simulation.runUntilDone(world.file.read(0, 5000))
    assert.equal(Buffer.from(bytes).toString(), damaged)
    assert.equal(world.simulation.faults['write-misdirected'], 1)
  })

  it('may write to another file, and lets the file grow over zeros', async () => {
    const hit = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const { simulation, node, file } = await worldWith('old', {}, seed)
      await simulation.runUntilDone(writeFile(node.runtime.disk, '/g', 'other', true))
      node.setDisk({ misdirectedWriteProbability: 1 })
      await simulation.runUntilDone(file.writeDurably(3, [utf8Bytes('NEW')]))
      assert.equal(await simulation.runUntilDone(file.sizeBytes()), 6)
      hit.add(`${await simulation.runUntilDone(readFile(node.runtime.disk, '/f'))}`)
      hit.add(`${await simulation.runUntilDone(readFile(node.runtime.disk, '/g'))}`)
    }
    assert.deepEqual([...hit].sort(), ['NEW\0\0\0', 'NEWer', 'old\0\0\0', 'other'])
  })

  it('reads what is elsewhere in the file, as many bytes as asked', async () => {
    const { simulation, file } = await worldWith('0123456789', { misdirectedReadProbability: 1 })
    const seen = new Set<string>()
    for (let i = 0; i < 100; i++) {
      seen.add(Buffer.from(await simulation.runUntilDone(file.read(4, 3))).toString())
    }
    assert.deepEqual([...seen].sort(), ['012', '123', '234', '345', '456', '567', '678', '789'])
    assert.equal(simulation.faults['read-misdirected'], 100)
  })
})

describe('failing I/O', () => {
  it('fails reads', async () => {
    const { simulation, node, file } = await worldWith('text', { readErrorProbability: 1 })
    await assert.rejects(simulation.runUntilDone(file.read(0, 4)), isDiskError('IO'))
    node.setDisk({ readErrorProbability: 0 })
    assert.equal((await simulation.runUntilDone(file.read(0, 4))).length, 4)
    assert.equal(simulation.faults['read-error'], 1)
  })

  it('fails writes, a prefix of which may be there all the same', async () => {
    const left = new Set<string | undefined>()
    for (let seed = 0; seed < 30; seed++) {
      const world = await worldWith('old', { writeErrorProbability: 1 }, seed)
      const { simulation, node, file } = world
      await assert.rejects(simulation.runUntilDone(file.writeDurably(0, [utf8Bytes('NEW')])), isDiskError('IO'))
      node.setDisk({ writeErrorProbability: 0 })
      await assert.rejects(simulation.runUntilDone(file.sync()), /an earlier sync failed/)
      left.add(await textOf(world))
      assert.equal(simulation.faults['write-error'], 1)
    }
    assert.deepEqual([...left].sort(), ['NEW', 'NEd', 'Nld', 'old'])
  })
})

describe('a disk with a capacity', () => {
  it('takes what fits, refuses the rest, and has room again when a file is removed', async () => {
    const world = await worldWith('01234567', { capacityBytes: 20 })
    const { simulation, node, file } = world
    const { disk } = node.runtime
    assert.equal(await simulation.runUntilDone(disk.availableBytes('/')), 12)
    await simulation.runUntilDone(writeFile(disk, '/g', '89abcdef', true))
    await assert.rejects(simulation.runUntilDone(file.write(8, [utf8Bytes('ABCDEF')])), isDiskError('NO_SPACE'))
    assert.equal(await textOf(world), '01234567ABCD')
    await assert.rejects(simulation.runUntilDone(file.truncate(13)), isDiskError('NO_SPACE'))
    await assert.rejects(simulation.runUntilDone(disk.open('/h', 'create')), isDiskError('NO_SPACE'))
    await simulation.runUntilDone(file.writeDurably(0, [utf8Bytes('zyxw')]))
    await simulation.runUntilDone(disk.remove('/g'))
    await simulation.runUntilDone(file.write(12, [utf8Bytes('EFGHIJKL')]))
    assert.equal(await textOf(world), 'zyxw4567ABCDEFGHIJKL')
    assert.equal(await simulation.runUntilDone(disk.availableBytes('/')), 0)
    assert.equal(simulation.faults['no-space'], 3)
  })
})

describe('slow and stuck I/O', () => {
  it('returns nothing until it is released, then all, in order', async () => {
    const { simulation, node, file } = await worldWith('text', { stuck: true })
    const order: string[] = []
    for (const name of ['first', 'second']) {
      void file.writeDurably(0, [utf8Bytes(name)]).then(() => order.push(name))
      await simulation.run({ untilMs: simulation.nowMs + 10_000 })
    }
    assert.deepEqual(order, [])
    node.setDisk({ stuck: false })
    await simulation.run({})
    assert.deepEqual(order, ['first', 'second'])
    assert.equal(simulation.faults['io-stuck'], 2)
  })

  it('is forgotten by a crash', async () => {
    const { simulation, node, file } = await worldWith('text', { stuck: true })
    let returned = false
    void file.sync().then(() => {
      returned = true
    })
    await simulation.run({})
    simulation.crash('a')
    simulation.restart('a')
    node.setDisk({ stuck: false })
    await simulation.run({})
    assert.equal(returned, false)
  })

  for (const [kind, faults] of [
    ['io-stuck', { stuckProbability: 1, stuckMs: [2_000, 3_000] }],
    ['disk-latency-spike', { latencySpikeProbability: 1, latencySpikeMs: [2_000, 3_000] }],
  ] as const) {
    it(`takes a drawn time (${kind})`, async () => {
      const { simulation, file } = await worldWith('text', faults)
      const startMs = simulation.nowMs
      await simulation.runUntilDone(file.read(0, 4))
      assert.ok(simulation.nowMs - startMs >= 2_000 && simulation.nowMs - startMs <= 3_001)
      assert.equal(simulation.faults[kind], 1)
    })
  }
})

describe('power loss', () => {
  it('counts and names what it took', async () => {
    const kinds = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      const { simulation, node, file } = await worldWith('text', {}, seed)
      const told: string[] = []
      simulation.onFault(({ kind, nodeName, detail }) => told.push(`${nodeName} ${kind} ${detail}`))
      await simulation.runUntilDone(file.write(4, [new Uint8Array(2_000).fill(1)]))
      await simulation.runUntilDone(node.runtime.disk.open('/new', 'create'))
      simulation.crash('a')
      assert.equal(told.shift(), 'a power-loss ')
      for (const each of told) kinds.add(each)
      const { faults } = simulation
      assert.equal(faults['write-lost'] + faults['write-torn'] + faults['name-lost'], told.length)
    }
    assert.deepEqual([...kinds].sort(), ['a name-lost new', 'a write-lost /f: at 4', 'a write-torn /f: at 4'])
  })
})
