/**
 * Parses the head of a response (RFC 9112 §4, §5):
 *
 *     HTTP-version SP 3DIGIT SP [ reason-phrase ] CRLF  *( field-line CRLF )  CRLF
 *
 * Differs: the space after the status may be missing when the reason is; many servers write it so.
 */
import { asBuffer } from '../../base/index.ts'
import type { BodyLength, Fields, ResponseHead } from '../http/index.ts'
import { readFieldSection } from './field-section.ts'
import { responseLength } from './message-length.ts'
import { type Refusal, refusals } from './refusal.ts'
import { fieldValue } from './request-head.ts'

/** Header fields of one response. */
export const responseFieldsMax = 512
/** The head of one response. */
export const responseHeadBytesMax = 128 << 10

/** A response's head and what it says about its connection. Free of the request's method: HEAD is the reader's business. */
export class ParsedResponseHead implements ResponseHead {
  readonly status: number
  readonly fields: Fields
  readonly bodyLength: BodyLength
  memo: unknown = undefined
  readonly isChunked: boolean
  /** The server lets the connection live on. */
  readonly keepAlive: boolean
  /** Of a 101: the protocol that is spoken from here on. */
  readonly upgrade: string | undefined

  constructor(init: Omit<ParsedResponseHead, 'memo' | 'get'>) {
    this.status = init.status
    this.fields = init.fields
    this.bodyLength = init.bodyLength
    this.isChunked = init.isChunked
    this.keepAlive = init.keepAlive
    this.upgrade = init.upgrade
  }

  get(name: string): string | undefined {
    return fieldValue(this.fields, name)
  }
}

const statusLine = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/

/** Parses `input` from `start` to `end`, which is where the empty line at the head's end begins. */
export function parseResponseHead(input: Uint8Array, start: number, end: number): ParsedResponseHead | Refusal {
  const bytes = asBuffer(input)
  const text = bytes.latin1Slice(start, end)
  const line = statusLine.exec(text)
  if (line === null) return /^HTTP\/[0-9]\.[0-9] /.test(text) ? versionRefusal(text) : refusals.invalidStatusLine
  const isHttp11 = line[1] === '1'
  const status = Number(line[2])
  const section = readFieldSection(bytes, start + line[0].length, end, text, start, responseFieldsMax)
  if ('status' in section) return section
  const length = responseLength(section, isHttp11)
  if ('status' in length) return length
  // §6.1: never with 1xx and 204. A length of 0 with these is wrong as well, but says nothing false.
  const isBodiless = status < 200 || status === 204
  if (isBodiless && (length.isChunked || (length.bodyLength !== 0 && length.bodyLength !== 'unknown'))) {
    return refusals.invalidLength
  }
  return new ParsedResponseHead({
    status,
    fields: section.fields,
    bodyLength: isBodiless ? 0 : length.bodyLength,
    isChunked: length.isChunked,
    keepAlive: !section.closes && (isHttp11 || section.keepsAlive),
    upgrade: section.upgrades ? section.upgrade : undefined,
  })
}

function versionRefusal(text: string): Refusal {
  return text.startsWith('HTTP/1.1') || text.startsWith('HTTP/1.0')
    ? refusals.invalidStatusLine
    : refusals.unknownVersion
}
