import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { EncodedBlock, HeaderBlockWriter } from './header-block-writer.ts'
import { HpackDecoder } from './hpack-decoder.ts'

function decoded(block: Uint8Array): string[][] {
  const decoder = new HpackDecoder()
  const before = decoder.tableChanges
  const bytes = Buffer.from(block)
  assert.equal(decoder.decode(bytes, 0, bytes.length, 1 << 20), 'ok')
  assert.equal(decoder.tableChanges, before, 'the table is left alone')
  return decoder.fields.map(({ name, value }) => [name, value])
}

const names = fc.oneof(
  fc.constantFrom('content-type', 'set-cookie', 'authorization', 'www-authenticate', ':path', 'date', 'accept-charset'),
  fc.string({ unit: fc.constantFrom(...'abcz09-_'), minLength: 1, maxLength: 200 }),
)
const values = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 400 }),
  fc.constantFrom('x'.repeat(126), 'x'.repeat(127), 'x'.repeat(254), 'x'.repeat(255), 'y'.repeat(20_000), '\xff\x80'),
)

describe('the header block writer', () => {
  it('writes what an HPACK decoder reads, and leaves its table alone', () => {
    const writer = new HeaderBlockWriter()
    fc.assert(
      fc.property(fc.array(fc.tuple(names, values), { maxLength: 20 }), (fields) => {
        writer.begin()
        writer.fields(fields.flat())
        assert.deepEqual(decoded(writer.finish()), fields)
      }),
      { numRuns: 500 },
    )
  })

  it('writes every status and the pseudo-header fields of requests', () => {
    const writer = new HeaderBlockWriter()
    for (let status = 100; status <= 599; status++) {
      writer.begin()
      writer.status(status)
      assert.deepEqual(decoded(writer.finish()), [[':status', String(status)]])
    }
    for (const [method, scheme, path, authority] of [
      ['GET', 'http', '/', 'a'],
      ['POST', 'https', '/index.html', 'b:1'],
      ['PATCH', 'https', '*', ''],
    ] as const) {
      writer.begin()
      writer.request(method, scheme, path, authority)
      const fields = [
        [':method', method],
        [':scheme', scheme],
        [':path', path],
        [':authority', authority],
      ]
      assert.deepEqual(decoded(writer.finish()), authority === '' ? fields.slice(0, 3) : fields)
    }
  })

  it('marks credentials as never to be indexed (RFC 7541 §7.1.3)', () => {
    const writer = new HeaderBlockWriter()
    for (const name of ['authorization', 'cookie', 'proxy-authorization', 'set-cookie']) {
      writer.begin()
      writer.field(name, 'secret')
      assert.equal(writer.finish()[0]! & 0xf0, 0x10, name)
    }
  })

  it('joins blocks that were kept', () => {
    const writer = new HeaderBlockWriter()
    writer.begin()
    writer.field('x-kept', '1')
    const kept = writer.copyFrom(0)
    writer.begin()
    writer.status(200)
    writer.append(kept)
    assert.deepEqual(decoded(new EncodedBlock(writer.finish()).encode()), [
      [':status', '200'],
      ['x-kept', '1'],
    ])
  })
})
