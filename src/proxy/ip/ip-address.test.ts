import assert from 'node:assert/strict'
import * as net from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { ipv4Bytes, ipv4Text, ipv6Bytes, ipv6Text, isIpv4, isIpv4Mapped, isIpv6, parseIp } from './index.ts'

const group = fc.oneof(fc.constant(0), fc.nat(0xffff)).map((n) => n.toString(16))
const octet = fc.oneof(fc.nat(300).map(String), fc.constantFrom('01', '00', '', 'a', '1e1'))
const text = fc.oneof(
  fc.array(octet, { minLength: 3, maxLength: 5 }).map((parts) => parts.join('.')),
  fc
    .array(fc.oneof(group, fc.constantFrom('', '12345', 'g', '1.2.3.4')), { maxLength: 10 })
    .map((all) => all.join(':')),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF:.%/ '), maxLength: 50 }),
)

test('exactly what Node takes for an address is one', () => {
  fc.assert(
    fc.property(text, (value) => {
      // A zone is no part of an address here.
      const family = value.includes('%') ? 0 : net.isIP(value)
      assert.deepEqual(
        [isIpv4(value), isIpv6(value), parseIp(value) !== undefined],
        [family === 4, family === 6, family !== 0],
      )
    }),
    { numRuns: 3_000 },
  )
})

test('bytes and text are each other’s inverse', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.array(group, { minLength: 8, maxLength: 8 }),
      (four, groups) => {
        assert.deepEqual(ipv4Bytes(ipv4Text(four)), four)
        const bytes = ipv6Bytes(groups.join(':'))!
        assert.deepEqual(ipv6Bytes(ipv6Text(bytes)), bytes)
      },
    ),
  )
})

test('an IPv4 address and its mapped form are the same', () => {
  assert.deepEqual(parseIp('10.1.2.3'), parseIp('::ffff:10.1.2.3'))
  assert.deepEqual(parseIp('10.1.2.3'), parseIp('::FFFF:a01:203'))
  assert.ok(isIpv4Mapped(parseIp('10.1.2.3')!))
  assert.ok(!isIpv4Mapped(parseIp('::10.1.2.3')!))
})
