import assert from 'node:assert/strict'
import { isIPv6 } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { ipv6Bytes, ipv6Text } from '../ip/index.ts'
import { encodeProxyHeader, proxyHeaderBytesMax, readProxyHeader } from './index.ts'

const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const signature = '0d0a0d0a000d0a515549540a'

test('version 1: what §2.1 allows', () => {
  const line = 'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n'
  assert.deepEqual(readProxyHeader(latin1(`${line}GET / HTTP/1.1\r\n`)), {
    type: 'done',
    lengthBytes: line.length,
    source: { host: '192.168.0.1', port: 56324 },
    destination: { host: '192.168.0.11', port: 443 },
  })
  const six = readProxyHeader(latin1('PROXY TCP6 2001:DB8:0:0::1 ::ffff:10.0.0.1 1 65535\r\n'))
  assert.ok(six.type === 'done')
  assert.deepEqual(six.source, { host: '2001:db8::1', port: 1 })
  assert.deepEqual(six.destination, { host: '::ffff:a00:1', port: 65535 })
  for (const unknown of ['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n']) {
    assert.deepEqual(readProxyHeader(latin1(unknown)), {
      type: 'done',
      lengthBytes: unknown.length,
      source: undefined,
      destination: undefined,
    })
  }
})

for (const [what, line] of [
  ['another protocol', 'GET / HTTP/1.1\r\n'],
  ['a bare LF', 'PROXY TCP4 1.2.3.4 1.2.3.5 1 2\n'],
  ['two spaces', 'PROXY TCP4  1.2.3.4 1.2.3.5 1 2\r\n'],
  ['a part missing', 'PROXY TCP4 1.2.3.4 1.2.3.5 1\r\n'],
  ['a part too many', 'PROXY TCP4 1.2.3.4 1.2.3.5 1 2 3\r\n'],
  ['a leading zero in an address', 'PROXY TCP4 01.2.3.4 1.2.3.5 1 2\r\n'],
  ['a leading zero in a port', 'PROXY TCP4 1.2.3.4 1.2.3.5 01 2\r\n'],
  ['a port beyond 65535', 'PROXY TCP4 1.2.3.4 1.2.3.5 1 65536\r\n'],
  ['a signed port', 'PROXY TCP4 1.2.3.4 1.2.3.5 +1 2\r\n'],
  ['the other family', 'PROXY TCP4 ::1 ::2 1 2\r\n'],
  ['an unknown family', 'PROXY UDP4 1.2.3.4 1.2.3.5 1 2\r\n'],
  ['UNKNOWN with something joined', 'PROXY UNKNOWNX\r\n'],
  ['a name', 'PROXY TCP4 localhost 1.2.3.5 1 2\r\n'],
  ['108 bytes without an end', `PROXY UNKNOWN ${'x'.repeat(94)}`],
] as const) {
  test(`version 1 refuses ${what}`, () => assert.equal(readProxyHeader(latin1(line)).type, 'refuse'))
}

test('version 2: addresses, with TLVs skipped', () => {
  const bytes = hex(`${signature} 21 11 0013  7f000001 0a000002 d431 01bb  04 0004 deadbeef 474554`)
  assert.deepEqual(readProxyHeader(bytes), {
    type: 'done',
    lengthBytes: 16 + 0x13,
    source: { host: '127.0.0.1', port: 54321 },
    destination: { host: '10.0.0.2', port: 443 },
  })
})

test('version 2: LOCAL, UNSPEC and UNIX leave the addresses of the socket', () => {
  for (const head of ['20 00 0000', '20 11 000c', '21 00 0003', '21 31 00d8']) {
    const lengthBytes = 16 + Number.parseInt(head.slice(-4), 16)
    const bytes = Buffer.concat([hex(signature + head), Buffer.alloc(lengthBytes - 16)])
    assert.deepEqual(readProxyHeader(bytes), { type: 'done', lengthBytes, source: undefined, destination: undefined })
  }
})

for (const [what, head] of [
  ['version 1 in binary', '11 11 000c'],
  ['an unknown command', '22 11 000c'],
  ['an unknown family', '21 41 000c'],
  ['an unknown transport', '21 13 000c'],
  ['datagrams', '21 12 000c'],
  ['an address block too short', '21 11 000b'],
  ['an IPv6 block too short', '21 21 0023'],
  ['more than it takes', '21 11 0801'],
] as const) {
  test(`version 2 refuses ${what}`, () => assert.equal(readProxyHeader(hex(signature + head)).type, 'refuse'))
}

