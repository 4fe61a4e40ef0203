/** The properties of what programs do with the client: a valid history, and one for each way to break it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type {
  Checker,
  CounterRecord,
  HistoryRecord,
  JobRecord,
  LockRecord,
  PublishedRecord,
  ReadingRecord,
} from '../history/index.ts'
import { counters, lockExclusion, queues, revisionOrder, staleness, uniqueIds, watches } from './index.ts'

function assertValid(checker: Checker, history: readonly HistoryRecord[]): void {
  const verdict = checker.check(history)
  assert.equal(verdict.verdict, 'valid', JSON.stringify(verdict))
}

function assertBroken(checker: Checker, history: readonly HistoryRecord[], how: RegExp): void {
  const verdict = checker.check(history)
  assert(verdict.verdict === 'invalid', 'it is found out')
  assert.equal(verdict.property, checker.property)
  assert.match(verdict.explanation, how)
  assert(verdict.evidence.length > 0)
}

describe('counters', () => {
  const add = (
    client: string,
    n: number,
    value: number,
    invokedMs: number,
    returnedMs = invokedMs + 10,
  ): CounterRecord => ({
    type: 'counter',
    counter: 'c',
    client,
    op: 'add',
    n,
    value,
    invokedMs,
    returnedMs,
    outcome: 'ok',
  })
  const read = (value: number, invokedMs: number): CounterRecord => ({
    ...{ type: 'counter', counter: 'c', client: 'r', op: 'get', value },
    ...{ invokedMs, returnedMs: invokedMs + 5, outcome: 'ok' },
  })
  const open = (n: number, invokedMs: number): CounterRecord => ({
    type: 'counter',
    counter: 'c',
    client: 'u',
    op: 'add',
    n,
    invokedMs,
    outcome: 'unknown',
  })

  test('exact ones, with adds of unknown fate that were applied, or never', () => {
    assertValid(counters, [
      ...[add('a', 1, 1, 0), add('b', 2, 3, 0), read(3, 20), open(5, 20), add('a', 1, 9, 40), read(9, 60)],
      ...[open(100, 70), read(9, 80)],
    ])
  })

  test('bounded adds that were within, and some that were not', () => {
    assertValid(counters, [
      { ...add('a', 2, 2, 0), max: 3, applied: true },
      { ...add('b', 2, 2, 20), max: 3, applied: false },
    ])
    assertBroken(counters, [{ ...add('a', 2, 2, 0), max: 1, applied: true }], /bound was 1/)
    assertBroken(counters, [{ ...add('a', 2, 0, 0), max: 3, applied: false }], /bound was 3/)
  })

  test('an add that was applied twice', () => {
    assertBroken(counters, [add('a', 1, 1, 0), read(2, 20)], /twice/)
    // One of unknown fate that was sent only later explains nothing.
    assertBroken(counters, [add('a', 1, 1, 0), read(2, 20), open(1, 30)], /twice/)
  })

  test('an add that was lost', () => {
    assertBroken(counters, [add('a', 1, 1, 0), add('b', 1, 1, 5)], /lost/)
    assertBroken(counters, [add('a', 3, 3, 0), add('b', 2, 4, 5)], /lost/)
    assertBroken(counters, [add('a', 3, 2, 0)], /less than it added/)
  })

  test('a read that is older than what ended before it', () => {
    assertBroken(counters, [add('a', 1, 1, 0), read(0, 20)], /after/)
    assertValid(counters, [add('a', 1, 1, 0, 30), read(0, 20)])
  })
})

describe('near copies', () => {
  const published = (
    version: number,
    invokedMs: number,
    outcome: 'ok' | 'failed' | 'unknown' = 'ok',
  ): PublishedRecord => ({
    ...{ type: 'published', subject: 'x', publisher: 'p', version, invokedMs, outcome },
    ...(outcome === 'unknown' ? {} : { returnedMs: invokedMs + 10 }),
  })
  let sequence = 0
  const reading = (version: number, atMs: number, asOfMs: number): ReadingRecord => ({
    ...{ type: 'reading', subject: 'x', reader: 'r', sequence: sequence++ },
    ...{ atMs, asOfMs, versions: version === 0 ? {} : { p: version } },
  })

  test('that are as old as they say', () => {
    assertValid(staleness, [published(1, 0), published(2, 50, 'unknown'), reading(0, 20, 5), reading(2, 60, 40)])
  })

  test('that are older, newer than anything, or go back', () => {
    assertBroken(staleness, [published(1, 0), reading(0, 30, 20)], /as current since/)
    assertBroken(staleness, [published(1, 0, 'failed'), reading(1, 30, -1)], /nobody had published/)
    assertBroken(staleness, [published(1, 40), reading(1, 30, -1)], /nobody had published/)
    assertBroken(staleness, [published(1, 0), reading(1, 5, -1), reading(0, 6, -1)], /went back/)
  })
})

describe('queues', () => {
  const job = (what: JobRecord['what']): JobRecord => ({ type: 'job', queue: 'q', job: 'j', what })
  const added = (outcome: 'ok' | 'failed' | 'unknown' = 'ok') =>
    job({ event: 'added', invokedMs: 0, returnedMs: 5, outcome })
  const claimed = (token: number, atMs: number) => job({ event: 'claimed', worker: `w${token}`, token, atMs })
  const removed = (token: number, invokedMs: number, outcome: 'ok' | 'unknown' = 'ok') =>
    job({ event: 'removed', worker: `w${token}`, token, invokedMs, returnedMs: invokedMs + 5, outcome })
  const left = (...jobs: string[]) => ({ type: 'queueLeft', queue: 'q', jobs }) as const

  test('exact ones', () => {
    assertValid(queues, [added(), claimed(7, 10), claimed(9, 30), removed(9, 40), left()])
    assertValid(queues, [added(), left('j')])
    assertValid(queues, [added('unknown'), left()])
    assertValid(queues, [added(), claimed(7, 10), removed(7, 20, 'unknown'), left()])
  })

  test('a job that was lost, doubled, or is there although it was told not to be', () => {
    assertBroken(queues, [added(), claimed(7, 10), left()], /was lost/)
    assertBroken(queues, [added(), left('j', 'j')], /more than once/)
    assertBroken(queues, [added('failed'), claimed(7, 10)], /not added/)
  })

  test('a job that was removed twice, by the wrong worker, or not for good', () => {
    assertBroken(queues, [added(), claimed(7, 10), removed(7, 20), removed(7, 30), left()], /removed twice/)
    assertBroken(queues, [added(), claimed(7, 10), claimed(9, 20), removed(7, 30)], /given to another/)
    assertBroken(queues, [added(), claimed(7, 10), removed(7, 20), claimed(9, 30)], /given out again/)
    assertBroken(queues, [added(), claimed(7, 10), removed(7, 20), left('j')], /still there/)
  })
})

test('ids are made once, of one name', () => {
  const ids = (name: string, client: string, ...made: string[]) =>
    ({ type: 'ids', name, client, atMs: 0, ids: made }) as const
  assertValid(uniqueIds, [ids('a', 'x', '1', '2'), ids('a', 'y', '3'), ids('b', 'y', '1')])
  assertBroken(uniqueIds, [ids('a', 'x', '1', '2'), ids('a', 'y', '2')], /made 2 for x and for y/)
})

describe('readers beside writers', () => {
  const held = (holder: string, token: number, fromMs: number, untilMs: number, shared = false): LockRecord => ({
    ...{ type: 'lock', lock: 'rw', holder, token, fromMs, untilMs },
    ...(shared ? { shared } : {}),
  })

  test('together with one another, never with a writer', () => {
    const readers = [held('a', 5, 20, 50, true), held('b', 5, 30, 60, true)]
    assertValid(lockExclusion, [held('w', 5, 0, 20), ...readers, held('w', 9, 60, 70)])
    assertBroken(lockExclusion, [held('w', 5, 0, 25), ...readers], /beside a writer/)
    assertBroken(lockExclusion, [...readers, held('w', 9, 55, 70)], /beside a writer/)
  })

  test('know the last writer', () => {
    assertBroken(lockExclusion, [held('w', 5, 0, 10), held('a', 4, 20, 30, true)], /does not know/)
    assertBroken(lockExclusion, [held('a', 5, 0, 10, true), held('w', 5, 20, 30)], /from after it/)
  })
})

describe('writes that were not recorded', () => {
  const put = (key: string, revision: number, atMs: number): HistoryRecord => ({
    ...{ type: 'operation', client: 'c', invokedMs: atMs, returnedMs: atMs + 1, outcome: 'ok' },
    ...{ input: { op: 'put', key, value: 'v' }, output: { revision } },
  })
  const unrecorded = { type: 'unrecorded', key: 'synod/', end: 'synod0' } as const
  const seen = (key: string, revision: number): HistoryRecord[] => [
    {
      ...{ type: 'watch', watcher: 'w', sequence: 0, atMs: 0 },
      what: { event: 'created', key: 'a', end: 'z', startRevision: 1 },
    },
    {
      ...{ type: 'watch', watcher: 'w', sequence: 1, atMs: 50 },
      what: {
        event: 'events',
        revision,
        changes: [{ kind: 'put', key, value: 'x', modRevision: revision, createRevision: revision, version: 1 }],
      },
    },
  ]

  test('may have made what nobody claims, of their keys', () => {
    const history = [put('a', 2, 0), put('a', 5, 10)]
    assertBroken(revisionOrder, history, /claimed by nobody/)
    assertValid(revisionOrder, [unrecorded, ...history])
    assertValid(revisionOrder, [unrecorded, put('a', 2, 0), ...seen('synod/x', 3).slice(1)])
  })

  test('excuse nothing of other keys', () => {
    assertBroken(revisionOrder, [unrecorded, put('a', 2, 0), ...seen('b', 4)], /no operation can have/)
    assertBroken(watches, [unrecorded, put('a', 2, 0), ...seen('synod/x', 3)], /without having got/)
  })
})
