import assert from 'node:assert/strict'
import { it } from 'node:test'
import { FramePayload } from './frame-payload.ts'
import { Flag } from './protocol.ts'

/** What is left of the frame that lies behind two bytes of another; undefined: malformed. */
function left(flags: number, frame: readonly number[]): readonly number[] | undefined {
  const bytes = Buffer.from([200, 200, ...frame, 200])
  const payload = new FramePayload()
  if (!payload.strip(flags, bytes, 2, 2 + frame.length)) return undefined
  if ((flags & Flag.priority) !== 0 && !payload.stripPriority()) return undefined
  const rest = [...bytes.subarray(payload.start, payload.end)]
  assert.equal(payload.byteLength, rest.length)
  return rest
}

it('RFC 9113 §6.1 padding is taken off, and may fill the frame, but not pass it', () => {
  assert.deepEqual(left(0, [2, 7, 8]), [2, 7, 8])
  assert.deepEqual(left(Flag.padded, [0, 7, 8]), [7, 8])
  assert.deepEqual(left(Flag.padded, [1, 7, 0]), [7])
  assert.deepEqual(left(Flag.padded, [2, 0, 0]), [])
  assert.equal(left(Flag.padded, [3, 0, 0]), undefined)
  assert.equal(left(Flag.padded, [255]), undefined)
  assert.equal(left(Flag.padded, []), undefined)
})

it('RFC 9113 §6.2 a priority of five bytes stands before the block', () => {
  assert.deepEqual(left(Flag.priority, [1, 1, 1, 1, 1, 9]), [9])
  assert.deepEqual(left(Flag.priority, [1, 1, 1, 1, 1]), [])
  assert.equal(left(Flag.priority, [1, 1, 1, 1]), undefined)
  assert.deepEqual(left(Flag.padded | Flag.priority, [1, 1, 1, 1, 1, 1, 9, 0]), [9])
  assert.equal(left(Flag.padded | Flag.priority, [1, 1, 1, 1, 1, 0]), undefined)
})
