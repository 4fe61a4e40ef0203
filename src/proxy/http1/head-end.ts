/** Finds the empty line at the end of a request's head, and refuses early what can never become one. */
import { lineEndRefusal } from './chunked-decoder.ts'
import { octetBits, tokenBit } from './octet-classes.ts'
import { type Refusal, refusals } from './refusal.ts'

/** More has to come. */
export const incomplete = -1

/** Where the head that begins at `start` ends, its empty line included; or `incomplete`; or why it is none. */
export function findHeadEnd(input: Buffer, start: number, headBytesMax: number): number | Refusal {
  const end = input.indexOf('\r\n\r\n', start, 'latin1')
  const length = (end === -1 ? input.length : end) - start
  if (length > headBytesMax) {
    const lineEnd = input.indexOf('\r\n', start, 'latin1')
    return lineEnd === -1 || lineEnd - start > headBytesMax ? refusals.targetTooLong : refusals.headTooLarge
  }
  if (end !== -1) return end + 4
  return length === 0 ? incomplete : (beginningRefusal(input, start) ?? incomplete)
}

function beginningRefusal(input: Buffer, start: number): Refusal | undefined {
  const first = input[start]!
  if ((octetBits[first]! & tokenBit) === 0) {
    // The first half of the empty line that may precede a request.
    if (first === 0x0d && input.length === start + 1) return undefined
    if (first === 0x0a) return refusals.bareLineFeed
    return first === 0x0d ? refusals.invalidRequestLine : refusals.notHttp
  }
  return lineEndRefusal(input, start)
}
