/**
 * Finds and parses the heads of one connection's requests. Remembers the octets of the last: a client mostly sends the same
 * again, and then gets the same head object, with whatever the handler noted there.
 */
import type { HttpLimits } from '../config/index.ts'
import { findHeadEnd, incomplete } from './head-end.ts'
import type { Refusal } from './refusal.ts'
import { type ParsedRequestHead, parseRequestHead } from './request-head.ts'

/** Larger heads are not remembered. */
const rememberedHeadBytesMax = 4 << 10

export class RequestReader {
  /** Where the head that was read last ended. */
  end = 0
  private lastBytes: Buffer | undefined
  private lastHead: ParsedRequestHead | undefined

  /** Reads the head at `start`. Undefined: more has to come. */
  read(
    input: Buffer,
    start: number,
    scheme: 'http' | 'https',
    limits: HttpLimits,
  ): ParsedRequestHead | Refusal | undefined {
    const { lastBytes } = this
    if (lastBytes !== undefined && input.length - start >= lastBytes.length) {
      const lastEnd = start + lastBytes.length
      if (lastBytes.compare(input, start, lastEnd) === 0) {
        this.end = lastEnd
        return this.lastHead
      }
    }
    // One empty line before a request is passed over (RFC 9112 §2.2).
    const headStart = input[start] === carriageReturn && input[start + 1] === lineFeed ? start + 2 : start
    const end = findHeadEnd(input, headStart, limits.headBytesMax)
    if (typeof end !== 'number') return end
    if (end === incomplete) return undefined
    const head = parseRequestHead(input, headStart, end - 2, scheme, limits)
    if ('reason' in head) return head
    this.end = end
    if (end - headStart <= rememberedHeadBytesMax) {
      this.lastHead = head
      this.lastBytes = Buffer.from(input.subarray(headStart, end))
    }
    return head
  }
}

const lineFeed = 0x0a
const carriageReturn = 0x0d
