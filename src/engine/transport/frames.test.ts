import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  decodeFrameBody,
  decodeHello,
  decodeRefusal,
  encodeFrame,
  encodeHello,
  encodeRefusal,
  frameHeaderBytes,
  helloBytes,
  StreamCutter,
} from './frames.ts'

describe('frames between nodes', () => {
  test('a greeting comes back, and any flipped bit is noticed', () => {
    const hello = { clusterId: 2n ** 63n + 1n, from: 3n, to: 2n ** 64n - 1n, incarnation: 77n }
    const bytes = encodeHello(hello)
    assert.equal(bytes.length, helloBytes)
    assert.deepEqual(decodeHello(bytes), hello)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes)
      damaged[bit >>> 3]! ^= 1 << (bit & 7)
      assert.equal(typeof decodeHello(damaged), 'string', `bit ${bit}`)
    }
  })

  test('a refusal keeps its code; other words are a matter of protocol', () => {
    const refusal = { code: 'replaced', message: 'another disk: yes' } as const
    assert.deepEqual(decodeRefusal(Buffer.from(encodeRefusal(refusal)).toString()), refusal)
    assert.equal(decodeRefusal('HTTP/1.1 400').code, 'protocol')
  })

  test('messages come back from a frame, however the stream is cut', () => {
    const message = fc.record({
      kind: fc.integer({ min: 0, max: 255 }),
      group: fc.integer({ min: 0, max: 0xffff_ffff }),
      payload: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 3 }),
    })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 30 })), (messages, cuts) => {
        const frame = encodeFrame(messages)
        const cutter = new StreamCutter()
        let offset = 0
        for (const cut of [...cuts, frame.length]) {
          cutter.push(frame.subarray(offset, offset + cut))
          offset += cut
        }
        assert.ok(cutter.take(frameHeaderBytes) !== undefined)
        const body = cutter.take(frame.length - frameHeaderBytes)!
        const seen: unknown[] = []
        assert.ok(decodeFrameBody(body, (kind, group, payload) => seen.push([kind, group, Buffer.from(payload)])))
        assert.deepEqual(
          seen,
          messages.map(({ kind, group, payload }) => [kind, group, Buffer.concat(payload)]),
        )
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  test('arbitrary bytes as a frame body never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        decodeFrameBody(bytes, () => {})
      }),
      { seed: 7, numRuns: 500 },
    )
  })
})
