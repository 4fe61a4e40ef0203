import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HpackDecoder } from './hpack-decoder.ts'
import { HpackEncoder } from './hpack-encoder.ts'
import { huffmanDecode, huffmanEncode } from './huffman.ts'

function decodeHex(decoder: HpackDecoder, hex: string): string[] {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  assert.equal(decoder.decode(bytes, 0, bytes.length, 65536), 'ok')
  return decoder.fields.map((field) => `${field.name}: ${field.value}`)
}

test('RFC 7541 C.2: each representation', () => {
  const custom = '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'
  assert.deepEqual(decodeHex(new HpackDecoder(), custom), ['custom-key: custom-header'])
  assert.deepEqual(decodeHex(new HpackDecoder(), '040c 2f73 616d 706c 652f 7061 7468'), [':path: /sample/path'])
  assert.deepEqual(decodeHex(new HpackDecoder(), '1008 7061 7373 776f 7264 0673 6563 7265 74'), ['password: secret'])
  assert.deepEqual(decodeHex(new HpackDecoder(), '82'), [':method: GET'])
})

const requests = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
  [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
]

test('RFC 7541 C.3: requests without Huffman coding', () => {
  const decoder = new HpackDecoder()
  const blocks = [
    '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    '8286 84be 5808 6e6f 2d63 6163 6865',
    '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
  ]
  assert.deepEqual(
    blocks.map((block) => decodeHex(decoder, block)),
    requests,
  )
})

test('RFC 7541 C.4: requests with Huffman coding', () => {
  const decoder = new HpackDecoder()
  const blocks = [
    '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
    '8286 84be 5886 a8eb 1064 9cbf',
    '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
  ]
  assert.deepEqual(
    blocks.map((block) => decodeHex(decoder, block)),
    requests,
  )
})

test('RFC 7541 C.5 and C.6: responses with eviction from a table of 256 bytes', () => {
  const date1 = 'date: Mon, 21 Oct 2013 20:13:21 GMT'
  const date2 = 'date: Mon, 21 Oct 2013 20:13:22 GMT'
  const location = 'location: https://www.example.com'
  const cookie = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'
  const expected = [
    [':status: 302', 'cache-control: private', date1, location],
    [':status: 307', 'cache-control: private', date1, location],
    [':status: 200', 'cache-control: private', date2, location, 'content-encoding: gzip', cookie],
  ]
  const plain = [
    '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    '4803 3330 37c1 c0bf',
    '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
  ]
  const coded = [
    '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
    '4883 640e ffc1 c0bf',
    '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
  ]
  for (const blocks of [plain, coded]) {
    const decoder = new HpackDecoder(256)
    assert.deepEqual(
      blocks.map((block) => decodeHex(decoder, block)),
      expected,
    )
  }
})

const anyText = fc
  .array(fc.integer({ min: 0, max: 255 }), { maxLength: 200 })
  .map((units) => String.fromCharCode(...units))

test('Huffman coding is reversible', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const coded = Buffer.from(huffmanEncode(text))
      assert.equal(huffmanDecode(coded, 0, coded.length), text)
    }),
    { numRuns: 500 },
  )
})

test('Huffman padding must be a short prefix of EOS', () => {
  for (const hex of ['18', 'ff', 'ffff ffff', '1fff']) {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
    assert.equal(huffmanDecode(bytes, 0, bytes.length), undefined, hex)
  }
})

const anyFields = fc.array(fc.tuple(fc.constantFrom('a', 'content-type', 'grpc-status', 'x-long-name'), anyText), {
  maxLength: 10,
})

test('what the encoder writes, the decoder reads, whatever the peer does to its table', () => {
  const steps = fc.array(fc.record({ fields: anyFields, tableBytes: fc.option(fc.nat(200), { freq: 5 }) }), {
    maxLength: 20,
  })
  fc.assert(
    fc.property(steps, (list) => {
      const memorable = [
        ['content-type', 'application/grpc'],
        ['grpc-status', '0'],
      ] as const
      const encoder = new HpackEncoder(memorable)
      const decoder = new HpackDecoder()
      const fixed = encoder.template([[':status', '200'], ...memorable])
      for (const { fields, tableBytes } of list) {
        if (tableBytes !== null) encoder.setPeerTableBytes(tableBytes)
        for (const template of [fixed, encoder.template(fields)]) {
          const block = Buffer.from(template.encode())
          assert.equal(decoder.decode(block, 0, block.length, 1 << 20), 'ok')
          const expected = template === fixed ? [[':status', '200'], ...memorable] : fields
          assert.deepEqual(
            decoder.fields.map((field) => [field.name, field.value]),
            expected,
          )
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('a repeated response costs one byte a memorable field', () => {
  const encoder = new HpackEncoder([['content-type', 'application/grpc']])
  const template = encoder.template([
    [':status', '200'],
    ['content-type', 'application/grpc'],
  ])
  assert.ok(template.encode().length > 2)
  assert.deepEqual([...template.encode()], [0x88, 0xbe])
  assert.equal(template.encode(), template.encode())
})

test('arbitrary bytes never throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), (blocks) => {
      const decoder = new HpackDecoder()
      for (const block of blocks) decoder.decode(Buffer.from(block), 0, block.length, 4096)
    }),
    { numRuns: 2000 },
  )
})

test('a bomb of references to one large field is counted, not kept', () => {
  const decoder = new HpackDecoder()
  const insert = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 0x62)])
  assert.equal(decoder.decode(insert, 0, insert.length, 65536), 'ok')
  const bomb = Buffer.alloc(16384, 0xbe)
  assert.equal(decoder.decode(bomb, 0, bomb.length, 65536), 'too-large')
  assert.equal(decoder.fields.length, 0)
  assert.equal(decoder.decode(Buffer.from([0xbe]), 0, 1, 65536), 'ok')
})

test('malformed blocks are refused', () => {
  // Index 0; index past the table; an endless integer; a string past the end; a late or too large size update.
  for (const hex of ['80', 'be', 'ffffffffffffffffffff01', '00056162', '8220', '3fe21f']) {
    const block = Buffer.from(hex, 'hex')
    assert.equal(new HpackDecoder().decode(block, 0, block.length, 65536), 'malformed', hex)
  }
})
