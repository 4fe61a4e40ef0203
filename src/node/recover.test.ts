import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Runtime } from '../runtime/index.ts'
import { type RecoveryResult, recoverMember } from './recover.ts'
import { NodeWorld, urlOf } from './testing/node-world.ts'

const trio = ['n1', 'n2', 'n3']
const walSegmentBytes = 64 * 1024
/** More than a multiple of what snapshots are taken at. */
const writes = 22
const revision = writes + 1

/** Three nodes that wrote a little and are gone; `n1` has its disk. */
async function lost(seed: number, consensus: string): Promise<NodeWorld> {
  const world = new NodeWorld({
    seed,
    flags: [`--consensus=${consensus}`],
    hooks: { walSegmentBytes, groupOptions: { snapshotCount: 8, snapshotLogBytes: 500, tailCount: 2 } },
  })
  await world.found(...trio)
  for (let i = 0; i < writes; i++) await world.put('n1', `k${i}`, `v${i}`)
  await world.until(() => world.node('n1').services.engine.revision === revision, 'n1 has all')
  for (const name of trio) world.kill(name)
  return world
}

function runtimeOf(world: NodeWorld, name: string): Runtime {
  if (!world.simulation.node(name).alive) world.simulation.restart(name)
  return world.simulation.node(name).runtime
}

function recover(world: NodeWorld, dryRun = false): Promise<RecoveryResult> {
  const options = { dataDir: '/data', owner: 'the test', walSegmentBytes, dryRun }
  return world.simulation.runUntilDone(recoverMember(runtimeOf(world, 'n1'), options))
}

async function startAlone(world: NodeWorld): Promise<void> {
  await world.start('n1', world.config('n1', trio))
  await world.until(() => world.leader() === 'n1', 'it leads')
}

for (const consensus of ['raft', 'paxos'])
  describe(`a survivor becomes a new cluster, ${consensus}`, () => {
    test('with all it had, alone, under a new id; the others are strangers, and new ones can join', async () => {
      const world = await lost(1, consensus)
      const former = world.config('n1', trio).clusterId
      const before = await recover(world, true)
      const result = await recover(world)
      assert.equal(result.lastIndex, before.lastIndex)
      assert.equal(result.revision, revision)
      assert.equal(result.formerClusterId, former)
      assert.deepEqual(result.removed.map(({ name }) => name).sort(), ['n2', 'n3'])
      assert.ok(
        result.entries > 0 && result.snapshotIndex > 0,
        `both a snapshot (${result.snapshotIndex}) and log (${result.entries})`,
      )
      await startAlone(world)
      const { engine } = world.node('n1').services
      assert.equal(engine.clusterId, result.clusterId)
      assert.notEqual(engine.clusterId, former)
      assert.deepEqual(
        engine.members().map(({ name, peerUrls }) => [name, peerUrls]),
        [['n1', [urlOf('n1')]]],
      )
      await world.put('n1', 'after', '1')
      assert.equal(engine.revision, revision + 1)
      for (const name of ['n2', 'n3']) await world.start(name, world.config(name, trio))
      await world.pause(3000)
      assert.equal(world.configuration('n1'), 'n1 | ', 'the old members are a cluster of their own')
      await world.change('n1', (each, done) => each.memberAdd([urlOf('n4')], false, done))
      await world.start('n4', world.config('n4', ['n1', 'n4'], '--initial-cluster-state=existing'))
      await world.until(() => world.configuration('n4') === 'n1 n4 | ', 'n4 votes')
      await world.put('n4', 'both', '1')
      for (const name of ['n1', 'n4']) world.kill(name)
      await startAgain(world)
      assert.equal(world.node('n1').services.engine.revision, revision + 2)
    })

    test('a loss of power at any moment leaves the old member or the new one', async () => {
      const world = await lost(2, consensus)
      const former = world.config('n1', trio).clusterId
      let attempts = 0
      for (let ms = 0.2; ; ms *= 1.07) {
        attempts++
        let result: RecoveryResult | undefined
        const options = { dataDir: '/data', owner: 'the test', walSegmentBytes }
        recoverMember(runtimeOf(world, 'n1'), options).then(
          (done) => {
            result = done
          },
          () => {},
        )
        await world.pause(ms)
        world.kill('n1')
        const after = await recover(world, true)
        assert.equal(after.revision, revision, `after ${ms} ms`)
        world.kill('n1')
        if (result !== undefined) {
          assert.equal(after.formerClusterId, result.clusterId)
          break
        }
        if (after.formerClusterId !== former) {
          assert.deepEqual(after.removed, [], 'the new one, whole')
          break
        }
      }
      assert.ok(attempts > 20, `${attempts} attempts`)
      await startAlone(world)
      await world.put('n1', 'after', '1')
      assert.equal(world.node('n1').services.engine.revision, revision + 1)
    })
  })

