/** What each octet may be part of, as one table of bits: the parsers read a byte, look here, and go on. */

/** `tchar` of RFC 9110 §5.6.2: names of fields, methods, codings. */
export const tokenBit = 1
/** Inside a field's value: `VCHAR`, `obs-text`, space and tab (RFC 9110 §5.5). */
export const valueBit = 2
/**
 * Inside a request target. Differs: RFC 3986 has no `[ ] { } | ^ \` and no back-tick in paths and queries, but browsers send them
 * as they are (WHATWG URL, percent-encode sets), and no reader takes them for anything else, but for `\` in a path: who compares
 * paths refuses it there. `" < >`, `#`, spaces, controls and bytes above 0x7E are refused.
 */
export const targetBit = 4
export const upperBit = 8
export const digitBit = 16
export const hexBit = 32

export const octetBits: Uint8Array = makeTable()

function makeTable(): Uint8Array {
  const table = new Uint8Array(256)
  const add = (characters: string, bit: number): void => {
    for (const character of characters) table[character.charCodeAt(0)]! |= bit
  }
  const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
  const digits = '0123456789'
  const lower = upper.toLowerCase()
  add(`${upper + lower + digits}!#$%&'*+-.^_\`|~`, tokenBit)
  add(`${upper}${lower}${digits}-._~%!$&'()*+,;=:@/?[]{}|^\\\``, targetBit)
  add(upper, upperBit)
  add(digits, digitBit)
  add(`${digits}ABCDEFabcdef`, hexBit)
  for (let octet = 0x20; octet < 0x100; octet++) if (octet !== 0x7f) table[octet]! |= valueBit
  table[0x09]! |= valueBit
  return table
}
