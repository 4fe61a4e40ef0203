import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WatchHub } from './hub.ts'
import type { WatchStream } from './stream.ts'
import { FakeLoop } from './testing/fake-loop.ts'
import { FakeStore } from './testing/fake-store.ts'
import { MemoryStoreState } from './testing/memory-store-state.ts'
import type { WatchHubOptions } from './types.ts'

/** What a watcher was given, checked against the list of all changes at the end. */
interface Seen {
  readonly key: string
  readonly end: string | undefined
  readonly noPut: boolean
  readonly from: number
  readonly events: string[]
  upTo: number
  compactedAt: number | undefined
  cancelled: boolean
}

const key = fc.constantFrom('a', 'b', 'ba', 'c')
const end = fc.constantFrom(undefined, 'b', 'bb', 'd', '\0')
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      keys: fc.uniqueArray(key, { minLength: 1 }),
      put: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('watch' as const),
      key,
      end,
      back: fc.nat(12),
      ahead: fc.boolean(),
      noPut: fc.boolean(),
      stream: fc.nat(2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('turn' as const), ms: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fill' as const), stream: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drain' as const), stream: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const), back: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('progress' as const), stream: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), keys: fc.uniqueArray(key) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

class World {
  private readonly loop = new FakeLoop()
  private readonly store: FakeStore
  private readonly hub: WatchHub
  private readonly seen: Seen[][] = [[], [], []]
  private readonly full = [false, false, false]
  private readonly streams: WatchStream[]

  constructor(store: FakeStore, limits: Partial<WatchHubOptions>) {
    this.store = store
    this.hub = new WatchHub({ ...this.loop, random: this.loop.random, state: this.store.asState() }, limits)
    this.streams = [0, 1, 2].map((index) => this.open(index))
  }

  run(step: Step): void {
    switch (step.do) {
      case 'commit':
        this.store.commit(step.keys.map((key) => [key, step.put ? 'value' : undefined]))
        break
      case 'watch':
        this.watch(step)
        break
      case 'turn':
        this.loop.advance(step.ms)
        break
      case 'fill':
        this.full[step.stream] = true
        break
      case 'drain':
        this.drain(step.stream)
        break
      case 'compact': {
        const at = this.store.revision - step.back
        if (at <= this.store.compactedRevision) break
        this.store.compact(at)
        break
      }
      case 'cancel': {
        const stream = step.which % 3
        const seen = this.seen[stream]?.[step.which]
        if (seen !== undefined && this.streams[stream]?.cancel(BigInt(step.which))) seen.cancelled = true
        break
      }
      case 'progress':
        this.streams[step.stream]?.requestProgress()
        break
      case 'restore':
        this.store.restore(step.keys.map((key) => [key, 'restored']))
        break
    }
  }

  /** Lets everyone read to the end, then compares with the naive answer. */
  finish(): void {
    for (const index of [0, 1, 2]) this.drain(index)
    this.loop.advance(10_000)
    for (const seen of this.seen.flat()) this.check(seen)
    assert.equal(this.hub.stats.slowWatchers, 0)
    assert.equal(
      this.hub.stats.watchers,
      this.seen.flat().filter((one) => !one.cancelled && one.compactedAt === undefined).length,
    )
  }

  private open(index: number): WatchStream {
    return this.hub.openStream({
      events: (delivery) => {
        const seen = this.seen[index]?.[Number(delivery.watchId)] as Seen
        assert.ok(!this.streams[index]?.full, 'nothing comes while the stream is full')
        assert.ok(!seen.cancelled && seen.compactedAt === undefined, 'nothing comes after the end')
        for (const event of delivery.events) {
          assert.ok(
            event.modRevision > seen.upTo && event.modRevision <= delivery.revision,
            'each revision once, whole',
          )
          seen.events.push(`${event.tombstone ? '-' : '+'}${event.key}@${event.modRevision}`)
        }
        seen.upTo = delivery.revision
        return !this.full[index]
      },
      progress: (watchId, revision) => {
        assert.equal(watchId, undefined)
        for (const seen of this.seen[index] ?? []) {
          if (seen.cancelled || seen.compactedAt !== undefined) continue
          assert.deepEqual(seen.events, this.expected(seen, revision), 'progress means that nothing is outstanding')
        }
      },
      compacted: (watchId, revision) => {
        const seen = this.seen[index]?.[Number(watchId)] as Seen
        assert.ok(seen.upTo + 1 < revision, 'only who needs what is gone')
        seen.compactedAt = revision
      },
    })
  }

  private watch(step: Extract<Step, { do: 'watch' }>): void {
    const { revision } = this.store
    const startRevision = step.ahead ? revision + step.back : Math.max(0, revision - step.back)
    const { key, end, noPut } = step
    const outcome = this.streams[step.stream]?.create({
      range: { key, end },
      startRevision,
      watchId: 0n,
      progressNotify: false,
      noPut,
      noDelete: false,
    })
    if (outcome?.ok !== true) {
      assert.ok(end !== undefined && end !== '\0' && key >= end)
      return
    }
    const from = startRevision === 0 ? revision + 1 : startRevision
    const mine = this.seen[step.stream] as Seen[]
    assert.equal(outcome.watchId, BigInt(mine.length))
    mine.push({ key, end, noPut, from, events: [], upTo: from - 1, compactedAt: undefined, cancelled: false })
  }

  private drain(index: number): void {
    this.full[index] = false
    this.streams[index]?.drained()
  }

  private expected(seen: Seen, upTo: number): string[] {
    const { key, end } = seen
    return this.store.log
      .filter((change) => change.modRevision >= seen.from && change.modRevision <= upTo)
      .filter((change) =>
        end === undefined ? change.key === key : change.key >= key && (end === '\0' || change.key < end),
      )
      .filter((change) => change.tombstone || !seen.noPut)
      .map((change) => `${change.tombstone ? '-' : '+'}${change.key}@${change.modRevision}`)
  }

  private check(seen: Seen): void {
    const expected = this.expected(seen, Number.POSITIVE_INFINITY)
    if (seen.cancelled || seen.compactedAt !== undefined)
      assert.deepEqual(seen.events, expected.slice(0, seen.events.length))
    else if (seen.from <= this.store.compactedRevision) {
      // At the compacted revision itself only what is live is left.
      assert.deepEqual(seen.events.slice(-expected.length), expected.slice(-seen.events.length))
    } else assert.deepEqual(seen.events, expected)
  }
}

const limits = fc.record({
  deliveryBytesMax: fc.constantFrom(1, 30, 1000),
  sliceChangesMax: fc.constantFrom(1, 3, 1000),
  sliceMatchesMax: fc.constantFrom(1, 5, 1000),
  sliceBytesMax: fc.constantFrom(1, 100, 10_000),
  turnBudgetMs: fc.constantFrom(0, 4),
})

for (const Store of [FakeStore, MemoryStoreState]) {
  test(`every watcher gets exactly what a list of all changes says (${Store.name})`, () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 60, size: 'max' }), (options, steps) => {
        const world = new World(new Store(), options)
        for (const one of steps) world.run(one)
        world.finish()
      }),
      { numRuns: 1000 },
    )
  })
}