/** A TCP4 header (`192.0.2.1:1111` to `192.0.2.2:2222`) with these TLVs. */
function withTlvs(tlvs: string): Buffer {
  const value = Buffer.concat([hex('c0000201 c0000202 0457 08ae'), hex(tlvs)])
  return Buffer.concat([hex(`${signature} 21 11 00${value.length.toString(16).padStart(2, '0')}`), value])
}

test('version 2: TLVs are passed over, with a checksum that is right', () => {
  // The checksum is that of another implementation (Python, bit by bit).
  for (const tlvs of ['', '01 0002 6832', '04 0000', '05 0001 aa  03 0004 CRC', '03 0004 CRC  01 0002 6832']) {
    const crc: Record<string, string> = { '05': 'e38a1fb3', '03': 'c902aedf' }
    const header = withTlvs(tlvs.replace('CRC', crc[tlvs.slice(0, 2)] ?? ''))
    const result = readProxyHeader(header)
    assert.ok(result.type === 'done', tlvs)
    assert.deepEqual([result.lengthBytes, result.source], [header.length, { host: '192.0.2.1', port: 1111 }])
  }
})

for (const [what, tlvs] of [
  ['a TLV that is cut off', '01 00'],
  ['a TLV longer than the header', '01 0003 6832'],
  ['a TLV longer than the header after another', '04 0000 01 00ff'],
  ['a wrong checksum', '03 0004 01020304'],
  ['a short checksum', '03 0003 010203'],
] as const) {
  test(`version 2 refuses ${what}`, () => assert.equal(readProxyHeader(withTlvs(tlvs)).type, 'refuse'))
}

const address = fc.record({ host: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 0, max: 65535 }) })

test('what is written is read, at every split, and nothing after it is touched', () => {
  fc.assert(
    fc.property(fc.constantFrom(1, 2), address, address, fc.uint8Array(), (version, source, destination, rest) => {
      const header = encodeProxyHeader(version, source, destination)
      for (let i = 0; i < header.length; i++) assert.equal(readProxyHeader(header.subarray(0, i)).type, 'more')
      const result = readProxyHeader(Buffer.concat([header, rest]))
      assert.ok(result.type === 'done')
      assert.equal(result.lengthBytes, header.length)
      assert.equal(result.source?.port, source.port)
      assert.equal(result.destination?.port, destination.port)
      // Once more: the same bytes, so the addresses came through.
      assert.deepEqual(encodeProxyHeader(version, result.source!, result.destination!), header)
    }),
  )
})

test('an address that is not numeric is vouched for by nobody', () => {
  for (const version of [1, 2] as const) {
    const result = readProxyHeader(encodeProxyHeader(version, { host: 'node', port: 1 }, { host: '::1', port: 2 }))
    assert.deepEqual(result.type === 'done' && result.source, undefined)
  }
})

test('any bytes: never throws, and decides within the bound', () => {
  const starts = ['', 'PROXY ', 'PROXY TCP4 1.2.3.4 '].map(latin1)
  const start = fc.constantFrom(...starts, hex(signature), hex(`${signature}2111`), hex(`${signature}2121`))
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 3000 }), (first, rest) => {
      const bytes = Buffer.concat([first, rest])
      const result = readProxyHeader(bytes)
      if (bytes.length >= proxyHeaderBytesMax) assert.notEqual(result.type, 'more')
      if (result.type === 'done') assert.ok(result.lengthBytes <= Math.min(bytes.length, proxyHeaderBytesMax))
    }),
  )
})

test('IPv6 text is read as Node reads it', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-f:.]{0,20}$/), (text) => {
      assert.equal(ipv6Bytes(text) !== undefined, isIPv6(text), text)
    }),
    { numRuns: 2000 },
  )
  for (const text of ['::', '::1', '1::', '2001:db8::1:0:0:1', '1:0:2:0:3:0:4:0', 'fe80::1', '1:2:3:4:5:6:7:8'])
    assert.equal(ipv6Text(ipv6Bytes(text)!), text)
})
