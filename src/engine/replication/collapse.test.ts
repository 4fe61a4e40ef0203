import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asBuffer } from '../../base/index.ts'
import { createSimulation } from '../../runtime/simulation/index.ts'
import { openWal } from '../../storage/wal/index.ts'
import { type Algorithm, collapseGroup, paxosAlgorithm, type StateMachine } from './index.ts'

/** A record of a slot on disk, as `core/paxos/slot-record.ts` lays it out: accepted, and nothing claimed to be chosen. */
function record(index: number, command: string, ballot = 1) {
  const payload = Buffer.alloc(24 + 16 + command.length)
  payload.writeUInt32LE(1, 0)
  payload.write(command, 40)
  return { index, term: ballot, kind: 'command', payload } as const
}

test('what a Paxos acceptor accepted out of order is kept, and the gaps are reported (C1)', async () => {
  const simulation = createSimulation({ seed: 'collapse' })
  const { runtime } = simulation.createNode('a')
  const { disk, logger, random } = runtime
  await simulation.runUntilDone(disk.makeDirectory('/data'))
  const nodeTag = { clusterId: 1n, memberId: 2n }
  const options = { disk, directory: '/data/wal', logger, random, nodeTag, segmentBytes: 8192 }
  const { wal } = await simulation.runUntilDone(openWal(options))
  const entries = [record(1, 'a'), record(2, 'b'), record(5, 'e', 2), record(7, 'g')]
  const hardState = { term: 3, votedFor: 2n }
  await simulation.runUntilDone(wal.append([{ group: 1, mode: 'slots', entries, hardState }]))
  await simulation.runUntilDone(wal.close())
  let text = ''
  const machine = {
    apply: (command: Uint8Array) => {
      text += asBuffer(command).toString()
    },
  } as unknown as StateMachine<unknown>
  const report = await simulation.runUntilDone(
    collapseGroup({
      runtime,
      group: 1,
      memberId: 2n,
      algorithm: paxosAlgorithm as Algorithm<unknown>,
      machine,
      from: { directory: '/data', clusterId: 1n },
      to: undefined,
      walSegmentBytes: 8192,
      prepare() {},
    }),
  )
  assert.equal(text, 'abeg')
  assert.deepEqual(report, { lastIndex: 7, lastTerm: 2, term: 3, snapshotIndex: 0, entries: 4, missing: 3 })
})
