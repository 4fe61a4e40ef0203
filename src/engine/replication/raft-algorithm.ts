import { assert } from '../../base/index.ts'
import type { ReplicatedLog } from '../../core/index.ts'
import { decodeMessage, encodeMessage, Raft, type RaftMessage } from '../../core/raft/index.ts'
import type { Algorithm } from './algorithm.ts'

/** Raft as an algorithm for groups. */
export const raftAlgorithm: Algorithm<RaftMessage> = {
  name: 'raft',
  logMode: 'log',
  termsNeverFall: true,
  create({ id, restore, sink, random, timing }) {
    return new Raft({ id, restore, sink, random, options: timing })
  },
  entriesOf(records) {
    return records
  },
  encode(message) {
    return [encodeMessage(message)]
  },
  decode: decodeMessage,
  commitTold(message) {
    return 'commitIndex' in message ? message.commitIndex : undefined
  },
  isNewsOnly(message) {
    return message.type === 'commitNotice'
  },
  isAppend(message) {
    return message.type === 'appendEntries'
  },
  snapshotOffer(term, meta) {
    return { type: 'installSnapshot', term, meta }
  },
  acceptsSnapshot(core, from, meta) {
    return core.status().leader === from && raftOf(core).acceptsSnapshot(meta)
  },
  configurationAt(core, index) {
    return raftOf(core).configurationAt(index)
  },
}

function raftOf(core: ReplicatedLog<RaftMessage>): Raft {
  assert(core instanceof Raft, 'the core was made by this algorithm')
  return core
}
