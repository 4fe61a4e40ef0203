import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MemberId } from '../core/index.ts'
import type { Address } from '../runtime/index.ts'
import { createSimulation } from '../runtime/simulation/index.ts'
import { type PeerAddress, PeerSet } from './peer-set.ts'

/** The peers of member 1, which is alone as far as it knows. */
function peerSet() {
  const simulation = createSimulation({ seed: 'peer-set' })
  const { scheduler, logger } = simulation.createNode('a').runtime
  let peers: ReadonlyMap<MemberId, Address> = new Map()
  const configuration = { voters: [1n], outgoing: [], learners: [] }
  const set = new PeerSet({
    scheduler,
    logger,
    self: 1n,
    group: {
      configuration: () => ({ configuration, committed: true, commitIndex: 0, progress: new Map() }),
      onConfigurationChange: () => () => {},
    },
    machine: { observe: () => () => {}, members: () => [], isRemoved: () => false },
    lingerMs: 1000,
    setPeers: (now) => {
      peers = now
    },
    isConnected: () => false,
    book: { members: [], note: () => {} },
  })
  return { set, known: () => [...peers.keys()] }
}

function members(from: number, count: number): PeerAddress[] {
  return Array.from({ length: count }, (_, i) => ({ id: BigInt(from + i), peerUrls: [`http://h:${from + i}`] }))
}

describe('the peers of a node', () => {
  test('are those that others name, up to a bound: strangers cannot make it dial without end (P3)', () => {
    const { set, known } = peerSet()
    set.learn(members(2, 3))
    assert.deepEqual(known(), [2n, 3n, 4n])
    for (let from = 5; from < 2000; from += 100) set.learn(members(from, 100))
    assert.equal(known().length, 256)
    assert.deepEqual(known().slice(0, 3), [2n, 3n, 4n])
    set.stop()
  })
})
