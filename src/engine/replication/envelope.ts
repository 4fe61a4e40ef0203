/**
 * What replication adds to a command, so that the node that proposed it knows its own when it comes out of the log.
 *
 * ```
 * payload  = nonce:8 bytes  sequence:u64 little-endian  command
 * ```
 *
 * The nonce is drawn anew each time a group opens: entries replayed from an earlier life never match.
 */
import { asBuffer } from '../../base/index.ts'

export const envelopeBytes = 16

export class Envelope {
  private readonly nonceLow: number
  private readonly nonceHigh: number
  private lastSequence = 0

  constructor(nonce: Uint8Array) {
    const buffer = asBuffer(nonce)
    this.nonceLow = buffer.readUInt32LE(0)
    this.nonceHigh = buffer.readUInt32LE(4)
  }

  /** Wraps `command` under a fresh sequence number, which `lastSequenceUsed` then tells. */
  wrap(command: Uint8Array): Uint8Array {
    const sequence = ++this.lastSequence
    const payload = Buffer.allocUnsafe(envelopeBytes + command.length)
    payload.writeUInt32LE(this.nonceLow, 0)
    payload.writeUInt32LE(this.nonceHigh, 4)
    payload.writeUInt32LE(sequence % 0x1_0000_0000, 8)
    payload.writeUInt32LE(Math.floor(sequence / 0x1_0000_0000), 12)
    payload.set(command, envelopeBytes)
    return payload
  }

  get lastSequenceUsed(): number {
    return this.lastSequence
  }

  /** The sequence number of a payload that this very object wrapped, else 0. */
  sequenceOf(payload: Uint8Array): number {
    if (payload.length < envelopeBytes) return 0
    const buffer = asBuffer(payload)
    if (buffer.readUInt32LE(0) !== this.nonceLow || buffer.readUInt32LE(4) !== this.nonceHigh) return 0
    return readSequence(buffer)
  }
}

/** The command inside a payload; empty when the payload is too short to hold one. */
export function commandOf(payload: Uint8Array): Uint8Array {
  return payload.subarray(envelopeBytes)
}

function readSequence(payload: Uint8Array): number {
  const buffer = asBuffer(payload)
  return buffer.readUInt32LE(8) + buffer.readUInt32LE(12) * 0x1_0000_0000
}