async function startAgain(world: NodeWorld): Promise<void> {
  await world.start('n1', world.config('n1', trio))
  await world.start('n4', world.config('n4', ['n1', 'n4'], '--initial-cluster-state=existing'))
  await world.until(() => world.leader() !== undefined, 'a leader')
  await world.until(() => world.node('n1').services.engine.revision === revision + 2, 'all of it')
}

function leaderAmong(world: NodeWorld, names: readonly string[]): string | undefined {
  return names.find((name) => world.node(name).inspect().group.status().role === 'leader')
}

describe('recovering', () => {
  test('twice, and by the flag of synod node', async () => {
    const world = await lost(3, 'raft')
    const first = await recover(world)
    const second = await recover(world)
    assert.equal(second.formerClusterId, first.clusterId)
    assert.equal(second.revision, first.revision)
    world.kill('n1')
    await world.start('n1', world.config('n1', trio, '--force-new-cluster'))
    await world.until(() => world.leader() === 'n1', 'it leads')
    assert.notEqual(world.node('n1').services.engine.clusterId, second.clusterId)
    assert.equal(world.node('n1').services.engine.revision, revision)
    const { disk } = runtimeOf(world, 'n1')
    const names = await world.simulation.runUntilDone(disk.readDirectory('/data'))
    const data = names.filter((name) => !/^(LOCK|identity|members|peers)/.test(name))
    assert.deepEqual(
      data,
      ['recovered-2', 'recovered-3', 'snap', 'wal'],
      'what the last one and the first one started from',
    )
  })

  test('by the flag of synod node leaves a directory alone that the settings do not mean', async () => {
    const world = await lost(6, 'raft')
    const before = (await recover(world, true)).formerClusterId
    const another = world.config('n1', trio, '--force-new-cluster', '--initial-cluster-token=another')
    for (const config of [world.config('n2', trio, '--force-new-cluster'), another])
      await assert.rejects(world.start('n1', config), /belongs to/)
    assert.equal((await recover(world, true)).formerClusterId, before)
  })

  test('tells of which term the log is: a longer one of an earlier term lacks what was acknowledged later', async () => {
    const world = new NodeWorld({ seed: 7 })
    await world.found(...trio)
    const former = world.leader()!
    const others = trio.filter((name) => name !== former)
    world.simulation.partition([former], others)
    for (let i = 0; i < 20; i++) world.node(former).services.engine.memberUpdate(1n, ['http://h:1'], () => {})
    await world.until(() => leaderAmong(world, others) !== undefined, 'another leader')
    await world.put(others[0]!, 'acknowledged', '1')
    const found = new Map<string, RecoveryResult>()
    for (const name of [former, others[0]!]) {
      world.kill(name)
      const options = { dataDir: '/data', owner: 'the test', dryRun: true }
      found.set(name, await world.simulation.runUntilDone(recoverMember(runtimeOf(world, name), options)))
    }
    const [longer, better] = [found.get(former)!, found.get(others[0]!)!]
    assert.ok(longer.lastIndex > better.lastIndex, `${longer.lastIndex} ${better.lastIndex}`)
    assert.ok(longer.lastTerm < better.lastTerm, `${longer.lastTerm} ${better.lastTerm}`)
    assert.equal(longer.revision, 1)
    assert.equal(better.revision, 2)
  })

  test('is refused on a directory that is in use, or is none, or holds nothing', async () => {
    const world = new NodeWorld({ seed: 4 })
    await world.start('n1', world.config('n1', trio))
    const { runtime } = world.simulation.node('n1')
    const run = (dataDir: string) => {
      return world.simulation.runUntilDone(recoverMember(runtime, { dataDir, owner: 'the test' }))
    }
    await assert.rejects(run('/data'), /process 1/)
    await assert.rejects(run('/elsewhere'), /no member's data directory/)
    world.kill('n1', 'process-death')
    await assert.rejects(recover(world), /nothing to recover from it/)
  })

  test('is refused for a member that was removed', async () => {
    const world = await lost(5, 'raft')
    for (const name of trio) await world.start(name, world.config(name, trio))
    await world.until(() => world.leader() !== undefined, 'a leader')
    const { id } = world.member('n1', 'n1')
    await world.change('n2', (engine, done) => engine.memberRemove(id, done))
    await world.until(() => world.failures.has('n1'), 'it ends')
    await assert.rejects(recover(world), /was removed from cluster/)
  })
})
