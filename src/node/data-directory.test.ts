import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSimulation } from '../runtime/simulation/index.ts'
import { readNodeConfig } from './config/index.ts'
import { openDataDirectory } from './data-directory.ts'
import { DataDirectoryError } from './data-directory-error.ts'
import { type Founding, founder } from './identity.ts'
import { writeSealedFile } from './sealed-file.ts'

const trio = 'n1=http://127.0.0.1:1,n2=http://127.0.0.1:2,n3=http://127.0.0.1:3'

function configOf(...args: string[]) {
  const given = ['--name=n1', '--data-dir=/data', '--listen-peer-urls=http://127.0.0.1:1', `--initial-cluster=${trio}`]
  return readNodeConfig({ args: [...given, ...args], environment: {}, readFile: () => '' })
}

const joined: Founding = {
  clusterId: 7n,
  memberId: 99n,
  name: 'n1',
  algorithm: 'raft',
  founders: [founder(1n, 'old', ['http://127.0.0.1:9', 'http://127.0.0.1:10'])],
  origin: 'joined',
  foundedAs: undefined,
  peers: [{ id: 1n, peerUrls: ['http://127.0.0.1:9'] }],
}

function world() {
  const simulation = createSimulation({ seed: 'data-directory' })
  simulation.createNode('a')
  const open = (config = configOf()) => {
    const { disk, random } = simulation.node('a').runtime
    return simulation.runUntilDone(
      openDataDirectory(
        disk,
        random,
        config,
        'process 1',
        (error) => assert.fail(String(error)),
        async () => joined,
      ),
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
    assert.equal(second.identity.incarnation, first.identity.incarnation)
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
    await assert.rejects(open(), /holds wal but no identity file/)
    await simulation.runUntilDone(disk.remove('/data/wal'))
    await simulation.runUntilDone(disk.makeDirectory('/data/recovered-1'))
    await assert.rejects(open(), /holds recovered-1 but no identity file/)
    assert.ok(await simulation.runUntilDone(disk.stat('/data/recovered-1')), 'all that is left of a member')
  })

  test('a damaged identity is told from a missing one', async () => {
    const { simulation, open } = world()
    await simulation.runUntilDone((await open()).close())
    const { disk } = simulation.node('a').runtime
    const file = await simulation.runUntilDone(disk.open('/data/identity', 'write'))
    await simulation.runUntilDone(file.writeDurably(40, [Buffer.from('x')]))
    await assert.rejects(open(), /damaged/)
  })

  test('who joined keeps what it was told, and the settings of the beginning do not matter', async () => {
    const { simulation, open } = world()
    const existing = configOf('--initial-cluster-state=existing')
    const first = await open(existing)
    assert.ok(first.fresh)
    await simulation.runUntilDone(first.close())
    simulation.crash('a')
    simulation.restart('a')
    for (const config of [existing, configOf(), configOf('--initial-cluster-token=another')]) {
      const again = await open(config)
      assert.deepEqual(again.identity, first.identity)
      assert.deepEqual(again.identity, { ...joined, incarnation: first.identity.incarnation, home: '' })
      await simulation.runUntilDone(again.close())
    }
    await assert.rejects(open({ ...existing, name: 'n2' }), /belongs to member n1/)
  })

  test('a founder takes the data directory’s word when told that the cluster exists', async () => {
    const { simulation, open } = world()
    await simulation.runUntilDone((await open()).close())
    const other = configOf('--initial-cluster-token=another', '--initial-cluster-state=existing')
    assert.equal((await open(other)).identity.clusterId, configOf().clusterId)
  })

  test('another consensus algorithm is refused', async () => {
    const { simulation, open } = world()
    await simulation.runUntilDone((await open()).close())
    await assert.rejects(open(configOf('--consensus=paxos')), /written by the consensus algorithm raft/)
  })

  test('an identity of an earlier version has its founders from the settings', async () => {
    const { simulation, open } = world()
    const config = configOf()
    const { disk } = simulation.node('a').runtime
    await simulation.runUntilDone(disk.makeDirectory('/data'))
    await simulation.runUntilDone(
      writeSealedFile(disk, '/data', 'identity', 'identity', {
        clusterId: config.clusterId.toString(16),
        memberId: config.memberId.toString(16),
        name: 'n1',
        algorithm: 'raft',
        members: trio.split(','),
        incarnation: 'ab',
      }),
    )
    const { identity, fresh } = await open()
    assert.ok(!fresh)
    assert.deepEqual(
      identity.founders.map(({ id, peerUrls }) => [id, peerUrls]),
      config.members.map(({ id, peerUrls }) => [id, peerUrls.map((url) => url.text)]),
    )
  })

  test('a second owner is refused', async () => {
    const { open } = world()
    await open()
    await assert.rejects(open(), DataDirectoryError)
  })
})
