import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Entry } from '../replicated-log.ts'
import { RaftLog, restoreLog, standInEntry } from './raft-log.ts'

const configuration = { voters: [1n], outgoing: [], learners: [] }

function entry(index: number, term: number, size = 4): Entry {
  return { index, term, kind: 'command', payload: new Uint8Array(size) }
}

/** Entries from `firstIndex` with these terms. */
function run(firstIndex: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => entry(firstIndex + i, term))
}

function restored(index: number, term: number, entries: Entry[]): string {
  const snapshot = { index, term, configuration }
  const { log, standInDue } = restoreLog({ hardState: { term: 9, votedFor: 0n }, snapshot, entries })
  log.validate()
  const base = log.firstIndex - 1
  const terms = Array.from({ length: log.lastIndex - base }, (_, i) => log.termAt(base + 1 + i))
  return `${base}/${log.termAt(base)} [${terms.join(' ')}]${standInDue ? ' stand-in due' : ''}`
}

test('a restart keeps the durable entries that belong to the snapshot, and a tail before it', () => {
  assert.equal(restored(0, 0, []), '0/0 []')
  assert.equal(restored(0, 0, run(1, 1, 2)), '0/0 [1 2]')
  assert.equal(restored(2, 1, run(1, 1, 1, 2)), '0/0 [1 1 2]', 'the tail reaches back to the beginning')
  assert.equal(restored(4, 1, run(2, 1, 1, 1, 2)), '2/1 [1 1 2]', 'the first entry becomes the base')
  assert.equal(restored(4, 1, run(5, 1, 2)), '4/1 [1 2]')
  assert.equal(restored(4, 1, run(4, 1)), '4/1 []')
})

test('a restart drops what does not belong to the snapshot, and says that the disk must be told', () => {
  assert.equal(restored(8, 3, run(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)), '8/3 [] stand-in due', 'another entry 8')
  assert.equal(restored(8, 3, run(1, 1, 1)), '8/3 [] stand-in due', 'the log ends before')
  assert.equal(restored(8, 3, run(9, 1)), '8/3 [] stand-in due', 'a lower term cannot follow')
})

test('after a stand-in, only what follows it counts', () => {
  const stale = run(1, 1, 1, 1, 1, 1, 1, 1)
  assert.equal(restored(8, 3, [...stale, standInEntry(8, 3)]), '8/3 []')
  assert.equal(restored(8, 3, [...stale, standInEntry(8, 3), ...run(9, 3, 4)]), '8/3 [3 4]')
  assert.equal(restored(8, 3, [...run(1, 1, 1), standInEntry(8, 3), ...run(9, 3)]), '8/3 [3]', 'with a gap before it')
  assert.equal(restored(10, 4, [...stale, standInEntry(8, 3), ...run(9, 3, 4, 4)]), '8/3 [3 4 4]')
  assert.equal(restored(10, 5, [...stale, standInEntry(8, 3), ...run(9, 3, 4)]), '10/5 [] stand-in due')
})

test('a hole between the snapshot and the log is refused', () => {
  assert.throws(() => restored(4, 1, run(6, 1)), /no hole/)
})

test('findConflictByTerm is the highest position up to the index with at most the term', () => {
  const someTerms = fc
    .array(fc.integer({ min: 1, max: 6 }), { maxLength: 12 })
    .map((terms) => terms.sort((a, b) => a - b))
  fc.assert(
    fc.property(someTerms, fc.nat(15), fc.nat(7), (terms, index, term) => {
      const log = new RaftLog(0, 0, run(1, ...terms))
      let naive = 0
      for (let at = 1; at <= Math.min(index, terms.length); at++) if ((terms[at - 1] as number) <= term) naive = at
      assert.deepEqual(log.findConflictByTerm(index, term), { index: naive, term: terms[naive - 1] ?? 0 })
    }),
  )
})

test('appends, truncations, compactions and resets match a naive twin', () => {
  const someStep = fc.oneof(
    fc.record({ type: fc.constant('append' as const), count: fc.integer({ min: 1, max: 4 }), size: fc.nat(9) }),
    fc.record({ type: fc.constant('truncate' as const), back: fc.nat(4) }),
    fc.record({ type: fc.constant('compact' as const), keep: fc.nat(4) }),
    fc.record({ type: fc.constant('reset' as const) }),
  )
  fc.assert(
    fc.property(fc.array(someStep, { maxLength: 30 }), (steps) => {
      const log = new RaftLog(0, 0, [])
      let twin: Entry[] = []
      let base = 0
      for (const step of steps) {
        const last = base + twin.length
        if (step.type === 'append') {
          const entries = Array.from({ length: step.count }, (_, i) => entry(last + 1 + i, 1, step.size))
          log.append(entries)
          twin.push(...entries)
        } else if (step.type === 'truncate' && twin.length > 0) {
          const from = Math.max(base + 1, last - step.back)
          log.truncateFrom(from)
          twin = twin.filter((item) => item.index < from)
        } else if (step.type === 'compact') {
          base = Math.max(base, last - step.keep)
          log.compactTo(base)
          twin = twin.filter((item) => item.index > base)
        } else if (step.type === 'reset') {
          base = last + 3
          log.reset(base, 1)
          twin = []
        }
        log.validate()
        assert.deepEqual([log.firstIndex, log.lastIndex], [base + 1, base + twin.length])
        assert.deepEqual(log.slice(base + 1, log.lastIndex), twin)
        assert.equal(
          log.bytes,
          twin.reduce((sum, item) => sum + item.payload.length + 16, 0),
        )
      }
    }),
  )
})

test('a batch holds what fits, and at least one entry', () => {
  const log = new RaftLog(0, 0, [entry(1, 1, 84), entry(2, 1, 84), entry(3, 1, 484)])
  assert.equal(log.batch(1, 200).length, 2)
  assert.equal(log.batch(1, 199).length, 1)
  assert.equal(log.batch(3, 10).length, 1)
  assert.equal(log.batch(4, 10).length, 0)
})
