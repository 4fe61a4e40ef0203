import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NodeWorld } from './testing/node-world.ts'

/** How long one linearizable read at the leader takes, in simulated milliseconds. */
async function readTakes(...flags: string[]): Promise<number> {
  const world = new NodeWorld({ seed: 1, flags })
  await world.found('n1', 'n2', 'n3')
  await world.put('n1', 'a', '1')
  await world.pause(1000)
  const startMs = world.simulation.nowMs
  let endMs = 0
  world.node(world.leader()!).services.engine.linearizableRead((outcome) => {
    assert.ok(outcome.ok)
    endMs = world.simulation.nowMs
  })
  await world.until(() => endMs > 0, 'the read')
  return endMs - startMs
}

test('--lease-reads spares the leader’s reads the round to the followers', async () => {
  assert.equal(await readTakes('--lease-reads'), 0)
  assert.ok((await readTakes()) > 0)
})
