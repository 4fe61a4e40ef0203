import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { emptyBytes } from '../../base/index.ts'
import { type Entry, noMember, type SnapshotMeta } from '../../core/index.ts'
import { encodeMessage } from '../../core/paxos/index.ts'
import type { SnapshotFiles } from '../../storage/snapshot/index.ts'
import { envelopeBytes } from './envelope.ts'
import { messageKind } from './message-kinds.ts'
import { defaultGroupOptions } from './options.ts'
import { paxosAlgorithm } from './paxos-algorithm.ts'
import { ReplicatedGroup } from './replicated-group.ts'
import type { CommandPosition, StateMachine } from './state-machine.ts'
import { FakePort } from './testing/fake-port.ts'

const configuration = { voters: [1n, 2n], outgoing: [], learners: [] }

/** Node 1, a follower of 2, on a machine that notes where commands stand. */
function follower(snapshot: SnapshotMeta) {
  const port = new FakePort('falling terms')
  const positions: CommandPosition[] = []
  const snapshots: SnapshotMeta[] = []
  const machine: StateMachine<void> = {
    apply: (_command, position) => {
      positions.push(position)
    },
    snapshot: () => ({ next: () => undefined, close() {} }),
    restore: () => assert.fail('no snapshot is offered'),
  }
  const writer = { write: async () => {}, finish: async () => {}, abort: async () => {} }
  const files = {
    list: () => [],
    create: async (meta: SnapshotMeta) => {
      snapshots.push(meta)
      return writer
    },
  }
  const group = new ReplicatedGroup({
    memberId: 1n,
    port,
    options: { ...defaultGroupOptions, snapshotCount: 1, snapshotLogBytes: 1 },
    algorithm: paxosAlgorithm,
    machine,
    files: files as unknown as SnapshotFiles,
    restore: { hardState: { term: 5, votedFor: noMember }, snapshot, entries: [] },
  })
  const chosen = async (entries: readonly Entry[]) => {
    const firstSlot = entries[0]?.index ?? 0
    const chosenIndex = firstSlot + entries.length - 1
    const message = encodeMessage({ type: 'accept', round: 5, firstSlot, chosenIndex, entries })
    group.onMessage(2n, messageKind.consensus, message)
    await port.pass(10)
    assert.deepEqual(port.failures, [])
  }
  return { chosen, positions, snapshots }
}

const noop = (index: number, term: number): Entry => ({ index, term, kind: 'noop', payload: emptyBytes })
const command = (index: number, term: number): Entry => {
  return { index, term, kind: 'command', payload: Buffer.alloc(envelopeBytes) }
}

describe('terms that fall along the log', () => {
  test('a value of a deposed leader behind the opening of its successor is applied in the term of the latter', async () => {
    const { chosen, positions, snapshots } = follower({ index: 0, term: 0, configuration })
    await chosen([noop(1, 5), command(2, 4)])
    assert.deepEqual(positions, [{ index: 2, term: 5 }])
    assert.equal(snapshots.at(-1)?.term, 5, 'a snapshot passes it on')
  })

  test('also when a snapshot hides that opening', async () => {
    const { chosen, positions } = follower({ index: 1, term: 5, configuration })
    await chosen([command(2, 4)])
    assert.deepEqual(positions, [{ index: 2, term: 5 }])
  })
})
