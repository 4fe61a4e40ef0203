/**
 * The whole replication stack under attack, in worlds made from seeds: crashes with and without loss of power, cuts one
 * way and both, lossy and slow links, slow, full and failing disks, processes that stand still, forced snapshots,
 * leadership handed about, under writes and linearizable reads on every node.
 *
 * `SYNOD_CHAOS_SEEDS=1000` runs that many worlds on each algorithm, `SYNOD_CHAOS_FIRST=2000` begins elsewhere,
 * `SYNOD_CHAOS_CONSENSUS=paxos` runs on that one only.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Algorithm } from './algorithm.ts'
import { paxosAlgorithm } from './paxos-algorithm.ts'
import { raftAlgorithm } from './raft-algorithm.ts'
import { ChaosWorld } from './testing/chaos-world.ts'

const first = Number(process.env['SYNOD_CHAOS_FIRST'] ?? 0)
const count = Number(process.env['SYNOD_CHAOS_SEEDS'] ?? 40)
const only = process.env['SYNOD_CHAOS_CONSENSUS']
const roundsMax = 90

const reached = [
  'power-loss',
  'process-death',
  'pause',
  'disk full',
  'disk room',
  'sync failed',
  'receiving a snapshot',
  'write timeout unknown',
  'write leader-changed unknown',
  'read timeout',
]

function attack<M>(algorithm: Algorithm<M>, expected: readonly string[]): void {
  const { name } = algorithm
  describe(`replication under attack, on ${name}`, { skip: only !== undefined && only !== name }, () => {
    const counts = new Map<string, number>()

    for (let seed = first; seed < first + count; seed++) {
      test(`seed ${seed}`, async () => {
        const world = new ChaosWorld(`chaos-${seed}`, algorithm as Algorithm<unknown>)
        try {
          await world.live(roundsMax)
        } catch (error) {
          const variables = `SYNOD_CHAOS_CONSENSUS=${name} SYNOD_CHAOS_FIRST=${seed} SYNOD_CHAOS_SEEDS=1`
          const replay = `${variables} node --test src/engine/replication/chaos.test.ts`
          throw new Error(`${error instanceof Error ? error.message : String(error)}\nreplay: ${replay}`, {
            cause: error,
          })
        }
        for (const [what, times] of world.counts) counts.set(what, (counts.get(what) ?? 0) + times)
      })
    }

    test('the attack reaches what it is meant to reach', { skip: count < 40 && 'too few worlds for it' }, (context) => {
      for (const [what, times] of [...counts].sort()) context.diagnostic(`${what}: ${times}`)
      for (const what of expected) assert.ok((counts.get(what) ?? 0) > 0, `never came about: ${what}`)
    })
  })
}

attack(raftAlgorithm, [...reached, 'write leader-changed not-applied'])
attack(paxosAlgorithm, reached)
