/**
 * Takes the chunked coding off a body as it arrives (RFC 9112 §7.1):
 *
 *     chunked-body = *( chunk-size [ chunk-ext ] CRLF chunk-data CRLF )  1*"0" [ chunk-ext ] CRLF  trailers  CRLF
 *
 * Owned by the connection that reads the body. Nothing is copied but a trailer section that arrives in pieces.
 *
 * - I1  `state` says what the next octet is part of; a call may end after any octet.
 * - I2  `remainingBytes` is the rest of the chunk being read; 0 outside of data.
 * - I3  After `isDone` or a refusal nothing more is read.
 *
 * Refused where RFC 9112 leaves a choice: blanks around the size, LF alone as the end of a line. Extensions are passed over.
 */
import { asBuffer } from '../../base/index.ts'
import type { Fields } from '../http/index.ts'
import { readTrailers } from './field-section.ts'
import { hexBit, octetBits, valueBit } from './octet-classes.ts'
import { type Refusal, refusals } from './refusal.ts'

/** Digits of a chunk's size: up to 2^48. */
const sizeDigitsMax = 12
/** Extensions of all chunks of a body together: whoever sends more of these than of a body means harm. */
const extensionBytesMax = 16 << 10
const trailerBytesMax = 8 << 10
const trailerFieldsMax = 64

const State = { size: 0, extension: 1, sizeLineFeed: 2, data: 3, dataReturn: 4, dataLineFeed: 5, trailers: 6, done: 7 }

/** Takes what was in the chunks. */
export interface BodySink {
  onBody(bytes: Uint8Array): void
  /** False once nobody wants more: reading stops there. */
  readonly wantsBody: boolean
}

export class ChunkedDecoder {
  trailers: Fields | undefined = undefined
  private state = State.size
  private remainingBytes = 0
  private sizeDigits = 0
  private extensionBytes = 0
  private trailerBytes: Buffer | undefined

  get isDone(): boolean {
    return this.state === State.done
  }

  /** Reads `input` from `start`; returns where it stopped: at the end, or after the body, or as soon as `sink` wants no more. */
  read(input: Buffer, start: number, sink: BodySink): number | Refusal {
    let at = start
    while (at < input.length) {
      if (this.state === State.data) {
        const end = Math.min(input.length, at + this.remainingBytes)
        this.remainingBytes -= end - at
        if (this.remainingBytes === 0) this.state = State.dataReturn
        sink.onBody(input.subarray(at, end))
        at = end
        if (!sink.wantsBody) return at
      } else if (this.state === State.trailers) {
        return this.readTrailers(input, at)
      } else if (this.state === State.done) {
        return at
      } else {
        const refusal = this.takeOctet(input[at]!)
        if (refusal !== undefined) return refusal
        at++
      }
    }
    return at
  }

  /** One octet of what stands between data. */
  private takeOctet(octet: number): Refusal | undefined {
    switch (this.state) {
      case State.size:
        return this.takeSizeOctet(octet)
      case State.extension:
        if (octet === carriageReturn) this.state = State.sizeLineFeed
        else if ((octetBits[octet]! & valueBit) === 0) {
          return octet === lineFeed ? refusals.bareLineFeed : refusals.invalidChunkExtension
        } else if (++this.extensionBytes > extensionBytesMax) return refusals.extensionsTooLarge
        return undefined
      case State.sizeLineFeed:
        if (octet !== lineFeed) return refusals.bareCarriageReturn
        this.state = this.remainingBytes === 0 ? State.trailers : State.data
        return undefined
      case State.dataReturn:
        this.state = State.dataLineFeed
        return octet === carriageReturn ? undefined : refusals.invalidChunkEnd
      default:
        this.state = State.size
        this.sizeDigits = 0
        return octet === lineFeed ? undefined : refusals.invalidChunkEnd
    }
  }

  private takeSizeOctet(octet: number): Refusal | undefined {
    if ((octetBits[octet]! & hexBit) !== 0) {
      if (++this.sizeDigits > sizeDigitsMax) return refusals.invalidChunkSize
      this.remainingBytes = this.remainingBytes * 16 + (octet <= nine ? octet - zero : (octet & 0xdf) - letterA + 10)
      return undefined
    }
    if (this.sizeDigits === 0) return refusals.invalidChunkSize
    if (octet === carriageReturn) this.state = State.sizeLineFeed
    else if (octet === semicolon) this.state = State.extension
    else return octet === lineFeed ? refusals.bareLineFeed : refusals.invalidChunkSize
    return undefined
  }

  private readTrailers(input: Buffer, start: number): number | Refusal {
    const earlier = this.trailerBytes
    const section = earlier === undefined ? input.subarray(start) : Buffer.concat([earlier, input.subarray(start)])
    const consumedBefore = earlier?.length ?? 0
    if (section.length >= 2 && section[0] === carriageReturn && section[1] === lineFeed) {
      this.finish(undefined)
      return start + 2 - consumedBefore
    }
    const end = section.indexOf('\r\n\r\n', 0, 'latin1')
    if (end === -1 || end > trailerBytesMax) {
      if (section.length > trailerBytesMax) return refusals.trailersTooLarge
      const refusal = lineEndRefusal(section, consumedBefore)
      if (refusal !== undefined) return refusal
      // A copy: the piece may be a small part of a large read.
      this.trailerBytes = Buffer.from(section)
      return input.length
    }
    const trailers = readTrailers(section, 0, end + 2, trailerFieldsMax)
    if ('status' in trailers) return trailers
    this.finish(trailers)
    return start + end + 4 - consumedBefore
  }

  private finish(trailers: Fields | undefined): void {
    this.state = State.done
    this.trailers = trailers
    this.trailerBytes = undefined
  }
}

/** In the beginning of a section of lines whose end has not come yet: whether a line ends with LF alone, seen from `from`. */
export function lineEndRefusal(input: Uint8Array, from: number): Refusal | undefined {
  const bytes = asBuffer(input)
  for (let at = bytes.indexOf(lineFeed, from); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) {
    if (at === 0 || bytes[at - 1] !== carriageReturn) return refusals.bareLineFeed
  }
  return undefined
}

const lineFeed = 0x0a
const carriageReturn = 0x0d
const zero = 0x30
const nine = 0x39
const semicolon = 0x3b
const letterA = 0x41
