import { assert } from '../../base/index.ts'
import type { ReplicatedLog } from '../../core/index.ts'
import { decodeMessage, decodeRecord, encodeMessage, Paxos, type PaxosMessage } from '../../core/paxos/index.ts'
import type { Algorithm } from './algorithm.ts'

/** Multi-Paxos as an algorithm for groups. */
export const paxosAlgorithm: Algorithm<PaxosMessage> = {
  name: 'paxos',
  logMode: 'slots',
  // A value that a new leader recovers keeps the round that proposed it first.
  termsNeverFall: false,
  create({ id, restore, sink, random, timing }) {
    return new Paxos({ id, restore, sink, random, options: timing })
  },
  entriesOf(records) {
    return records.flatMap((record) => decodeRecord(record)?.slot.value ?? [])
  },
  encode(message) {
    return [encodeMessage(message)]
  },
  decode: decodeMessage,
  commitTold(message) {
    switch (message.type) {
      case 'accept':
      case 'heartbeat':
      case 'chosenNotice':
        return message.chosenIndex
      default:
        return undefined
    }
  },
  isNewsOnly(message) {
    return message.type === 'chosenNotice'
  },
  isAppend(message) {
    return message.type === 'accept'
  },
  snapshotOffer(term, meta) {
    return { type: 'installSnapshot', round: term, meta }
  },
  acceptsSnapshot(core, from, meta) {
    return core.status().leader === from && paxosOf(core).acceptsSnapshot(meta)
  },
  configurationAt(core, index) {
    return paxosOf(core).configurationAt(index)
  },
}

function paxosOf(core: ReplicatedLog<PaxosMessage>): Paxos {
  assert(core instanceof Paxos, 'the core was made by this algorithm')
  return core
}
