import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CoreStatus, Entry } from '../../core/index.ts'
import { LogTrimmer } from './log-trimmer.ts'

const entry = (index: number, bytes: number): Entry => ({
  index,
  term: 1,
  kind: 'command',
  payload: new Uint8Array(bytes),
})

function statusOf(lastIndex: number, matchIndex: number, recentlyActive: boolean): CoreStatus {
  return {
    id: 1n,
    role: 'leader',
    leader: 1n,
    term: 1,
    commitIndex: lastIndex,
    lastIndex,
    firstIndex: 1,
    configuration: { voters: [1n, 2n], outgoing: [], learners: [] },
    configurationIndex: 0,
    progress: new Map([[2n, { matchIndex, recentlyActive }]]),
  }
}

describe('log trimming', () => {
  const log = Array.from({ length: 200 }, (_, i) => entry(i + 1, 100))
  const options = { tailCount: 50, tailBytes: 1000, lagBytesMax: 5000 }
  const trimmer = () => new LogTrimmer(options, (from, to) => log.slice(from - 1, to))

  test('a look is due after so many bytes, however few the entries', () => {
    const due = trimmer()
    for (let i = 1; i <= 10; i++) due.noteApplied(entry(i, 100))
    assert.equal(due.isDue, false)
    due.noteApplied(entry(11, 100))
    assert.equal(due.isDue, true)
    due.trimTo(statusOf(11, 11, true), 11)
    assert.equal(due.isDue, false)
  })

  test('the tail is bounded in entries and in bytes', () => {
    assert.equal(trimmer().trimTo(statusOf(200, 200, true), 200), 190)
    const byCount = new LogTrimmer({ ...options, tailBytes: 1 << 20 }, (from, to) => log.slice(from - 1, to))
    assert.equal(byCount.trimTo(statusOf(200, 200, true), 200), 150)
  })

  test('a follower that answers is spared a snapshot up to a bounded lag; one that does not is not', () => {
    assert.equal(trimmer().trimTo(statusOf(200, 170, true), 200), 170)
    assert.equal(trimmer().trimTo(statusOf(200, 20, true), 200), 150)
    assert.equal(trimmer().trimTo(statusOf(200, 170, false), 200), 190)
  })
})
