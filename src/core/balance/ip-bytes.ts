/** Which bytes of a client's address `ip_hash` hashes. */
import { murmur3 } from '../ring/index.ts'

const dot = 0x2e
const colon = 0x3a
const percentSign = 0x25

/**
 * Writes them into `out`, of at least 16 bytes, and returns how many: 3 of an IPv4 address, also of one mapped into IPv6; 16 of an
 * IPv6 address (RFC 4291 §2.2, without its zone); 4, a hash, of anything else. Allocates nothing for addresses.
 */
export function readHashedBytes(key: string, out: Uint8Array): number {
  if (readIpv4(key, 0, key.length, out, 0)) return 3
  if (key.length <= maxIpv6Length && readIpv6(key, out)) {
    if (!isMapped(out)) return 16
    out.copyWithin(0, 12, 15)
    return 3
  }
  const hash = murmur3(key)
  for (let i = 0; i < 4; i++) out[i] = hash >>> (i * 8)
  return 4
}

/** 45 for the address, and a zone after it. */
const maxIpv6Length = 64

function readIpv4(text: string, from: number, to: number, out: Uint8Array, at: number): boolean {
  let part = 0
  let digits = 0
  let parts = 0
  for (let i = from; i <= to; i++) {
    const unit = i === to ? dot : text.charCodeAt(i)
    if (unit === dot) {
      if (digits === 0 || parts === 4) return false
      out[at + parts++] = part
      part = 0
      digits = 0
    } else {
      if (unit < 0x30 || unit > 0x39) return false
      part = part * 10 + unit - 0x30
      if (++digits > 3 || part > 255) return false
    }
  }
  return parts === 4
}

function readIpv6(text: string, out: Uint8Array): boolean {
  let end = 0
  while (end < text.length && text.charCodeAt(end) !== percentSign) end++
  /** Bytes written, and how many of them before the `::`. */
  let written = 0
  let gap = -1
  let i = 0
  if (text.charCodeAt(0) === colon) {
    if (text.charCodeAt(1) !== colon) return false
    gap = 0
    i = 2
  }
  while (i < end) {
    let next = i
    let group = 0
    for (; next < end && text.charCodeAt(next) !== colon; next++) {
      const digit = hexDigit(text.charCodeAt(next))
      if (digit === -1 || next - i >= 4) return written <= 12 && readTail(text, i, end, out, written, gap)
      group = group * 16 + digit
    }
    if (next === i || written > 14) return false
    out[written++] = group >>> 8
    out[written++] = group
    if (next === end) break
    i = next + 1
    if (i < end && text.charCodeAt(i) === colon) {
      if (gap !== -1) return false
      gap = written
      i++
    } else if (i === end) return false
  }
  return spread(out, written, gap)
}

/** The last four bytes in the notation of IPv4. */
function readTail(text: string, from: number, end: number, out: Uint8Array, written: number, gap: number): boolean {
  return readIpv4(text, from, end, out, written) && spread(out, written + 4, gap)
}

/** Puts zeros where the `::` was. */
function spread(out: Uint8Array, written: number, gap: number): boolean {
  if (gap === -1) return written === 16
  if (written > 14) return false
  const after = written - gap
  out.copyWithin(16 - after, gap, written)
  out.fill(0, gap, 16 - after)
  return true
}

function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30
  const lower = unit | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** `::ffff:0:0/96` (RFC 4291 §2.5.5.2). */
function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}
