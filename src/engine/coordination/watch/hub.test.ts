import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WatchHub } from './hub.ts'
import type { WatchStream } from './stream.ts'
import { FakeLoop } from './testing/fake-loop.ts'
import { FakeStore } from './testing/fake-store.ts'
import type { CreateOutcome, WatchHubOptions, WatchRequest } from './types.ts'

function setUp(options: Partial<WatchHubOptions> = {}) {
  const loop = new FakeLoop()
  const store = new FakeStore()
  const hub = new WatchHub({ ...loop, random: loop.random, state: store.asState() }, options)
  const seen: string[] = []
  let accept = true
  const stream: WatchStream = hub.openStream({
    events(delivery) {
      const events = delivery.events.map((event) => `${event.tombstone ? '-' : '+'}${event.key}@${event.modRevision}`)
      seen.push(`${delivery.watchId}: ${events.join(' ')} (${delivery.revision})`)
      return accept
    },
    progress: (watchId, revision) => seen.push(`${watchId ?? 'all'}: progress (${revision})`),
    compacted: (watchId, compactRevision) => seen.push(`${watchId}: compacted (${compactRevision})`),
  })
  const commit = (...changes: [string, string | undefined][]): void => {
    store.commit(changes)
  }
  const take = (): string[] => {
    loop.advance(10)
    return seen.splice(0)
  }
  const watch = (request: Partial<WatchRequest> & { key: string; end?: string }): CreateOutcome =>
    stream.create({
      range: { key: request.key, end: request.end },
      startRevision: 0,
      watchId: 0n,
      progressNotify: false,
      noPut: false,
      noDelete: false,
      ...request,
    })
  return { loop, store, hub, stream, seen, commit, take, watch, setAccept: (value: boolean) => (accept = value) }
}

test('a watcher gets what comes after it, for its keys only', () => {
  const { commit, take, watch } = setUp()
  commit(['a', '1'])
  watch({ key: 'a' })
  watch({ key: 'a', end: 'c' })
  watch({ key: 'b', end: '\0' })
  assert.deepEqual(take(), [])
  commit(['a', '2'])
  commit(['z', '1'])
  assert.deepEqual(take(), ['0: +a@3 (4)', '1: +a@3 (4)', '2: +z@4 (4)'])
})

test('all changes of a revision come in one delivery, also when it is over every limit', () => {
  const { commit, take, watch } = setUp({ deliveryBytesMax: 1, sliceChangesMax: 1, sliceMatchesMax: 1 })
  commit(['a', '1'], ['b', '1'], ['c', '1'])
  commit(['a', '2'], ['b', undefined])
  watch({ key: 'a', end: 'z', startRevision: 2 })
  watch({ key: 'a', end: 'z', startRevision: 3 })
  commit(['a', '3'], ['b', '3'])
  const seen = take()
  assert.deepEqual(
    seen.filter((line) => line.startsWith('0')),
    ['0: +a@2 +b@2 +c@2 (2)', '0: +a@3 -b@3 (3)', '0: +a@4 +b@4 (4)'],
  )
  assert.deepEqual(
    seen.filter((line) => line.startsWith('1')),
    ['1: +a@3 -b@3 (3)', '1: +a@4 +b@4 (4)'],
  )
})

test('a start in the future waits for it', () => {
  const { commit, take, watch } = setUp()
  watch({ key: 'a', startRevision: 4 })
  commit(['a', '2'])
  commit(['a', '3'])
  assert.deepEqual(take(), [])
  commit(['a', '4'])
  assert.deepEqual(take(), ['0: +a@4 (4)'])
})

test('filters leave out puts or deletions, and an empty rest is not sent', () => {
  const { commit, take, watch } = setUp()
  watch({ key: 'a', noPut: true })
  watch({ key: 'a', noDelete: true })
  commit(['a', '2'])
  commit(['a', undefined])
  assert.deepEqual(take(), ['1: +a@2 (3)', '0: -a@3 (3)'])
})

test('ids: chosen by the client, or the next free one; a duplicate and an empty range are refused', () => {
  const { watch } = setUp({ watchersPerStreamMax: 4 })
  assert.deepEqual(watch({ key: 'a', watchId: 1n }), { ok: true, watchId: 1n })
  assert.deepEqual(watch({ key: 'a', watchId: 1n }), { ok: false, reason: 'duplicate-id' })
  assert.deepEqual(watch({ key: 'a' }), { ok: true, watchId: 0n })
  assert.deepEqual(watch({ key: 'a' }), { ok: true, watchId: 2n })
  assert.deepEqual(watch({ key: 'b', end: 'b' }), { ok: false, reason: 'empty-range' })
  assert.deepEqual(watch({ key: 'b', end: 'a' }), { ok: false, reason: 'empty-range' })
  assert.deepEqual(watch({ key: 'a', watchId: -7n }), { ok: true, watchId: -7n })
  assert.deepEqual(watch({ key: 'a' }), { ok: false, reason: 'too-many' })
})

test('a cancelled watcher gets nothing more', () => {
  const { commit, take, watch, stream, hub } = setUp()
  watch({ key: 'a' })
  commit(['a', '2'])
  assert.equal(stream.cancel(0n), true)
  assert.equal(stream.cancel(0n), false)
  assert.deepEqual(take(), [])
  assert.equal(hub.stats.watchers, 0)
})

