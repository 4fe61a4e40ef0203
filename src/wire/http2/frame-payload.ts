import { Flag } from './protocol.ts'

const priorityBytes = 5

/** Where in a DATA or HEADERS frame its payload lies: without padding (RFC 9113 §6.1) and priority (§6.2). Used again for each frame. */
export class FramePayload {
  start = 0
  end = 0

  get byteLength(): number {
    return this.end - this.start
  }

  /** The frame's body lies from `start` to `end`. False: its padding is longer than what is left of it. */
  strip(flags: number, bytes: Buffer, start: number, end: number): boolean {
    this.start = start
    this.end = end
    if ((flags & Flag.padded) === 0) return true
    if (start === end) return false
    this.start = start + 1
    this.end = end - bytes[start]!
    return this.end >= this.start
  }

  /** After `strip`, for HEADERS with the flag. False: there is no room for a priority. */
  stripPriority(): boolean {
    if (this.byteLength < priorityBytes) return false
    this.start += priorityBytes
    return true
  }
}
