import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MemberRemovedError } from './index.ts'
import { NodeWorld, urlOf } from './testing/node-world.ts'

const trio = ['n1', 'n2', 'n3']

async function foundTrio(seed: number, consensus: string): Promise<NodeWorld> {
  const world = new NodeWorld({ seed, flags: [`--consensus=${consensus}`] })
  await world.found(...trio)
  await world.put('n1', 'a', '1')
  return world
}

/** Adds machine `name` and starts it. */
async function join(world: NodeWorld, name: string, members: readonly string[], through = members[0]!): Promise<void> {
  await world.change(through, (engine, done) => engine.memberAdd([urlOf(name)], false, done))
  await world.start(name, world.config(name, [...members, name], '--initial-cluster-state=existing'))
}

async function settles(world: NodeWorld, configuration: string, ...names: string[]): Promise<void> {
  await world.until(
    () => names.every((name) => world.configuration(name) === configuration),
    `${configuration}; it is ${names.map((name) => world.configuration(name)).join(', ')}`,
  )
}

for (const consensus of ['raft', 'paxos'])
  describe(`members of a running cluster, ${consensus}`, () => {
    test('a new member joins, catches up and votes; after a restart of all, everything is as it was', async () => {
      const world = await foundTrio(1, consensus)
      await join(world, 'n4', trio)
      const four = [...trio, 'n4']
      await settles(world, 'n1 n2 n3 n4 | ', ...four)
      for (const name of four) world.kill(name)
      // The original flags go on to work, for founders and for the one that joined.
      for (const name of trio) await world.start(name, world.config(name, trio))
      await world.start('n4', world.config('n4', four, '--initial-cluster-state=existing'))
      await world.until(() => world.leader() !== undefined, 'a leader')
      await settles(world, 'n1 n2 n3 n4 | ', ...four)
      await world.put('n4', 'b', '2')
      await world.until(() => four.every((name) => world.node(name).services.engine.revision === 3), 'revision 3')
    })

    test('one is added to a cluster of one before it runs, and the cluster goes on', async () => {
      const world = new NodeWorld({ seed: 2, flags: [`--consensus=${consensus}`] })
      await world.found('n1')
      await world.change('n1', (engine, done) => engine.memberAdd([urlOf('n2')], false, done))
      await world.put('n1', 'a', '1')
      assert.equal(world.configuration('n1'), 'n1 | n2')
      await world.start('n2', world.config('n2', ['n1', 'n2'], '--initial-cluster-state=existing'))
      await settles(world, 'n1 n2 | ', 'n1', 'n2')
    })

    test('a follower is removed: it ends and says so, now and after a restart', async () => {
      const world = await foundTrio(3, consensus)
      const gone = world.follower()
      const staying = trio.filter((name) => name !== gone)
      const { id } = world.member('n1', gone)
      // Asked of the one that goes: it still hears that it is done.
      await world.change(gone, (engine, done) => engine.memberRemove(id, done))
      await settles(world, `${staying.join(' ')} | `, ...staying)
      await world.until(() => world.failures.has(gone), 'it ends')
      assert.ok(world.failures.get(gone) instanceof MemberRemovedError)
      await world.put(staying[0]!, 'b', '2')
      await world.start(gone, world.config(gone, trio))
      await world.until(() => world.failures.has(gone), 'it ends again')
      assert.match(String(world.failures.get(gone)), /was removed from cluster/)
    })

    test('a member removed while it was down is told when it comes back', async () => {
      const world = await foundTrio(4, consensus)
      const gone = world.follower()
      const [through] = trio.filter((name) => name !== gone)
      const { id } = world.member('n1', gone)
      world.kill(gone)
      await world.pause(3000)
      await world.change(through!, (engine, done) => engine.memberRemove(id, done))
      await world.start(gone, world.config(gone, trio))
      await world.until(() => world.failures.has(gone), 'it is told')
      assert.ok(world.failures.get(gone) instanceof MemberRemovedError)
    })

    test('the leader removes itself, and the others go on', async () => {
      const world = await foundTrio(5, consensus)
      const gone = world.leader()!
      const staying = trio.filter((name) => name !== gone)
      await world.change(gone, (engine, done) => engine.memberRemove(engine.memberId, done))
      await world.until(() => world.failures.has(gone), 'it ends')
      await settles(world, `${staying.join(' ')} | `, ...staying)
      await world.put(staying[0]!, 'b', '2')
    })

    test('a replaced machine joins though a member that is behind still knows its predecessor', async () => {
      const quartet = [...trio, 'n4']
      const world = new NodeWorld({ seed: 9, flags: [`--consensus=${consensus}`] })
      await world.found(...quartet)
      await world.put('n1', 'a', '1')
      const leader = world.leader()!
      const [behind, replaced, other] = quartet.filter((name) => name !== leader) as [string, string, string]
      // Cut off from the log, and not from the one that is going to ask.
      for (const name of [leader, other]) world.simulation.setLink(name, behind, { cut: true })
      const { id } = world.member(leader, replaced)
      await world.change(leader, (engine, done) => engine.memberRemove(id, done))
      await world.wipe(replaced)
      await world.change(leader, (engine, done) => engine.memberAdd([urlOf(replaced)], false, done))
      world.simulation.after(2000, () => world.simulation.heal())
      const flags = '--initial-cluster-state=existing'
      const node = await world.start(replaced, world.config(replaced, [behind, replaced], flags))
      assert.notEqual(node.config.memberId, id)
    })

    test('a machine that was added twice joins as the second one, though a member that is behind knows the first', async () => {
      const world = new NodeWorld({ seed: 10, flags: [`--consensus=${consensus}`] })
      await world.found(...trio)
      await world.put('n1', 'a', '1')
      const leader = world.leader()!
      const [behind, other] = trio.filter((name) => name !== leader) as [string, string]
      const add = () => world.change(leader, (engine, done) => engine.memberAdd([urlOf('n4')], true, done))
      const { id } = await add()
      await world.until(() => world.node(behind).services.engine.members().length === 4, 'all know of it')
      for (const name of [leader, other]) world.simulation.setLink(name, behind, { cut: true })
      await world.change(leader, (engine, done) => engine.memberRemove(id, done))
      const second = await add()
      world.simulation.after(2000, () => world.simulation.heal())
      const flags = '--initial-cluster-state=existing'
      // They do not agree who it is until the one that is behind has caught up.
      const node = await world.start('n4', world.config('n4', [behind, leader, 'n4'], flags))
      assert.equal(node.config.memberId, second.id)
    })

    test('a wiped member is refused, and comes back as another', async () => {
      const world = await foundTrio(6, consensus)
      const wiped = world.follower()
      const staying = trio.filter((name) => name !== wiped)
      await world.wipe(wiped)
      await world.start(wiped, world.config(wiped, trio))
      await world.until(() => world.failures.has(wiped), 'it is refused')
      assert.match(String(world.failures.get(wiped)), /another data directory.*synod member remove/)
      await world.wipe(wiped)
      const existing = world.config(wiped, trio, '--initial-cluster-state=existing')
      await assert.rejects(world.start(wiped, existing), /has run with another data directory/)
      await world.wipe(wiped)
      const { id } = world.member(staying[0]!, wiped)
      await world.change(staying[0]!, (engine, done) => engine.memberRemove(id, done))
      await join(world, wiped, staying)
      await settles(world, 'n1 n2 n3 | ', ...trio)
      assert.notEqual(world.node(wiped).config.memberId, id)
    })

    test('a member that moved is found at its new address', async () => {
      const world = await foundTrio(7, consensus)
      const moved = world.follower()
      const { id } = world.member('n1', moved)
      world.kill(moved)
      const url = `http://${moved}:9999`
      const [through] = trio.filter((name) => name !== moved)
      await world.change(through!, (engine, done) => engine.memberUpdate(id, [url], done))
      const flags = [`--listen-peer-urls=${url}`, '--initial-cluster-state=existing']
      const config = world.config(moved, [moved], ...flags, `--initial-advertise-peer-urls=${urlOf(moved)}`)
      const before = world.node(through!).services.engine.revision
      await world.start(moved, config)
      await world.put(through!, 'b', '2')
      await world.until(() => world.node(moved).services.engine.revision > before, 'it follows')
    })

    test('members that moved find each other again when all of them were down', async () => {
      const world = await foundTrio(13, consensus)
      const settings = new Map(trio.map((name) => [name, world.config(name, trio)]))
      for (const moved of ['n2', 'n3']) {
        const { id } = world.member('n1', moved)
        world.kill(moved)
        await world.pause(1500)
        const url = `http://${moved}:9999`
        await world.change('n1', (engine, done) => engine.memberUpdate(id, [url], done))
        const flags = [`--listen-peer-urls=${url}`, '--initial-cluster-state=existing']
        const config = world.config(moved, [moved], ...flags, `--initial-advertise-peer-urls=${urlOf(moved)}`)
        settings.set(moved, config)
        await world.start(moved, config)
        await world.put('n1', moved, '1')
        await world.until(
          () =>
            trio.every(
              (name) => world.node(name).services.engine.revision === world.node('n1').services.engine.revision,
            ),
          'all have it',
        )
      }
      for (const name of trio) world.kill(name)
      for (const [name, config] of settings) await world.start(name, config)
      await world.until(() => world.leader() !== undefined, 'a leader')
    })

    test('a member is reached by whichever of its URLs works', async () => {
      const world = await foundTrio(14, consensus)
      const urls = ['http://elsewhere:1', urlOf('n4')]
      await world.change('n1', (engine, done) => engine.memberAdd(urls, false, done))
      await world.start('n4', world.config('n4', [...trio, 'n4'], '--initial-cluster-state=existing'))
      await world.until(
        () => world.node(world.leader()!).inspect().group.configuration().configuration.voters.length === 4,
        'it votes',
      )
    })

    test('every founder is replaced, and one that was away all the while is told', async () => {
      const world = await foundTrio(8, consensus)
      world.kill('n3')
      await world.pause(3000)
      const remove = (name: string, through: string) => {
        const { id } = world.member(through, name)
        return world.change(through, (engine, done) => engine.memberRemove(id, done))
      }
      await remove('n3', 'n1')
      await join(world, 'n4', ['n1', 'n2'])
      await settles(world, 'n1 n2 n4 | ', 'n1', 'n4')
      await remove('n2', 'n1')
      await join(world, 'n5', ['n1', 'n4'])
      await settles(world, 'n1 n4 n5 | ', 'n1', 'n4', 'n5')
      await remove('n1', 'n4')
      await join(world, 'n6', ['n4', 'n5'])
      const last = ['n4', 'n5', 'n6']
      await settles(world, 'n4 n5 n6 | ', ...last)
      for (const name of last) world.kill(name)
      for (const name of last) await world.start(name, world.config(name, last, '--initial-cluster-state=existing'))
      await world.until(() => world.leader() !== undefined, 'a leader')
      await world.put('n6', 'b', '2')
      assert.equal(world.node('n6').inspect().machine.store.revision, 3)
    })

    test('a member that was away while all others were replaced is told who they are', async () => {
      const world = new NodeWorld({ seed: 12, flags: [`--consensus=${consensus}`] })
      const running = ['n1', 'n2', 'n3', 'n4']
      await world.found(...running, 'n5')
      world.kill('n5')
      await world.pause(1500)
      for (const name of ['m1', 'm2', 'm3', 'm4']) {
        const gone = running.shift()!
        await join(world, name, running)
        running.push(name)
        await settles(world, `${[gone, 'n5', ...running].sort().join(' ')} | `, ...running)
        const { id } = world.member(name, gone)
        await world.change(name, (engine, done) => engine.memberRemove(id, done))
        await world.until(() => world.failures.has(gone), 'it ends')
      }
      await world.start('n5', world.config('n5', ['n1', 'n2', 'n3', 'n4', 'n5']))
      await settles(world, 'm1 m2 m3 m4 n5 | ', ...running, 'n5')
      for (const name of ['m1', 'm2']) world.kill(name)
      await world.put('n5', 'b', '2')
    })

    test('who was not added, asks nobody, or asks strangers is told what to do', async () => {
      const world = await foundTrio(9, consensus)
      const existing = '--initial-cluster-state=existing'
      await assert.rejects(
        world.start('n4', world.config('n4', [...trio, 'n4'], existing)),
        /none of the members.*Add this one first/,
      )
      await assert.rejects(
        world.start('n5', world.config('n5', ['n5', 'n9'], existing)),
        /no member of --initial-cluster answers/,
      )
      await assert.rejects(world.start('n6', world.config('n6', ['n6'], existing)), /names no other member/)
      await world.start('m1', world.config('m1', ['m1'], '--initial-cluster-token=another'))
      await assert.rejects(world.start('n7', world.config('n7', ['n1', 'm1', 'n7'], existing)), /different clusters/)
    })

    test('a learner stays one until it is promoted', async () => {
      const world = await foundTrio(10, consensus)
      await world.change('n1', (engine, done) => engine.memberAdd([urlOf('n4')], true, done))
      await world.start('n4', world.config('n4', [...trio, 'n4'], '--initial-cluster-state=existing'))
      await settles(world, 'n1 n2 n3 | n4', 'n1', 'n4')
      await world.pause(3000)
      assert.equal(world.configuration('n1'), 'n1 n2 n3 | n4')
      const { id } = world.member('n1', 'n4')
      await world.change('n2', (engine, done) => engine.memberPromote(id, done))
      assert.equal(world.configuration(world.leader()!), 'n1 n2 n3 n4 | ')
    })
  })

describe('a cluster that runs one algorithm', () => {
  test('takes in no member that says another', async () => {
    const world = new NodeWorld({ seed: 11 })
    await world.found('n1')
    await world.change('n1', (engine, done) => engine.memberAdd([urlOf('n2')], true, done))
    const flags = ['--initial-cluster-state=existing', '--consensus=paxos']
    await assert.rejects(world.start('n2', world.config('n2', ['n1', 'n2'], ...flags)), /the cluster runs raft/)
  })
})
