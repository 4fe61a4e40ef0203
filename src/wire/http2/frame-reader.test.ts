import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameReader } from './frame-reader.ts'
import { frame } from './testing.ts'

interface Read {
  readonly frames: string[]
  tooLarge: number
}

function readAll(chunks: readonly Uint8Array[], payloadBytesMax = 64): Read {
  const read: Read = { frames: [], tooLarge: 0 }
  const reader = new FrameReader(
    {
      onFrame(type, flags, streamId, bytes, start, end) {
        read.frames.push(`${type} ${flags} ${streamId} ${bytes.toString('hex', start, end)}`)
        return true
      },
      onFrameTooLarge() {
        read.tooLarge++
      },
    },
    payloadBytesMax,
  )
  for (const chunk of chunks) reader.push(chunk)
  return read
}

const anyFrame = fc.record({
  type: fc.nat(255),
  flags: fc.nat(255),
  streamId: fc.integer({ min: 0, max: 0x7fff_ffff }),
  payload: fc.uint8Array({ maxLength: 64 }),
})

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((where) => where % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

test('however the bytes are cut, the frames are the same', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 12 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map((f) => frame(f.type, f.flags, f.streamId, f.payload)))
      const expected = frames.map((f) => `${f.type} ${f.flags} ${f.streamId} ${Buffer.from(f.payload).toString('hex')}`)
      assert.deepEqual(readAll(cut(bytes, cuts)).frames, expected)
      assert.deepEqual(readAll([...bytes].map((byte) => Uint8Array.of(byte))).frames, expected)
    }),
    { numRuns: 300 },
  )
})

test('arbitrary bytes never throw, and nothing is read after a frame that is too large', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (chunks) => {
      assert.ok(readAll(chunks).tooLarge <= 1)
    }),
    { numRuns: 1000 },
  )
  const read = readAll([frame(0, 0, 1, Buffer.alloc(64)), frame(0, 0, 1, Buffer.alloc(65)), frame(0, 0, 1)])
  assert.equal(read.frames.length, 1)
  assert.equal(read.tooLarge, 1)
})
