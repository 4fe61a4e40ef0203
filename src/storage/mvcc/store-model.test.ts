import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../../base/index.ts'
import { MemoryStore } from './memory-store.ts'
import { NaiveStore } from './naive-store.ts'
import { MemoryStoreLoader } from './snapshot-loader.ts'
import type { KeyRange, MvccStore, RangeCursor, RecordRef, StoreSnapshot } from './store.ts'
import { hashOf, reclaimAll } from './store-contract.ts'

/**
 * Random histories on the store and on its naive twin side by side. Everything that can be observed is compared after
 * every few steps; cursors, snapshots and hash jobs stay open over writes and compactions, and must show their own
 * moment.
 */

const keyPool = [
  '',
  '\0',
  '\0\0',
  'a',
  'a\0',
  'aa',
  'ab',
  'b',
  'k1',
  'k2',
  'k3',
  'é',
  '\x80',
  '\xc3\x28',
  '\xff',
  '\xff\xff',
]
const longKey = 'long/'.repeat(40)

const anyKey = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...keyPool, longKey) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString('latin1')) },
)
const anyRange: fc.Arbitrary<KeyRange> = fc.record({
  key: anyKey,
  end: fc.oneof(fc.constant(undefined), fc.constant('\0'), anyKey),
})
const anyLease = fc.oneof(
  fc.constant(0n),
  fc.constantFrom(1n, 2n ** 53n + 1n, 2n ** 63n, -1n),
  fc.bigInt(0n, 2n ** 64n),
)
const anyValue = fc.record({ fill: fc.nat(255), length: fc.constantFrom(0, 1, 6, 200, 5000) })

type Change = { put: string; value: { fill: number; length: number }; lease: bigint } | { delete: KeyRange }
const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ put: anyKey, value: anyValue, lease: anyLease }) },
  { weight: 2, arbitrary: fc.record({ delete: anyRange }) },
  { weight: 2, arbitrary: fc.record({ delete: anyKey.map((key) => ({ key, end: undefined })) }) },
)

/** `at` is a place between the compacted and the newest revision, as a fraction. */
type Step =
  | { kind: 'write'; changes: Change[] }
  | { kind: 'compact' | 'hash'; at: number }
  | { kind: 'reclaim'; slices: number }
  | { kind: 'cursor'; range: KeyRange; at: number }
  | { kind: 'advance'; max: number }
  | { kind: 'snapshot' | 'restart' | 'close' | 'compare' }
const at = fc.double({ min: 0, max: 1, noNaN: true })
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('write'), changes: fc.array(anyChange, { minLength: 1, maxLength: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('compact', 'hash'), at }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reclaim'), slices: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cursor'), range: anyRange, at }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance'), max: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('snapshot', 'restart', 'close', 'compare') }) },
) as fc.Arbitrary<Step>

function digest(bytes: Uint8Array): string {
  return bytes.length < 300 ? Buffer.from(bytes).toString('hex') : `${bytes.length} bytes, ${crc32c(bytes)}`
}

/** Enough of a record to tell it from every other. */
function describeRecord(store: MvccStore, ref: RecordRef): unknown {
  if (ref < 0) return undefined
  const encoded = digest(store.encoded(ref))
  const value = digest(store.value(ref))
  const target = Buffer.alloc(store.encodedLength(ref, true))
  assert.equal(store.copyEncoded(ref, target, 0, true), target.length)
  const { key, createRevision, modRevision, subRevision, version, lease, tombstone } = store.fields(ref)
  assert.deepEqual([store.key(ref), store.modRevision(ref), store.version(ref)], [key, modRevision, version])
  const bare = target.toString('hex')
  return {
    encoded: tombstone ? key : encoded,
    bare: tombstone ? '' : bare,
    value,
    createRevision,
    modRevision,
    subRevision,
    lease,
    tombstone,
  }
}

function describeRecords(store: MvccStore, refs: readonly RecordRef[]): unknown[] {
  return refs.map((ref) => describeRecord(store, ref))
}

/** Everything that can be asked of a store. */
function observe(store: MvccStore): unknown {
  const { revision, compactedRevision, keyCount } = store
  const from = Math.max(compactedRevision, 1)
  const moments = [...new Set([from, from + 1, Math.floor((from + revision) / 2), revision])].filter(
    (m) => m <= revision,
  )
  const atMoment = (moment: number) => [
    keyPool.map((key) => describeRecord(store, store.get(key, moment))),
    [
      { key: '', end: '\0' },
      { key: 'a', end: 'b' },
      { key: 'a\0', end: '\x80' },
    ].map((range) => [
      describeRecords(store, store.range(range, moment, 0, false).refs),
      store.range(range, moment, 2, false).refs.length,
      store.range(range, moment, 1, false).count,
      store.range(range, moment, 0, true).count,
    ]),
    hashOf(store, moment),
  ]
  const changes: unknown[] = []
  for (let next = from; next <= revision; ) {
    const { refs, nextRevision } = store.changes(next, 3)
    assert.ok(nextRevision > next)
    changes.push(
      next,
      describeRecords(store, refs),
      describeRecords(
        store,
        refs.map((ref) => store.previous(ref)),
      ),
    )
    next = nextRevision
  }
  return { revision, compactedRevision, keyCount, now: atMoment(0), moments: moments.map(atMoment), changes }
}

