import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hashKey, KeyDirectory } from './key-directory.ts'

/** Runs toggles of keys on a directory and a Map; keys are numbers, `hash` is given. */
function agree(
  toggles: readonly number[],
  hash: (key: number) => number,
): { directory: KeyDirectory; ids: Map<number, number> } {
  const names: number[] = []
  const ids = new Map<number, number>()
  const directory = new KeyDirectory((id, key) => String(names[id]) === key)
  for (const key of toggles) {
    const id = ids.get(key)
    if (id !== undefined) {
      directory.remove(hash(key), id)
      ids.delete(key)
    } else {
      ids.set(key, names.push(key) - 1)
      directory.insert(hash(key), names.length - 1)
    }
  }
  return { directory, ids }
}

describe('KeyDirectory', () => {
  it('agrees with a Map, also where hashes collide', () => {
    const anyToggles = fc.array(fc.nat(60), { maxLength: 600, size: 'max' })
    fc.assert(
      fc.property(anyToggles, fc.constantFrom(0, 0x3f, 0xffff_ffff), (toggles, mask) => {
        const hash = (key: number) => (hashKey(String(key), 1) & mask) | 0
        const { directory, ids } = agree(toggles, hash)
        for (let key = 0; key <= 60; key++) assert.equal(directory.find(hash(key), String(key)), ids.get(key) ?? -1)
      }),
      { numRuns: 100 },
    )
  })

  it('splits segments as keys come, and finds all of them', () => {
    const hash = (key: number) => hashKey(String(key), 7)
    const { directory, ids } = agree(
      Array.from({ length: 50_000 }, (_, i) => i),
      hash,
    )
    for (let key = 0; key < 50_000; key++) assert.equal(directory.find(hash(key), String(key)), ids.get(key))
    for (let key = 50_000; key < 51_000; key++) assert.equal(directory.find(hash(key), String(key)), -1)
    assert.ok(directory.sizeBytes / 50_000 < 20, `${directory.sizeBytes / 50_000} bytes a key`)
  })

  it('splits one corner deep, then the rest', () => {
    const hash = (key: number) => (key < 5000 ? (hashKey(String(key), 7) >>> 7) | 0 : hashKey(String(key), 7))
    const { directory, ids } = agree(
      Array.from({ length: 20_000 }, (_, i) => i),
      hash,
    )
    for (let key = 0; key < 20_000; key++) assert.equal(directory.find(hash(key), String(key)), ids.get(key))
  })

  it('says that it does not know when too many hashes agree', () => {
    const { directory } = agree(
      Array.from({ length: 1000 }, (_, i) => i),
      () => 5,
    )
    assert.equal(directory.find(5, '0'), 0)
    assert.equal(directory.find(5, '999'), -2)
    assert.equal(directory.find(6, 'other'), -2)
    assert.equal(directory.find(0x7000_0000, 'elsewhere'), -1)
    directory.remove(5, 999)
    directory.remove(5, 0)
    assert.equal(directory.find(5, '0'), -2)
  })
})
