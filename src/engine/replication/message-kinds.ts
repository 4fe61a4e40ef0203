/**
 * The messages between the hosts of one group, as the transport's `kind`. Integers are little-endian.
 *
 * ```
 * consensus        a message of the consensus core, in its own encoding
 * forward          term:f64 (payload length:u32, payload)*     proposals for the leader of exactly that term
 * forwardRefused   term:f64 (envelope head:16 bytes)*          these, forwarded for that term, never will be proposed
 * leaderCall       id:f64 request                              for the leader's soft state
 * leaderReply      id:f64 accepted:u8 response
 * snapshotBegin    transfer:f64 term:f64 meta                  see snapshot-meta.ts
 * snapshotChunk    transfer:f64 number:f64 bytes               numbers from 1: a lost chunk must not go unnoticed
 * snapshotEnd      transfer:f64 chunks:f64
 * snapshotAck      transfer:f64 chunks:f64                     so many chunks are taken in
 * snapshotResult   transfer:f64 ok:u8
 * ```
 */
import type { Random } from '../../runtime/index.ts'

export const messageKind = {
  consensus: 1,
  forward: 2,
  forwardRefused: 3,
  leaderCall: 4,
  leaderReply: 5,
  snapshotBegin: 6,
  snapshotChunk: 7,
  snapshotEnd: 8,
  snapshotAck: 9,
  snapshotResult: 10,
} as const

/** Where the ids of one life of a node begin: far from those of its other lives. */
export function drawFirstId(random: Random): number {
  return random.below(0x10_0000) * 0x1_0000_0000 + random.uint32()
}

/** One or two numbers, as the head of a message. */
export function encodeNumbers(...values: number[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(values.length * 8)
  for (let i = 0; i < values.length; i++) bytes.writeDoubleLE(values[i]!, i * 8)
  return bytes
}

/** The number at `offset`, or -1 when it is missing or not a safe, non-negative integer. */
export function decodeNumber(bytes: Uint8Array, offset: number): number {
  if (offset + 8 > bytes.length) return -1
  const value = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getFloat64(offset, true)
  return Number.isSafeInteger(value) && value >= 0 ? value : -1
}
