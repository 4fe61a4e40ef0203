import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Prng } from '../../base/index.ts'
import type { HistoryRecord, KvEntry, OperationRecord, WatchRecord } from '../history/index.ts'
import { checkHistory } from './all-checkers.ts'
import { revisionOrder } from './revisions/checker.ts'
import { type GeneratedHistory, generateHistory } from './testing/history-generator.ts'

const mix = { get: 4, put: 4, delete: 1, cas: 2, range: 1, txn: 3, serializable: 2 }

function generate(seed: number, shape: object = {}): GeneratedHistory {
  const fixed = {
    seed: `revisions ${seed}`,
    operations: 200,
    clients: 6,
    keys: 5,
    revisions: true,
    coarse: seed % 2 === 0,
    mix,
  }
  return generateHistory({ ...fixed, unknownShare: 0.08, ...shape })
}

/** A watch of everything, in messages of one to three revisions. */
function watchAll({ changes }: GeneratedHistory, seed: string): WatchRecord[] {
  const random = new Prng(seed)
  const records: WatchRecord[] = []
  const add = (what: WatchRecord['what']) =>
    records.push({ type: 'watch', watcher: 'all', sequence: records.length, atMs: 1e9 + records.length, what })
  add({ event: 'created', key: '', end: '\0', startRevision: 2 })
  for (let i = 0; i < changes.length; ) {
    const last = changes[i]!.modRevision + random.below(3)
    const message = changes.slice(i).filter((change) => change.modRevision <= last)
    i += message.length
    add({ event: 'events', revision: message.at(-1)!.modRevision, changes: message })
  }
  return records
}

function explain(history: readonly HistoryRecord[]): string {
  return JSON.stringify(checkHistory(history).verdicts.filter(({ verdict }) => verdict.verdict !== 'valid'))
}

test('valid histories are valid in every property, with and without a watch', () => {
  for (let seed = 0; seed < 40; seed++) {
    const history = generate(seed)
    assert.equal(explain(history.operations), '[]', `seed ${seed}`)
    assert.equal(explain([...history.operations, ...watchAll(history, `${seed}`)]), '[]', `seed ${seed}, watched`)
  }
})

describe('a valid history, damaged in one place', () => {
  type Damage = (operations: readonly OperationRecord[], random: Prng) => OperationRecord | undefined

  const pick = <T>(items: readonly T[], random: Prng): T | undefined =>
    items.length === 0 ? undefined : items[random.below(items.length)]
  const ok = (operations: readonly OperationRecord[]) => operations.filter((record) => record.outcome === 'ok')
  const withEntry = (operations: readonly OperationRecord[]) =>
    ok(operations).filter((record) => (record.output?.entries?.length ?? 0) > 0 && record.serializable !== true)
  const changed = (record: OperationRecord, change: (entry: KvEntry) => KvEntry): OperationRecord => ({
    ...record,
    output: { ...record.output, entries: record.output!.entries!.map((entry, i) => (i === 0 ? change(entry) : entry)) },
  })

  const damages: Readonly<Record<string, Damage>> = {
    'a value that was never written': (operations, random) => {
      const read = pick(withEntry(operations), random)
      return read && changed(read, (entry) => ({ ...entry, value: 'never' }))
    },
    'an entry of an earlier revision': (operations, random) => {
      const read = pick(withEntry(operations), random)
      return read && changed(read, (entry) => ({ ...entry, modRevision: entry.modRevision! - 1 }))
    },
    'another version': (operations, random) => {
      const read = pick(withEntry(operations), random)
      return read && changed(read, (entry) => ({ ...entry, version: entry.version! + 1 }))
    },
    'another creation': (operations, random) => {
      const read = pick(
        withEntry(operations).filter((record) => record.output!.entries![0]!.createRevision! > 2),
        random,
      )
      return read && changed(read, (entry) => ({ ...entry, createRevision: 1 }))
    },
    'a key left out': (operations, random) => {
      const read = pick(withEntry(operations), random)
      return read && { ...read, output: { ...read.output, entries: read.output!.entries!.slice(1) } }
    },
    'a write with the revision of another': (operations, random) => {
      const puts = ok(operations).filter((record) => record.input.op === 'put')
      const [one, other] = [pick(puts, random), pick(puts, random)]
      return one && other && one !== other ? { ...one, output: other.output! } : undefined
    },
    'a write that lost its place': (operations, random) => {
      const put = pick(
        ok(operations).filter((record) => record.input.op === 'put'),
        random,
      )
      return put && { ...put, output: { revision: 100_000 } }
    },
    'a delete that tells the opposite': (operations, random) => {
      const one = pick(
        ok(operations).filter((record) => record.output?.deleted === 0),
        random,
      )
      return one && { ...one, output: { ...one.output, deleted: 1 } }
    },
    'a linearizable read of the beginning': (operations, random) => {
      const reads = ok(operations).filter((record) => record.input.op === 'get' && !record.serializable)
      const read = pick(reads.slice(-10), random)
      return read && { ...read, output: { revision: 1, entries: [] } }
    },
  }

  for (const [name, damage] of Object.entries(damages))
    test(name, () => {
      let tried = 0
      for (let seed = 0; seed < 25; seed++) {
        // Without unknown outcomes every damage is provably one.
        const { operations } = generate(seed, { unknownShare: 0 })
        const damaged = damage(operations, new Prng(`${name} ${seed}`))
        if (damaged === undefined) continue
        tried++
        const original = operations.find(
          (record) =>
            record.client === damaged.client &&
            record.invokedMs === damaged.invokedMs &&
            record.input === damaged.input,
        )
        const history = operations.map((record) => (record === original ? damaged : record))
        assert.equal(checkHistory(history).overall, 'invalid', `seed ${seed}: ${JSON.stringify(damaged)}`)
      }
      assert.ok(tried >= 10, `only ${tried} seeds could be damaged`)
    })
})

