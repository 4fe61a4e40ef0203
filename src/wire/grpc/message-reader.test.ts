import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MessageReader } from './message-reader.ts'
import { decodeGrpcMessage, encodeGrpcMessage } from './percent-encoding.ts'
import { envelope } from './testing.ts'
import { parseGrpcTimeout } from './timeout.ts'

class CountingBudget {
  held = 0
  private readonly bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  claim(byteLength: number): boolean {
    if (this.held + byteLength > this.bytesMax) return false
    this.held += byteLength
    return true
  }

  release(byteLength: number): void {
    this.held -= byteLength
  }
}

test('however a body is cut, the messages are the same', () => {
  const anyMessages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 })
  fc.assert(
    fc.property(anyMessages, fc.array(fc.nat(), { maxLength: 15 }), (messages, cuts) => {
      const body = Buffer.concat(messages.map((message) => envelope(message)))
      const at = [0, ...cuts.map((where) => where % (body.length + 1)).sort((a, b) => a - b), body.length]
      const budget = new CountingBudget(1 << 20)
      const reader = new MessageReader(1000, false, budget)
      const seen: number[][] = []
      for (const [i, start] of at.entries()) {
        const failure = reader.read(body, start, at[i + 1] ?? body.length, (message) => {
          seen.push([...message])
          return undefined
        })
        assert.equal(failure, undefined)
        if (at[i + 1] === undefined) break
      }
      assert.ok(reader.isBetweenMessages)
      assert.equal(budget.held, 0)
      assert.deepEqual(
        seen,
        messages.map((message) => [...message]),
      )
    }),
    { numRuns: 300 },
  )
})

test('arbitrary bytes never throw, and memory follows what arrived', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 }), fc.boolean(), (pieces, isGzip) => {
      const budget = new CountingBudget(1 << 30)
      const reader = new MessageReader(0xffff_ffff, isGzip, budget)
      for (const piece of pieces) {
        if (reader.read(Buffer.from(piece), 0, piece.length, () => undefined) !== undefined) break
        assert.ok(budget.held <= 8192)
      }
      reader.drop()
      assert.equal(budget.held, 0)
    }),
    { numRuns: 1000 },
  )
})

test('the budget bounds unfinished messages', () => {
  const budget = new CountingBudget(10_000)
  const body = envelope(Buffer.alloc(9000)).subarray(0, 5000)
  const first = new MessageReader(1 << 20, false, budget)
  assert.equal(
    first.read(body, 0, body.length, () => undefined),
    undefined,
  )
  const second = new MessageReader(1 << 20, false, budget)
  assert.equal(second.read(body, 0, body.length, () => undefined)?.status, 8)
})

test('grpc-timeout', () => {
  const cases: [string, number][] = [
    ['1H', 3.6e6],
    ['2M', 120_000],
    ['3S', 3000],
    ['4m', 4],
    ['5u', 0.005],
    ['99999999S', 99_999_999_000],
  ]
  for (const [text, ms] of cases) assert.equal(parseGrpcTimeout(text), ms)
  assert.equal(parseGrpcTimeout('1000000n'), 1)
  for (const text of ['', 'S', '1', '1x', '123456789S', '-1S', '1.5S'])
    assert.equal(typeof parseGrpcTimeout(text), 'string')
})

test('grpc-message encoding is reversible and printable', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const encoded = encodeGrpcMessage(text)
      assert.match(encoded, /^[\x20-\x7e]*$/)
      assert.equal(decodeGrpcMessage(encoded), text)
    }),
  )
})
