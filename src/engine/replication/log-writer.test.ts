import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CoreRestore, Entry } from '../../core/index.ts'
import type { GroupWrite } from '../../storage/wal/index.ts'
import { LogWriter } from './log-writer.ts'
import { FakePort } from './testing/fake-port.ts'

const entry = (index: number): Entry => ({ index, term: 1, kind: 'command', payload: new Uint8Array(10) })

function restoreOf(snapshotIndex: number, entries: readonly Entry[]): CoreRestore {
  const configuration = { voters: [1n], outgoing: [], learners: [] }
  return { hardState: { term: 1, votedFor: 0n }, snapshot: { index: snapshotIndex, term: 1, configuration }, entries }
}

function writerOf(mode: 'log' | 'slots', restore: CoreRestore) {
  const port = new FakePort('writer')
  const writes: Omit<GroupWrite, 'group'>[] = []
  const durable: (() => void)[] = []
  port.persist = (write: unknown, onDurable: () => void) => {
    writes.push(write as GroupWrite)
    durable.push(onDurable)
  }
  const writer = new LogWriter(port, mode, restore)
  const write = (...indexes: number[]) => {
    writer.write({ type: 'persist', id: 1, hardState: undefined, entries: indexes.map(entry) }, () => {})
    return writes.at(-1)!
  }
  return { writer, write, durable }
}

describe('the path of a core to the log', () => {
  test('mode log: a log that goes on is not begun anew, one with a gap is', () => {
    const { write } = writerOf('log', restoreOf(0, [entry(1), entry(2)]))
    assert.equal(write(3, 4).restartAfter, undefined)
    assert.equal(write(4).restartAfter, undefined, 'what was written may be replaced')
    assert.equal(write(9).restartAfter, 8)
  })

  test("W1: after a leader's snapshot the log begins anew at the stand-in, gap or not", () => {
    const { writer, write } = writerOf('log', restoreOf(0, [entry(1), entry(2)]))
    writer.onRestored(2)
    assert.equal(write(2).restartAfter, 1)
    assert.equal(write(3).restartAfter, undefined)
  })

  test('W2: mode slots takes entries in any order, and never begins anew', () => {
    const { writer, write } = writerOf('slots', restoreOf(5, []))
    assert.deepEqual(
      { ...write(9, 7), entries: [] },
      { mode: 'slots', entries: [], hardState: undefined, restartAfter: undefined },
    )
    writer.onRestored(20)
    assert.equal(write(20).restartAfter, undefined)
    assert.equal(write(50).restartAfter, undefined)
  })

  test('what waits for the disk is counted', () => {
    const { writer, write, durable } = writerOf('slots', restoreOf(0, []))
    write(1, 2)
    write(3)
    assert.equal(writer.undurableBytes, 30)
    durable[0]?.()
    assert.equal(writer.undurableBytes, 10)
  })
})
