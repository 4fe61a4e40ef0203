import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NodeWorld, urlOf } from './testing/node-world.ts'

const trio = ['n1', 'n2', 'n3']
const existing = '--initial-cluster-state=existing'

describe('a member whose disk may be lost', () => {
  test('votes only when the log tells that it has run, so that no other disk joins in its place', async () => {
    const world = new NodeWorld({ seed: 1 })
    await world.found('n1', 'n2')
    await world.change('n1', (engine, done) => engine.memberAdd([urlOf('n3')], false, done))
    const { engine } = (await world.start('n3', world.config('n3', trio, existing))).services
    const publish = engine.publishMember.bind(engine)
    const held: (() => void)[] = []
    engine.publishMember = (attributes, done) => held.push(() => publish(attributes, done))
    await world.until(() => world.configuration('n3') === 'n1 n2 | n3', 'it learns')
    await world.pause(3000)
    assert.equal(world.configuration('n1'), 'n1 n2 | n3', 'it does not vote yet')
    for (const release of held) release()
    await world.until(() => world.configuration('n2') === 'n1 n2 n3 | ', 'it votes')
  })

  test('is refused when one of those that answer knows that it has run, whoever else does not', async () => {
    const world = new NodeWorld({ seed: 2 })
    await world.found(...trio)
    const stale = world.follower()
    const current = trio.filter((name) => name !== stale)
    await world.change(stale, (engine, done) => engine.memberAdd([urlOf('n4')], true, done))
    await world.until(() => world.member(stale, 'n4').name === '', 'it hears of the addition')
    world.addMachine('n4')
    world.simulation.partition([stale], [...current, 'n4'])
    await world.start('n4', world.config('n4', [...current, 'n4'], existing))
    await world.until(() => world.member(current[0]!, 'n4').name === 'n4', 'it has run')
    await world.wipe('n4')
    world.simulation.heal()
    world.simulation.partition([stale, 'n4'], [...current, 'n4'])
    assert.equal(world.member(stale, 'n4').name, '')
    await assert.rejects(
      world.start('n4', world.config('n4', [stale, ...current, 'n4'], existing)),
      /has run with another/,
    )
  })
})
