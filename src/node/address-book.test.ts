import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSimulation, type Simulation } from '../runtime/simulation/index.ts'
import { AddressBook } from './address-book.ts'

const directory = '/data'
const members = [
  { id: 2n, peerUrls: ['http://h:2'] },
  { id: 2n ** 64n - 1n, peerUrls: ['http://h:3', 'http://i:3'] },
]

async function start(seed: number): Promise<Simulation> {
  const simulation = createSimulation({ seed })
  simulation.createNode('a')
  const { disk } = simulation.node('a').runtime
  await simulation.runUntilDone(disk.makeDirectory(directory))
  await simulation.runUntilDone(disk.syncDirectory('/'))
  return simulation
}

function open(simulation: Simulation, clusterId = 7n): Promise<AddressBook> {
  const { disk } = simulation.node('a').runtime
  const failed = (error: unknown): never => assert.fail(String(error))
  return simulation.runUntilDone(AddressBook.open(disk, directory, clusterId, failed))
}

function powerLoss(simulation: Simulation): void {
  simulation.crash('a', 'power-loss')
  simulation.restart('a')
}

describe('the address book', () => {
  test('is empty at first, and keeps what was noted last over a loss of power', async () => {
    const simulation = await start(1)
    const book = await open(simulation)
    assert.deepEqual(book.members, [])
    book.note(members.slice(0, 1))
    book.note(members)
    await simulation.runUntilDone(book.settled())
    powerLoss(simulation)
    assert.deepEqual((await open(simulation)).members, members)
  })

  test('keeps the longest that members may have', async () => {
    const simulation = await start(4)
    const book = await open(simulation)
    const url = `http://${'h'.repeat(2000)}:1`
    const many = Array.from({ length: 20 }, (_, i) => ({ id: BigInt(i + 1), peerUrls: Array<string>(64).fill(url) }))
    book.note(many)
    await simulation.runUntilDone(book.settled())
    const found = (await open(simulation)).members
    assert.equal(found.length, 20)
    for (const { peerUrls } of found) assert.ok(peerUrls.length === 64 && peerUrls.every((each) => each === url))
  })

  test('of another cluster says nothing', async () => {
    const simulation = await start(2)
    const book = await open(simulation)
    book.note(members)
    await simulation.runUntilDone(book.settled())
    assert.deepEqual((await open(simulation, 8n)).members, [])
  })

  test('that found no room is written at the next note, also of the same members', async () => {
    const simulation = await start(3)
    const book = await open(simulation)
    simulation.node('a').setDisk({ full: true })
    book.note(members)
    await simulation.runUntilDone(book.settled())
    simulation.node('a').setDisk({ full: false })
    book.note(members)
    await simulation.runUntilDone(book.settled())
    powerLoss(simulation)
    assert.deepEqual((await open(simulation)).members, members)
  })
})