test('a start below the compaction is told so; a change is never lost to one that comes in the same turn', () => {
  const { commit, take, watch, store, hub } = setUp()
  watch({ key: 'a' })
  commit(['a', '2'])
  commit(['a', '3'])
  commit(['a', '4'])
  store.compact(4)
  watch({ key: 'a', startRevision: 3 })
  watch({ key: 'a', startRevision: 4 })
  assert.deepEqual(take(), ['0: +a@2 +a@3 +a@4 (4)', '1: compacted (4)', '2: +a@4 (4)'])
  assert.equal(hub.stats.watchers, 2)
})

test('a full stream is parked, reads nothing meanwhile, and goes on where it was', () => {
  const { commit, take, watch, stream, hub, store, setAccept } = setUp()
  watch({ key: 'a' })
  watch({ key: 'a', end: 'b' })
  setAccept(false)
  commit(['a', '2'])
  assert.deepEqual(take(), ['0: +a@2 (2)'])
  assert.deepEqual(hub.stats, { streams: 1, watchers: 2, slowWatchers: 1, eventsTotal: 1 })
  for (let i = 3; i <= 50; i++) commit(['a', String(i)], ['x', String(i)])
  assert.deepEqual(take(), [])
  const { reads } = store
  assert.equal(hub.stats.slowWatchers, 2)
  assert.deepEqual(take(), [])
  assert.equal(store.reads, reads, 'a parked watcher costs nothing')
  setAccept(true)
  stream.drained()
  const [first = '', second = ''] = take()
  assert.match(first, /^1: \+a@2 \+a@3 .*\+a@50 \(50\)$/)
  assert.match(second, /^0: \+a@3 \+a@4 .*\+a@50 \(50\)$/)
  assert.equal(hub.stats.slowWatchers, 0)
  commit(['a', '51'])
  assert.equal(take().length, 2)
})

test('a parked watcher whose history was compacted is told when it reads again', () => {
  const { commit, take, watch, stream, store, setAccept } = setUp()
  watch({ key: 'a' })
  setAccept(false)
  for (let i = 2; i <= 9; i++) {
    commit(['a', String(i)])
    take()
  }
  store.compact(8)
  assert.deepEqual(take(), [])
  stream.drained()
  assert.deepEqual(take(), ['0: compacted (8)'])
})

test('progress on request: once for the stream, and only when all its watchers are current', () => {
  const { commit, take, watch, stream, setAccept } = setUp()
  stream.requestProgress()
  assert.deepEqual(take(), [], 'no watchers, no answer')
  watch({ key: 'a' })
  watch({ key: 'b' })
  commit(['c', '2'])
  stream.requestProgress()
  assert.deepEqual(take(), ['all: progress (2)'])
  watch({ key: 'a', startRevision: 9 })
  stream.requestProgress()
  assert.deepEqual(take(), [], 'one starts in the future')
  stream.cancel(2n)
  watch({ key: 'c', startRevision: 1 })
  stream.requestProgress()
  assert.deepEqual(take(), ['3: +c@2 (2)'], 'one was behind')
  setAccept(false)
  commit(['a', '3'])
  stream.requestProgress()
  assert.deepEqual(take(), ['0: +a@3 (3)'], 'the stream is full')
})

test('progress by itself: every interval, unless an event said where the watcher is', () => {
  const { loop, commit, take, watch, stream } = setUp({ progressIntervalMs: 1000 })
  watch({ key: 'a', progressNotify: true })
  watch({ key: 'b' })
  loop.advance(1150)
  assert.deepEqual(take(), ['0: progress (1)'])
  commit(['a', '2'])
  loop.advance(1100)
  assert.deepEqual(take(), ['0: +a@2 (2)'])
  loop.advance(1100)
  assert.deepEqual(take(), ['0: progress (2)'])
  stream.close()
  loop.advance(5000)
  assert.deepEqual(take(), [])
})

test('new starts at the beginning do not starve a watcher further on', () => {
  const { commit, loop, watch, seen } = setUp({ sliceChangesMax: 10, turnBudgetMs: 0 })
  for (let i = 2; i <= 400; i++) commit([`k${i}`, '1'])
  watch({ key: 'k390', startRevision: 200 })
  for (let i = 0; i < 100 && !seen.some((line) => line.startsWith('0:')); i++) {
    watch({ key: 'nobody', startRevision: 1 })
    loop.advance(1)
  }
  assert.ok(seen.some((line) => line.startsWith('0: +k390@390')))
})

test('a restored store: watchers read on from where they were', () => {
  const { loop, store, commit, take, watch } = setUp()
  watch({ key: 'a' })
  watch({ key: 'a', startRevision: 100 })
  commit(['a', '2'])
  assert.deepEqual(take(), ['0: +a@2 (2)'])
  store.restore([
    ['a', '3'],
    ['b', '3'],
  ])
  loop.turn()
  assert.deepEqual(take(), ['0: +a@3 (3)'])
  commit(['a', '4'])
  assert.deepEqual(take(), ['0: +a@4 (4)'])
})
