/** Each property but linearizability: a valid history, and every way in which it can be broken. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HistoryRecord, LeaseRecord, LockRecord, WatchChange, WatchRecord } from '../history/index.ts'
import { allCheckers, checkHistory } from './all-checkers.ts'

function verdictOf(property: string, history: readonly HistoryRecord[]): string {
  const checker = allCheckers.find((each) => each.property === property)
  assert.ok(checker, `no checker called ${property}`)
  const verdict = checker.check(history)
  if (verdict.verdict === 'invalid') {
    assert.equal(verdict.property, property)
    assert.ok(verdict.explanation.length > 20)
    assert.ok(verdict.evidence.length > 0)
  }
  return verdict.verdict
}

function holds(property: string, history: readonly HistoryRecord[]): void {
  assert.equal(verdictOf(property, history), 'valid')
}

function broken(property: string, history: readonly HistoryRecord[]): void {
  assert.equal(verdictOf(property, history), 'invalid')
}

describe('locks', () => {
  const held = (holder: string, token: number, fromMs: number, untilMs?: number): LockRecord => ({
    type: 'lock',
    lock: 'l',
    holder,
    token,
    fromMs,
    ...(untilMs === undefined ? {} : { untilMs }),
  })

  test('one holder after the other', () => {
    holds('lock-exclusion', [held('b', 2, 10, 20), held('a', 1, 0, 10), held('a', 3, 20)])
  })

  test('two holders at a time', () => {
    broken('lock-exclusion', [held('a', 1, 0, 10), held('b', 2, 9, 20)])
    broken('lock-exclusion', [held('a', 1, 0), held('b', 2, 1000, 1001)])
    // The long one is not the neighbour in time.
    broken('lock-exclusion', [held('a', 1, 0, 100), held('a', 2, 10, 20), held('b', 3, 50, 60)])
    broken('lock-exclusion', [
      held('b', 1, 0, 100),
      held('a', 2, 100, 300),
      held('a', 3, 150, 160),
      held('b', 4, 250, 260),
    ])
  })

  test('overlap is allowed to a clock outside the bound, and between locks', () => {
    holds('lock-exclusion', [held('a', 1, 0, 10), { ...held('b', 2, 5, 20), outsideBound: true }])
    holds('lock-exclusion', [held('a', 1, 0, 10), { ...held('b', 2, 5, 20), lock: 'other' }])
  })

  test('tokens rise and are given once', () => {
    broken('lock-exclusion', [held('a', 2, 0, 10), held('b', 1, 10, 20)])
    broken('lock-exclusion', [held('a', 1, 0, 10), held('b', 1, 10, 20)])
  })

  test('a fenced resource never goes back', () => {
    const fence = (sequence: number, token: number, accepted = true) =>
      ({ type: 'fence', resource: 'r', sequence, token, accepted }) as const
    holds('fencing', [fence(3, 7), fence(1, 5), fence(2, 5), fence(4, 6, false)])
    broken('fencing', [fence(1, 5), fence(2, 7), fence(3, 6)])
  })
})

describe('nodes', () => {
  test('equal states at equal indexes', () => {
    const hash = (node: string, at: number, text: string) => ({ type: 'stateHash', node, at, hash: text }) as const
    holds('state-hash', [hash('a', 1, 'x'), hash('b', 1, 'x'), hash('a', 2, 'y'), hash('b', 3, 'z')])
    broken('state-hash', [hash('a', 1, 'x'), hash('b', 2, 'x'), hash('b', 1, 'y')])
  })

  test('committed entries never change, on no node and in no life', () => {
    const applied = (node: string, index: number, term: number, hash: string) =>
      ({ type: 'applied', node, index, term, hash }) as const
    holds('committed-entries', [applied('a', 1, 1, 'x'), applied('b', 1, 2, 'x'), applied('a', 1, 1, 'x')])
    broken('committed-entries', [applied('a', 1, 1, 'x'), applied('a', 2, 1, 'y'), applied('a', 2, 1, 'z')])
  })

  test('one leader a term', () => {
    const leads = (term: number, node: string) => ({ type: 'leader', term, node, atMs: term }) as const
    holds('one-leader', [leads(1, 'a'), leads(2, 'b'), leads(1, 'a')])
    broken('one-leader', [leads(1, 'a'), leads(2, 'b'), leads(1, 'b')])
  })
})

describe('leases', () => {
  let sequence = 0
  const lease = (what: LeaseRecord['what']): LeaseRecord => ({ type: 'lease', lease: '7', sequence: sequence++, what })
  const granted = lease({ event: 'granted', sentMs: 0, atMs: 2, ttlMs: 10 })
  const renewed = (sentMs: number) => lease({ event: 'renewed', sentMs, atMs: sentMs + 2, ttlMs: 10 })
  const gone = (atMs: number) => lease({ event: 'gone', atMs, revision: 9 })

  test('never gone before what is owed', () => {
    holds('lease', [granted, gone(10)])
    broken('lease', [granted, gone(9)])
    holds('lease', [granted, renewed(5), gone(15)])
    broken('lease', [granted, renewed(5), gone(14)])
    // Not yet answered, so not yet owed.
    holds('lease', [granted, renewed(9), gone(10)])
  })

  test('a client may end it', () => {
    holds('lease', [granted, lease({ event: 'revoked', sentMs: 4 }), gone(5)])
    broken('lease', [granted, lease({ event: 'revoked', sentMs: 6 }), gone(5)])
  })

  test('it does not come back, but its id may be granted again', () => {
    broken('lease', [granted, gone(12), renewed(13)])
    holds('lease', [granted, gone(12), lease({ event: 'granted', sentMs: 13, atMs: 14, ttlMs: 10 }), gone(23)])
    broken('lease', [granted, gone(12), lease({ event: 'granted', sentMs: 13, atMs: 14, ttlMs: 10 }), gone(22)])
  })

  test('its keys go with it, and not before', () => {
    const attached = lease({ event: 'attached', key: 'k', revision: 5, atMs: 3 })
    const keys = (atMs: number, ...names: string[]) => lease({ event: 'keys', atMs, keys: names })
    holds('lease', [granted, attached, keys(5, 'k'), gone(12), keys(13)])
    broken('lease', [granted, attached, gone(12), keys(13, 'k')])
    broken('lease', [granted, attached, keys(5), gone(12)])
    const deletion: HistoryRecord = {
      type: 'operation',
      client: 'c',
      invokedMs: 3,
      returnedMs: 4,
      outcome: 'ok',
      input: { op: 'delete', key: 'k' },
      output: { deleted: 1, revision: 6 },
    }
    holds('lease', [granted, attached, deletion, keys(5), gone(12)])
    const read = (revision: number): HistoryRecord => ({
      ...deletion,
      input: { op: 'get', key: 'k' },
      output: { revision, entries: [{ key: 'k', value: '', modRevision: 5 }] },
    })
    holds('lease', [granted, attached, gone(12), read(8)])
    broken('lease', [granted, attached, gone(12), read(9)])
  })
})

describe('watches', () => {
  const put = (key: string, revision: number, value = `v${revision}`): HistoryRecord => ({
    type: 'operation',
    client: 'w',
    invokedMs: revision * 10,
    returnedMs: revision * 10 + 5,
    outcome: 'ok',
    input: { op: 'put', key, value },
    output: { revision },
  })
  const change = (key: string, revision: number, version: number, createRevision: number): WatchChange => ({
    kind: 'put',
    key,
    value: `v${revision}`,
    modRevision: revision,
    createRevision,
    version,
  })
  const both: HistoryRecord = {
    type: 'operation',
    client: 'w',
    invokedMs: 40,
    returnedMs: 45,
    outcome: 'ok',
    input: {
      op: 'txn',
      compares: [],
      success: [
        { op: 'put', key: 'a', value: 'v4' },
        { op: 'put', key: 'b', value: 'v4' },
      ],
      failure: [],
    },
    output: { succeeded: true, revision: 4 },
  }
  const writes = [put('a', 2), put('x', 3), both, put('a', 5)]
  const [a2, a4, b4, a5] = [change('a', 2, 1, 2), change('a', 4, 2, 2), change('b', 4, 1, 4), change('a', 5, 3, 2)]

  function watch(...messages: WatchRecord['what'][]): HistoryRecord[] {
    const records = messages.map(
      (what, sequence): WatchRecord => ({ type: 'watch', watcher: '1', sequence, atMs: 1000 + sequence, what }),
    )
    return [...writes, ...records]
  }
  const created = (startRevision: number) => ({ event: 'created', key: 'a', end: 'c', startRevision }) as const
  const events = (...changes: WatchChange[]) => ({ event: 'events', revision: 5, changes }) as const
  const closed = { event: 'closed' } as const

  test('all changes in order, in as many messages as there are revisions, or fewer', () => {
    holds('watch', watch(created(2), events(a2), events(a4, b4), events(a5)))
    holds('watch', watch(created(2), events(a2, a4, b4, a5), { event: 'progress', revision: 5 }))
    holds('watch', watch(created(2), events(a2)))
    holds('watch', watch(created(5), events(a5)))
  })

  test('something is left out', () => {
    broken('watch', watch(created(2), events(a2), events(a5)))
    broken('watch', watch(created(2), events(a4, b4)))
    broken('watch', watch(created(2), events(a2), { event: 'progress', revision: 4 }))
  })

  test('something comes twice or backwards', () => {
    broken('watch', watch(created(2), events(a2), events(a2)))
    broken('watch', watch(created(2), events(a2, a2)))
    broken('watch', watch(created(2), events(a2), events(a5, a4, b4)))
    broken('watch', watch(created(4), events(a2)))
  })

  test('a revision comes in parts', () => {
    broken('watch', watch(created(2), events(a2), events(a4), events(b4)))
    broken('watch', watch(created(2), events(a2), events(a4), events(a5)))
    holds('watch', watch(created(2), events(a2), { ...events(a4), fragment: true }, events(b4), events(a5)))
    broken('watch', watch(created(2), events(a2), { ...events(a4), fragment: true }, events(a5)))
  })

  test('it is resumed where it stood', () => {
    holds('watch', watch(created(2), events(a2), closed, created(3), events(a4, b4)))
    broken('watch', watch(created(2), events(a2), closed, created(5), events(a5)))
    broken('watch', watch(created(2), events(a2), { ...events(a4), fragment: true }, closed, created(5), events(a5)))
    holds('watch', watch(created(2), { event: 'compacted', compactRevision: 5 }, created(5), events(a5)))
    broken('watch', watch(created(2), closed, events(a2)))
  })

  test('something is invented', () => {
    broken('watch', watch(created(2), events({ ...a2, value: 'other' })))
    broken('watch', watch(created(2), events({ ...a2, kind: 'delete', value: '' })))
    broken('watch', watch(created(2), events(a2, change('b', 3, 1, 3))))
    broken('watch', watch(created(2), events(a2, change('x', 3, 1, 3))))
    broken('watch', watch(created(2), events({ ...a2, version: 2 })))
    broken('watch', watch(created(2), events(a2, a4, b4, { ...a5, createRevision: 4 })))
    broken('watch', watch(created(2), { ...events(a2), revision: 1 }))
    assert.equal(checkHistory(watch(created(2), events(a2, a4, b4, a5, change('a', 6, 4, 2)))).overall, 'invalid')
  })
})

describe('serializable reads', () => {
  const put = (revision: number): HistoryRecord => ({
    type: 'operation',
    client: 'w',
    invokedMs: revision * 10,
    returnedMs: revision * 10 + 5,
    outcome: 'ok',
    input: { op: 'put', key: 'a', value: `v${revision}` },
    output: { revision },
  })
  const read = (atMs: number, revision: number | undefined, value?: string): HistoryRecord => ({
    type: 'operation',
    client: 'r',
    invokedMs: atMs,
    returnedMs: atMs + 1,
    outcome: 'ok',
    serializable: true,
    input: { op: 'get', key: 'a' },
    output: {
      ...(revision === undefined ? {} : { revision }),
      entries: value === undefined ? [] : [{ key: 'a', value }],
    },
  })
  const writes = [put(2), put(3)]

  test('any state of the past, even one older than seen before', () => {
    const history = [...writes, read(100, 3, 'v3'), read(110, 2, 'v2'), read(120, 1)]
    assert.equal(checkHistory(history).overall, 'valid')
  })

  test('no state of the past', () => {
    broken('serializable-reads', [...writes, read(100, 3, 'v2')])
    broken('serializable-reads', [...writes, read(100, 2)])
    broken('serializable-reads', [...writes, read(100, undefined, 'v9')])
  })

  test('a state of the future', () => {
    broken('serializable-reads', [...writes, read(22, 3, 'v3')])
    broken('serializable-reads', [...writes, read(22, undefined, 'v3')])
  })
})
