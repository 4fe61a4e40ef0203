import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { it } from 'node:test'
import fc from 'fast-check'
import type * as Thrift from 'thrift'
import { MessageType, writeMessage } from './message-envelope.ts'
import { MessageSplitter } from './message-splitter.ts'
import { captureStruct, structProtocol, type ThriftProtocolName } from './protocols.ts'
import { incomplete, structEnd, structWalk, ThriftSyntaxError } from './struct-walk.ts'
import { types } from './testing/inventory.ts'

const { Int64 } = createRequire(import.meta.url)('thrift') as typeof Thrift

/** What the package itself makes of an item. */
function itemStruct(protocol: ThriftProtocolName, sku: string, stock: number, tags: readonly string[]): Uint8Array {
  const item = new types.Item({ sku, stock, tags: [...tags], updated: new Int64(stock) })
  return captureStruct((transport) => {
    ;(item as unknown as { write(output: Thrift.TProtocol): void }).write(new (structProtocol(protocol))(transport))
    transport.flush()
  }).struct
}

const anyProtocol = fc.constantFrom<ThriftProtocolName>('binary', 'compact')
const anyItem = fc.tuple(fc.string(), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.array(fc.string()))

it('a struct ends where the thrift package ended it, and every part of it is incomplete', () => {
  fc.assert(
    fc.property(anyProtocol, anyItem, fc.uint8Array({ maxLength: 8 }), (protocol, [sku, stock, tags], after) => {
      const struct = itemStruct(protocol, sku, stock, tags)
      assert.equal(structEnd(Buffer.concat([struct, after]), 0, protocol), struct.length)
      for (let cut = 0; cut < struct.length; cut++)
        assert.equal(structEnd(struct.subarray(0, cut), 0, protocol), incomplete)
    }),
  )
})

it('whatever bytes come, it ends or refuses', () => {
  fc.assert(
    fc.property(anyProtocol, fc.uint8Array({ maxLength: 200 }), (protocol, bytes) => {
      try {
        const end = structEnd(bytes, 0, protocol)
        assert.ok(end === incomplete || (end > 0 && end <= bytes.length))
      } catch (error) {
        assert.ok(error instanceof ThriftSyntaxError)
      }
    }),
    { numRuns: 2_000 },
  )
})

it('messages arrive whole however their bytes are cut', () => {
  fc.assert(
    fc.property(
      anyProtocol,
      fc.boolean(),
      fc.array(anyItem, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat({ max: 400 }), { maxLength: 6 }),
      (protocol, framed, items, cuts) => {
        const structs = items.map(([sku, stock, tags]) => itemStruct(protocol, sku, stock, tags))
        const bytes = Buffer.concat(
          structs.map((struct, at) =>
            writeMessage(protocol, { name: `method${at}`, type: MessageType.call, sequence: at }, struct, framed),
          ),
        )
        const splitter = new MessageSplitter(1 << 20)
        const seen: string[] = []
        const places = [0, ...cuts.map((cut) => cut % bytes.length), bytes.length].sort((a, b) => a - b)
        for (let at = 1; at < places.length; at++)
          splitter.push(bytes.subarray(places[at - 1], places[at]), ({ envelope, struct }) => {
            assert.deepEqual(Buffer.from(struct), Buffer.from(structs[envelope.sequence]!))
            seen.push(envelope.name)
          })
        assert.deepEqual(
          seen,
          structs.map((_, at) => `method${at}`),
        )
        assert.equal(splitter.isWithin, false)
      },
    ),
  )
})

it('messages beyond the bound are refused before they are here', () => {
  const splitter = new MessageSplitter(1_000)
  assert.throws(() => splitter.push(Buffer.from('000003e9', 'hex'), () => {}), /longer than messageBytesMax/)
  const unframed = new MessageSplitter(1_000)
  const head = writeMessage('binary', { name: 'get', type: MessageType.call, sequence: 1 }, Buffer.alloc(0), false)
  const endless = Buffer.concat([head, Buffer.from('0b000100ffffff', 'hex'), Buffer.alloc(1_000)])
  assert.throws(() => unframed.push(endless, () => {}), /longer than messageBytesMax/)
})

it('a struct that comes byte by byte is walked to the same end, or refused for the same', () => {
  const outcome = (walk: () => number): number | string => {
    try {
      return walk()
    } catch (error) {
      return (error as Error).message
    }
  }
  fc.assert(
    fc.property(anyProtocol, fc.uint8Array({ maxLength: 60 }), (protocol, bytes) => {
      const walk = structWalk(protocol)
      const slowly = outcome(() => {
        let end: number = incomplete
        for (let length = 0; length <= bytes.length && end === incomplete; length++)
          end = walk.advance(bytes.subarray(0, length), 0)
        return end
      })
      assert.equal(
        slowly,
        outcome(() => structEnd(bytes, 0, protocol)),
      )
    }),
    { numRuns: 3_000 },
  )
})

it('a long message in small pieces costs about its bytes, not their square', () => {
  // 2 MB of small strings in 40,000 pieces: copied or walked anew at each they would be 40 GB.
  const tags = Array.from({ length: 200_000 }, (_, at) => `t${at}`)
  const struct = itemStruct('binary', 'book', 1, tags)
  for (const framed of [true, false]) {
    const bytes = writeMessage('binary', { name: 'put', type: MessageType.call, sequence: 1 }, struct, framed)
    const splitter = new MessageSplitter(16 << 20)
    let whole = 0
    for (let at = 0; at < bytes.length; at += 50)
      splitter.push(bytes.subarray(at, Math.min(at + 50, bytes.length)), ({ struct: { length } }) => {
        whole = length
      })
    assert.equal(whole, struct.length)
  }
})
