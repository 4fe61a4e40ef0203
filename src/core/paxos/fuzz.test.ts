import { test } from 'node:test'
import { Prng } from '../../base/index.ts'
import type { Entry } from '../replicated-log.ts'
import type { PaxosMessage } from './message.ts'
import { Bench, slot } from './testing/bench.ts'

/** Messages that no correct peer would send, in any order: the core drops or survives them, its invariants intact. */

const types: readonly PaxosMessage['type'][] = [
  'prepare',
  'promise',
  'accept',
  'accepted',
  'rejected',
  'heartbeat',
  'heartbeatResponse',
  'chosenNotice',
  'preVote',
  'preVoteResponse',
  'installSnapshot',
  'readIndex',
  'readIndexResponse',
  'timeoutNow',
]

function someMessage(prng: Prng, round: number): PaxosMessage {
  const number = () => (prng.below(40) === 0 ? Number.MAX_SAFE_INTEGER - prng.below(3) : prng.below(8))
  const flag = () => prng.below(2) === 0
  const type = types[prng.below(types.length)] as PaxosMessage['type']
  const firstSlot = number()
  const entries: Entry[] = Array.from({ length: prng.below(4) }, (_, i) => {
    const kind = (['command', 'noop', 'configuration'] as const)[prng.below(3)] ?? 'noop'
    return { index: firstSlot + i, term: number(), kind, payload: Buffer.alloc(prng.below(3)) }
  })
  const slots = Array.from({ length: prng.below(4) }, () => slot(number(), 'x', number(), number()))
  const configuration = { voters: prng.below(3) === 0 ? [] : [1n, 2n], outgoing: [], learners: [] }
  const fields = {
    type,
    round: prng.below(3) === 0 ? number() : round,
    fromSlot: number(),
    transfer: flag(),
    lostLeader: BigInt(prng.below(4)),
    granted: flag(),
    nextSlot: number(),
    complete: flag(),
    chosenIndex: number(),
    slots,
    firstSlot,
    lastSlot: number(),
    throughSlot: number(),
    entries,
    context: number(),
    receivedThrough: number(),
    index: number(),
    meta: { index: number(), term: number(), configuration },
  }
  return fields as unknown as PaxosMessage
}

test('no message, however senseless, breaks a core', () => {
  for (let seed = 0; seed < 400; seed++) {
    const prng = new Prng(`fuzz ${seed}`)
    const bench = new Bench({
      voters: [1n, 2n, 3n].slice(0, 1 + prng.below(3)),
      options: { preVote: prng.below(2) === 0 },
    })
    for (let step = 0; step < 120; step++) {
      const { term } = bench.paxos.status()
      switch (prng.below(6)) {
        case 0:
          bench.tick(1 + prng.below(6))
          break
        case 1:
          bench.persisted()
          break
        case 2:
          bench.propose('command')
          break
        default:
          bench.hear(BigInt(1 + prng.below(4)), someMessage(prng, term))
      }
    }
  }
})