class World {
  private store: MvccStore = new MemoryStore()
  private readonly twin = new NaiveStore()
  private cursors: { real: RangeCursor; naive: unknown[]; seen: unknown[] }[] = []
  private snapshots: { real: StoreSnapshot; naive: NaiveStore; chunks: Uint8Array[] }[] = []
  private hashes: { step: () => number | undefined; close: () => void; expected: number }[] = []

  run(step: Step): void {
    if (step.kind === 'write') this.write(step.changes)
    else if (step.kind === 'compact') this.compact(this.moment(step.at))
    else if (step.kind === 'hash') this.openHash(this.moment(step.at))
    else if (step.kind === 'reclaim') for (let i = 0; i < step.slices; i++) this.store.reclaim(0, () => 0)
    else if (step.kind === 'cursor') this.openCursor(step.range, this.moment(step.at))
    else if (step.kind === 'advance') this.advance(step.max)
    else if (step.kind === 'snapshot')
      this.snapshots.push({ real: this.store.snapshot(), naive: this.twin.clone(), chunks: [] })
    else if (step.kind === 'restart') this.restart()
    else if (step.kind === 'close') this.closeAll()
    else this.compare()
  }

  compare(): void {
    assert.deepEqual(observe(this.store), observe(this.twin))
  }

  closeAll(): void {
    for (let i = 0; i < 10_000 && this.cursors.length + this.snapshots.length + this.hashes.length > 0; i++)
      this.advance(2)
    assert.deepEqual([this.cursors, this.snapshots, this.hashes], [[], [], []])
    reclaimAll(this.store)
    this.compare()
  }

  private moment(fraction: number): number {
    const from = Math.max(1, this.twin.compactedRevision)
    return from + Math.floor(fraction * (this.twin.revision - from))
  }

  private write(changes: readonly Change[]): void {
    const outcome = (store: MvccStore) =>
      store.write((transaction) =>
        changes.map((change) => {
          if ('put' in change)
            return describeRecord(
              store,
              transaction.put(change.put, Buffer.alloc(change.value.length, change.value.fill), change.lease),
            )
          const deleted = describeRecords(store, transaction.delete(change.delete))
          return [deleted, describeRecords(store, store.range(change.delete, 0, 0, false).refs)]
        }),
      )
    assert.deepEqual(outcome(this.store), outcome(this.twin))
  }

  private compact(revision: number): void {
    if (revision <= this.twin.compactedRevision) return
    this.store.compact(revision)
    this.twin.compact(revision)
  }

  private openCursor(range: KeyRange, revision: number): void {
    const naive = describeRecords(this.twin, this.twin.range(range, revision, 0, false).refs)
    this.cursors.push({ real: this.store.cursor(range, revision), naive, seen: [] })
  }

  private openHash(revision: number): void {
    const job = this.store.hash(revision)
    this.hashes.push({ step: () => job.step(2), close: () => job.close(), expected: hashOf(this.twin, revision) })
  }

  /** Moves every open cursor, snapshot and hash on a little; checks and closes those that end. */
  private advance(max: number): void {
    this.cursors = this.cursors.filter((cursor) => {
      const refs: RecordRef[] = []
      const more = cursor.real.next(max, refs)
      assert.ok(refs.length <= max)
      cursor.seen.push(...describeRecords(this.store, refs))
      if (more) return true
      cursor.real.close()
      assert.deepEqual(cursor.seen, cursor.naive)
      return false
    })
    this.hashes = this.hashes.filter((job) => {
      const hash = job.step()
      if (hash === undefined) return true
      assert.equal(hash, job.expected)
      job.close()
      return false
    })
    this.snapshots = this.snapshots.filter((snapshot) => {
      const chunk = snapshot.real.next(1)
      if (chunk !== undefined) snapshot.chunks.push(chunk)
      else {
        snapshot.real.close()
        assert.deepEqual(observe(load(snapshot.chunks)), observe(snapshot.naive))
      }
      return chunk !== undefined
    })
  }

  /** Goes on with a store loaded from an image of this one. */
  private restart(): void {
    this.closeAll()
    const snapshot = this.store.snapshot()
    const chunks: Uint8Array[] = []
    for (let chunk = snapshot.next(1); chunk !== undefined; chunk = snapshot.next(1)) chunks.push(chunk)
    snapshot.close()
    this.store = load(chunks)
    this.compare()
  }
}

/** Loads an image cut into pieces of odd lengths, from one buffer that is used again. */
function load(chunks: readonly Uint8Array[]): MvccStore {
  const loader = new MemoryStoreLoader()
  const image = Buffer.concat(chunks)
  const piece = new Uint8Array(997)
  for (let offset = 0, length = 1; offset < image.length; offset += length, length = (length * 7) % 997) {
    const part = image.subarray(offset, offset + length)
    piece.set(part)
    loader.write(piece.subarray(0, part.length))
    piece.fill(0xee)
  }
  return loader.finish()
}

describe('MemoryStore against its naive twin', () => {
  it('agrees after any history', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { minLength: 1, maxLength: 60, size: 'max' }), (steps) => {
        const world = new World()
        for (const step of steps) world.run(step)
        world.closeAll()
      }),
      { numRuns: Number(process.env.SYNOD_MODEL_RUNS ?? 150) },
    )
  })
})
