import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import { nodeSizeMax, OrderedIndex } from './ordered-index.ts'

/** An index beside a sorted array of its keys. A key's id is its place in `names`. */
class Pair {
  readonly names: string[] = []
  readonly live: boolean[] = []
  sorted: number[] = []
  readonly index = new OrderedIndex({
    isLive: (id) => this.live[id]!,
    key: (id) => this.names[id]!,
    compare: (id, key) => (this.names[id]! < key ? -1 : this.names[id]! > key ? 1 : 0),
  })

  /** Adds a key, or removes it when there. */
  toggle(key: string, live: boolean): void {
    const present = this.sorted.find((id) => this.names[id] === key)
    if (present !== undefined) {
      this.index.remove(key)
      this.sorted = this.sorted.filter((id) => id !== present)
      return
    }
    const id = this.names.push(key) - 1
    this.live.push(live)
    this.index.insert(key, id)
    const at = this.sorted.findIndex((each) => this.names[each]! > key)
    this.sorted.splice(at < 0 ? this.sorted.length : at, 0, id)
  }

  flip(key: string): void {
    const id = this.index.get(key)
    if (id < 0) return
    this.live[id] = !this.live[id]
    this.index.adjustLive(key, this.live[id] ? 1 : -1)
  }

  scan(start: string, end: string | undefined, max = Number.POSITIVE_INFINITY): number[] {
    const seen: number[] = []
    this.index.scan(start, end, (id) => seen.push(id) < max)
    return seen
  }

  check(probes: readonly string[]): void {
    assert.equal(this.index.size, this.sorted.length)
    assert.deepEqual(this.scan('', undefined), this.sorted)
    const liveOf = (ids: readonly number[]) => ids.filter((id) => this.live[id]).length
    assert.equal(this.index.liveCount, liveOf(this.sorted))
    for (const key of probes) {
      const before = this.sorted.filter((id) => this.names[id]! < key)
      assert.equal(this.index.liveBefore(key), liveOf(before))
      assert.deepEqual(this.scan('', key), before)
      assert.deepEqual(this.scan(key, undefined, 5), this.sorted.slice(before.length, before.length + 5))
      const there = this.sorted[before.length]
      assert.equal(this.index.get(key), there !== undefined && this.names[there] === key ? there : -1)
    }
  }
}

const anyKey = fc.uint8Array({ maxLength: 2 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const anyStep = fc.tuple(fc.constantFrom('toggle', 'toggle', 'flip'), anyKey, fc.boolean())

describe('OrderedIndex', () => {
  it('agrees with a sorted array after any insertions and removals', () => {
    fc.assert(
      fc.property(
        fc.array(anyStep, { maxLength: 400, size: 'max' }),
        fc.array(anyKey, { maxLength: 10 }),
        (steps, probes) => {
          const pair = new Pair()
          for (const [step, key, live] of steps) step === 'toggle' ? pair.toggle(key, live) : pair.flip(key)
          pair.check(probes)
        },
      ),
      { numRuns: 60 },
    )
  })

  for (const order of ['rising', 'falling', 'random'] as const) {
    it(`splits and merges over three levels, keys ${order}`, () => {
      const pair = new Pair()
      const count = nodeSizeMax * nodeSizeMax * 2
      const keys = Array.from({ length: count }, (_, i) => String(i).padStart(6, '0'))
      const prng = new Prng(order)
      if (order === 'falling') keys.reverse()
      if (order === 'random') keys.sort(() => prng.float() - 0.5)
      for (const key of keys) {
        pair.names.push(key)
        pair.live.push(true)
        pair.index.insert(key, pair.names.length - 1)
      }
      pair.sorted = pair.names.map((_, id) => id).sort((a, b) => (pair.names[a]! < pair.names[b]! ? -1 : 1))
      pair.check(['', '004000', '004000x', '9'])
      for (const [i, key] of keys.entries()) {
        if (i % 8 !== 0) pair.index.remove(key)
        if (i === count / 2) assert.equal(pair.index.liveCount, pair.scan('', undefined).length)
      }
      pair.sorted = pair.sorted.filter((id) => id % 8 === 0)
      pair.check(['', '004000', '007999'])
      for (const id of pair.sorted) pair.index.remove(pair.names[id]!)
      pair.sorted = []
      pair.check(['', 'a'])
      pair.toggle('again', true)
      pair.check(['again'])
    })
  }
})
