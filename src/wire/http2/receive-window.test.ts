import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { ReceiveWindow } from './receive-window.ts'

it('I1 RFC 9113 §6.9 a peer that keeps to what it was given is never refused, and is never left with less than half', () => {
  const sizeBytes = 1_000
  fc.assert(
    fc.property(fc.array(fc.nat(1_200), { maxLength: 50 }), (frames) => {
      const window = new ReceiveWindow(sizeBytes)
      let mayBytes = sizeBytes
      for (const bytes of frames) {
        const credit = window.take(bytes)
        if (bytes > mayBytes) return assert.equal(credit, -1)
        mayBytes += credit - bytes
        assert.ok(credit >= 0 && mayBytes > sizeBytes / 2 && mayBytes <= sizeBytes, `${mayBytes} left`)
        // Not a WINDOW_UPDATE for every frame.
        assert.ok(credit === 0 || credit >= sizeBytes / 2)
      }
    }),
    { numRuns: 500 },
  )
})
