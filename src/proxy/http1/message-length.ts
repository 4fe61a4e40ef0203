/**
 * Where a message's body ends (RFC 9112 §6). One reading only: whatever two readers could take differently is refused
 * (§11.2, request smuggling), in responses as in requests.
 */
import type { BodyLength } from '../http/index.ts'
import type { FieldSection } from './field-section.ts'
import { type Refusal, refusals } from './refusal.ts'

/** More digits than a length can have. 2^53 has sixteen. */
const lengthDigitsMax = 15
const digitsOnly = /^[0-9]+$/

export interface MessageLength {
  /** 'unknown': chunked, or in a response also: until the connection closes. */
  readonly bodyLength: BodyLength
  readonly isChunked: boolean
}

const empty: MessageLength = { bodyLength: 0, isChunked: false }
const chunked: MessageLength = { bodyLength: 'unknown', isChunked: true }
const untilClose: MessageLength = { bodyLength: 'unknown', isChunked: false }

/** RFC 9112 §6.3 for requests: without a length there is no body. */
export function requestLength(section: FieldSection, isHttp11: boolean): MessageLength | Refusal {
  return explicitLength(section, isHttp11) ?? empty
}

/** RFC 9112 §6.3 for responses: without a length the body lasts until the connection closes. */
export function responseLength(section: FieldSection, isHttp11: boolean): MessageLength | Refusal {
  return explicitLength(section, isHttp11) ?? untilClose
}

function explicitLength(section: FieldSection, isHttp11: boolean): MessageLength | Refusal | undefined {
  const { contentLength, transferEncoding } = section
  if (transferEncoding !== undefined) {
    // §6.1 lets a server process it, without the length; nobody honest sends both.
    if (contentLength !== undefined) return refusals.lengthAndEncoding
    if (!isHttp11) return refusals.encodingInHttp10
    return encodingRefusal(transferEncoding.toLowerCase()) ?? chunked
  }
  if (contentLength === undefined) return undefined
  if (contentLength.length > lengthDigitsMax || !digitsOnly.test(contentLength)) return refusals.invalidLength
  return { bodyLength: Number(contentLength), isChunked: false }
}

/** Undefined for exactly `chunked`. */
function encodingRefusal(value: string): Refusal | undefined {
  if (value === 'chunked') return undefined
  const codings = value.split(',').map((coding) => coding.trim())
  const first = codings.indexOf('chunked')
  // Chunked must come once, and last (§6.1, §7.1); before it something may stand that is not known here.
  if (first === -1 || first !== codings.length - 1) return refusals.invalidEncoding
  return refusals.unknownEncoding
}
