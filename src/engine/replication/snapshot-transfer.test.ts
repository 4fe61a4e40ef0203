/** The two ends of a snapshot transfer, joined by hand: what one says is handed to the other, or lost. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import type { SnapshotMeta } from '../../core/index.ts'
import { openSnapshotFiles } from '../../storage/snapshot/index.ts'
import { messageKind } from './message-kinds.ts'
import { SnapshotReceiver } from './snapshot-receiver.ts'
import { SnapshotSender } from './snapshot-sender.ts'
import { FakePort, type SentMessage } from './testing/fake-port.ts'
import { Journal } from './testing/journal.ts'

const meta: SnapshotMeta = { index: 9, term: 2, configuration: { voters: [1n, 2n], outgoing: [], learners: [] } }

function journalOf(count: number): Journal {
  const journal = new Journal()
  for (let i = 0; i < count; i++) journal.apply(utf8Bytes(`c${i}`))
  return journal
}

async function openTransfer(chunkBytes: number) {
  const port = new FakePort('transfer')
  const finished: { readonly index: number; readonly ok: boolean }[] = []
  const sender = new SnapshotSender(port, chunkBytes, (_to, index, ok) => finished.push({ index, ok }))
  const journal = journalOf(0)
  const state = { wanted: true, restored: 0, throws: false }
  const files = await port.simulation.runUntilDone(
    (async () => {
      await port.runtime.disk.makeDirectory('/data')
      await port.runtime.disk.syncDirectory('/')
      const { disk, logger } = port.runtime
      return openSnapshotFiles({ disk, directory: '/data/snap', logger, group: 1, clusterId: 7n, memberId: 2n })
    })(),
  )
  const receiver = new SnapshotReceiver(port, files, journal, {
    wanted: () => state.wanted,
    restored: () => {
      state.restored++
      if (state.throws) throw new Error('a broken invariant')
    },
  })
  const deliver = ({ kind, payload }: SentMessage): void => {
    if (kind === messageKind.snapshotBegin) receiver.begin(1n, payload.readDoubleLE(0), meta)
    else if (kind === messageKind.snapshotChunk) receiver.onChunk(1n, payload)
    else if (kind === messageKind.snapshotEnd) receiver.onEnd(1n, payload)
    else if (kind === messageKind.snapshotAck) sender.onAck(2n, payload)
    else if (kind === messageKind.snapshotResult) sender.onResult(2n, payload)
  }
  /** Lets time pass and hands messages on, but for the `lost` chunk. */
  const run = async (lost = 0): Promise<void> => {
    let chunks = 0
    for (let i = 0; i < 100; i++) {
      for (const message of port.take())
        if (message.kind !== messageKind.snapshotChunk || ++chunks !== lost) deliver(message)
      await port.pass(1)
    }
  }
  return { port, sender, receiver, journal, finished, state, run }
}

describe('snapshot transfer', () => {
  test('a whole one replaces the state and is reported once', async () => {
    const { sender, journal, finished, state, run } = await openTransfer(6)
    sender.begin(2n, 2, meta, journalOf(20).snapshot())
    await run()
    assert.deepEqual(journal.commands, journalOf(20).commands)
    assert.deepEqual(finished, [{ index: 9, ok: true }])
    assert.equal(state.restored, 1)
  })

  for (const lost of [1, 5, 20])
    test(`one whose chunk ${lost} is lost leaves the state alone, though the rest would make an image`, async () => {
      const { sender, journal, finished, state, run } = await openTransfer(3)
      const image = journalOf(10).snapshot()
      sender.begin(2n, 2, meta, { next: () => image.next(3), close: () => image.close() })
      await run(Math.min(lost, 10))
      assert.deepEqual(journal.commands, [])
      assert.equal(state.restored, 0)
      assert.deepEqual(finished, [], 'turned down: the core hears of it after a pause')
      await run()
      for (let i = 0; i < 10; i++) await run()
      assert.deepEqual(finished, [{ index: 9, ok: false }])
    })

  test('a newer one to the same peer takes the place of the older, which is not reported as a failure', async () => {
    const { sender, journal, finished, run } = await openTransfer(6)
    sender.begin(2n, 2, meta, journalOf(5).snapshot())
    sender.begin(2n, 2, meta, journalOf(20).snapshot())
    await run()
    assert.deepEqual(finished, [{ index: 9, ok: true }])
    assert.equal(journal.commands.length, 20)
  })

  test('one from a leader that is none any more ends, and its sender is told', async () => {
    const { port, sender, receiver, journal, run } = await openTransfer(6)
    sender.begin(2n, 2, meta, journalOf(20).snapshot())
    for (const message of port.take()) receiver.begin(1n, message.payload.readDoubleLE(0), meta)
    await port.pass(2)
    receiver.onLeader(3n)
    assert.equal(receiver.busy, false)
    const results = port.take().filter((message) => message.kind === messageKind.snapshotResult)
    assert.equal(results.length, 1)
    await run()
    assert.deepEqual(journal.commands, [])
  })

  test('what goes wrong while the state is replaced ends the node', async () => {
    const { port, sender, state, run } = await openTransfer(6)
    state.throws = true
    sender.begin(2n, 2, meta, journalOf(20).snapshot())
    await run()
    assert.match(String(port.failures[0]), /a broken invariant/)
  })

  test('one that was overtaken meanwhile is not put in place', async () => {
    const { sender, journal, state, run } = await openTransfer(6)
    sender.begin(2n, 2, meta, journalOf(20).snapshot())
    state.wanted = false
    await run()
    assert.deepEqual(journal.commands, [])
  })
})