describe('revisions that nobody claims', () => {
  const write = (revision: number | undefined, value: string, invokedMs: number): OperationRecord => ({
    type: 'operation',
    client: `c${invokedMs}`,
    invokedMs,
    ...(revision === undefined ? {} : { returnedMs: invokedMs + 5 }),
    outcome: revision === undefined ? 'unknown' : 'ok',
    input: { op: 'put', key: 'a', value },
    ...(revision === undefined ? {} : { output: { revision } }),
  })
  const read = (revision: number, invokedMs: number, entry?: Partial<KvEntry>): OperationRecord => ({
    type: 'operation',
    client: 'r',
    invokedMs,
    returnedMs: invokedMs + 5,
    outcome: 'ok',
    input: { op: 'get', key: 'a' },
    output: { revision, entries: entry === undefined ? [] : [{ key: 'a', value: '', ...entry }] },
  })
  const verdictOf = (...history: HistoryRecord[]) => revisionOrder.check(history).verdict

  test('are explained by operations of unknown outcome, each once', () => {
    assert.equal(verdictOf(write(2, 'x', 0), write(undefined, 'u', 10), write(4, 'y', 20)), 'valid')
    assert.equal(verdictOf(write(2, 'x', 0), write(4, 'y', 20)), 'invalid')
    assert.equal(verdictOf(write(2, 'x', 0), write(undefined, 'u', 10), write(5, 'y', 20)), 'invalid')
  })

  test('only by such as had been invoked', () => {
    assert.equal(verdictOf(write(2, 'x', 0), write(4, 'y', 20), write(undefined, 'u', 30)), 'invalid')
    assert.equal(verdictOf(write(2, 'x', 0), write(4, 'y', 20), write(undefined, 'u', 24)), 'valid')
  })

  test('only by such as wrote what was seen', () => {
    const seen = read(4, 30, { value: 'u', modRevision: 3, createRevision: 2, version: 2 })
    assert.equal(
      verdictOf(
        write(2, 'x', 0),
        write(undefined, 'u', 10),
        { ...write(4, 'y', 20), input: { op: 'put', key: 'b', value: 'y' } },
        seen,
      ),
      'valid',
    )
    assert.equal(
      verdictOf(
        write(2, 'x', 0),
        write(undefined, 'w', 10),
        { ...write(4, 'y', 20), input: { op: 'put', key: 'b', value: 'y' } },
        seen,
      ),
      'invalid',
    )
  })

  test('by the end of a lease', () => {
    const lease = {
      type: 'lease',
      lease: '7',
      sequence: 0,
      what: { event: 'attached', key: 'a', revision: 2, atMs: 5 },
    } as const
    assert.equal(verdictOf(write(2, 'x', 0), read(3, 30), lease), 'valid')
    assert.equal(verdictOf(write(2, 'x', 0), read(3, 30)), 'invalid')
    assert.equal(checkHistory([write(2, 'x', 0), read(3, 30), lease]).overall, 'valid')
  })

  test('a store that was not empty says so', () => {
    const start = { type: 'start', revision: 50, entries: [{ key: 'a', value: 'old', modRevision: 40 }] } as const
    assert.equal(verdictOf(start, read(50, 0, { value: 'old', modRevision: 40 }), write(51, 'x', 10)), 'valid')
    assert.equal(verdictOf(read(50, 0, { value: 'old', modRevision: 40 }), write(51, 'x', 10)), 'invalid')
    assert.equal(verdictOf(start, read(50, 0), write(51, 'x', 10)), 'invalid')
    assert.equal(verdictOf(start, write(50, 'x', 10)), 'invalid')
    assert.equal(checkHistory([start, read(50, 0, { value: 'old', modRevision: 40 })]).overall, 'valid')
  })

  test('a read shows all that was told before it began', () => {
    assert.equal(verdictOf(write(2, 'x', 0), read(1, 5)), 'valid')
    assert.equal(verdictOf(write(2, 'x', 0), read(1, 6)), 'invalid')
  })
})
