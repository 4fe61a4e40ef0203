import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Thrift } from 'thrift'
import { captureStruct, structProtocol, structReader } from './protocols.ts'

test('doubles are written and read bit by bit: every exponent, its neighbours, zeros, the ends', () => {
  const values = [0, -0, Infinity, -Infinity, Number.NaN, Number.MIN_VALUE, Number.MAX_VALUE]
  for (let exponent = -1074; exponent <= 1023; exponent++) {
    const power = 2 ** exponent
    values.push(power, -power, power * (1 - 2 ** -53), power * (1 + 2 ** -52))
  }
  for (const protocol of ['binary', 'compact'] as const) {
    const { struct } = captureStruct((transport) => {
      const output = new (structProtocol(protocol))(transport)
      output.writeMessageBegin('', 1 as Thrift.MessageType, 0)
      for (const value of values) output.writeDouble(value)
      output.flush()
    })
    const view = new DataView(struct.buffer, struct.byteOffset, struct.byteLength)
    const input = structReader(struct, protocol)
    assert.equal(struct.length, 8 * values.length)
    for (const [at, value] of values.entries()) {
      assert.ok(Object.is(view.getFloat64(8 * at, protocol === 'compact'), value), `${protocol}: ${value} was written`)
      assert.ok(Object.is(input.readDouble(), value), `${protocol}: ${value} was read`)
    }
  }
})
