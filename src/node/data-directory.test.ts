import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSimulation } from '../runtime/simulation/index.ts'
import { readNodeConfig } from './config/index.ts'
import { DataDirectoryError, openDataDirectory } from './data-directory.ts'

const trio = 'n1=http://127.0.0.1:1,n2=http://127.0.0.1:2,n3=http://127.0.0.1:3'

function configOf(...args: string[]) {
  const given = ['--name=n1', '--data-dir=/data', '--listen-peer-urls=http://127.0.0.1:1', `--initial-cluster=${trio}`]
  return readNodeConfig({ args: [...given, ...args], environment: {}, readFile: () => '' })
}

function world() {
  const simulation = createSimulation({ seed: 'data-directory' })
  simulation.createNode('a')
  const open = (config = configOf()) => {
    const { disk, random } = simulation.node('a').runtime
    return simulation.runUntilDone(
      openDataDirectory(disk, random, config, 'process 1', (error) => assert.fail(String(error))),
    )
  }
  return { simulation, open }
}

describe('the data directory', () => {
  test('its identity outlives a power loss, and so do the peers it knows', async () => {
    const { simulation, open } = world()
    const first = await open()
    assert.ok(first.fresh)
    assert.ok(first.recognises(2n, 77n))
    await simulation.runUntilDone(first.close())
    simulation.crash('a')
    simulation.restart('a')
    const second = await open()
    assert.ok(!second.fresh)
    assert.equal(second.incarnation, first.incarnation)
    assert.ok(second.recognises(2n, 77n))
    assert.ok(!second.recognises(2n, 78n), 'a peer with another disk')
  })

  test('another member, another cluster and a missing identity are refused', async () => {
    const { simulation, open } = world()
    await simulation.runUntilDone((await open()).close())
    const other = configOf('--initial-cluster-token=another')
    await assert.rejects(
      open(other),
      (error) => error instanceof DataDirectoryError && /another cluster/.test(error.message),
    )
    const { disk } = simulation.node('a').runtime
    await simulation.runUntilDone(disk.makeDirectory('/data/wal'))
    await simulation.runUntilDone(disk.remove('/data/identity'))
    await assert.rejects(open(), /no identity file/)
  })

  test('a damaged identity is told from a missing one', async () => {
    const { simulation, open } = world()
    await simulation.runUntilDone((await open()).close())
    const { disk } = simulation.node('a').runtime
    const file = await simulation.runUntilDone(disk.open('/data/identity', 'write'))
    await simulation.runUntilDone(file.writeDurably(40, [Buffer.from('x')]))
    await assert.rejects(open(), /damaged/)
  })

  test('an existing cluster cannot be joined with an empty directory', async () => {
    const { open } = world()
    await assert.rejects(open(configOf('--initial-cluster-state=existing')), /holds no data of this member/)
  })

  test('a second owner is refused', async () => {
    const { open } = world()
    await open()
    await assert.rejects(open(), DataDirectoryError)
  })
})
