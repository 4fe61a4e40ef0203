import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Arena } from './arena.ts'

describe('Arena', () => {
  it('walks its worked example', () => {
    const arena = new Arena()
    const places: number[][] = []
    for (let i = 0; i < 10; i++) {
      arena.reserve(300)
      places.push([arena.chunk, arena.offset])
    }
    assert.deepEqual(
      [places[0], places[1], places[9]],
      [
        [0, 0],
        [0, 300],
        [0, 2700],
      ],
    )
    for (let i = 0; i < 9; i++) arena.release(0, 300)
    assert.equal(arena.isSparse(0), false, 'the current chunk is never sparse')
    arena.reserve(65_000)
    assert.deepEqual([arena.chunk, arena.offset, arena.isSparse(0), arena.deadBytes(0)], [1, 0, true, 65_236])
    arena.release(0, 300)
    assert.deepEqual([arena.sizeBytes, arena.liveBytes], [256 * 1024, 65_000])
    arena.reserve(300_000)
    assert.equal(arena.chunk, 0, 'the number of the dropped chunk is free')
  })

  it('drops a chunk that was dead before it was full', () => {
    const arena = new Arena()
    arena.reserve(60_000)
    arena.release(arena.chunk, 60_000)
    assert.equal(arena.sizeBytes, 64 * 1024)
    arena.reserve(60_000)
    assert.equal(arena.sizeBytes, 256 * 1024)
  })

  it('refuses to release more than was reserved', () => {
    const arena = new Arena()
    arena.reserve(10)
    assert.throws(() => arena.release(0, 11), /no more released/)
  })
})
