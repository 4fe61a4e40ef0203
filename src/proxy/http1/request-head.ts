/**
 * Parses the head of a request (RFC 9112 §3, §5):
 *
 *     method SP request-target SP HTTP-version CRLF  *( field-line CRLF )  CRLF
 */
import { asBuffer } from '../../base/index.ts'
import type { HttpLimits } from '../config/index.ts'
import { type BodyLength, type Fields, isAuthority, type RequestHead } from '../http/index.ts'
import { readFieldSection } from './field-section.ts'
import { requestLength } from './message-length.ts'
import { octetBits, targetBit, tokenBit } from './octet-classes.ts'
import { type Refusal, refusals } from './refusal.ts'
import { readTarget } from './request-target.ts'

/** Longer methods than any registered one (RFC 9110 §16.1) by far. */
const methodBytesMax = 32
const versionBytes = 8

/** A request's head and what it says about its connection. */
export class ParsedRequestHead implements RequestHead {
  readonly version: '1.0' | '1.1'
  readonly method: string
  readonly target: string
  readonly scheme: 'http' | 'https'
  readonly authority: string
  readonly fields: Fields
  readonly bodyLength: BodyLength
  readonly expectsContinue: boolean
  readonly upgrade: string | undefined
  memo: unknown = undefined
  /** The client lets the connection live on after the response. */
  readonly keepAlive: boolean

  constructor(init: Omit<ParsedRequestHead, 'memo' | 'get'>) {
    this.version = init.version
    this.method = init.method
    this.target = init.target
    this.scheme = init.scheme
    this.authority = init.authority
    this.fields = init.fields
    this.bodyLength = init.bodyLength
    this.expectsContinue = init.expectsContinue
    this.upgrade = init.upgrade
    this.keepAlive = init.keepAlive
  }

  get(name: string): string | undefined {
    return fieldValue(this.fields, name)
  }
}

/** First value of a field. */
export function fieldValue(fields: Fields, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
  return undefined
}

/** Parses `input` from `start` to `end`, which is where the empty line at the head's end begins. */
export function parseRequestHead(
  input: Uint8Array,
  start: number,
  end: number,
  scheme: 'http' | 'https',
  limits: HttpLimits,
): ParsedRequestHead | Refusal {
  const bytes = asBuffer(input)
  const text = bytes.latin1Slice(start, end)
  let at = start
  while ((octetBits[bytes[at]!]! & tokenBit) !== 0) at++
  if (bytes[at] !== space) return lineRefusal(bytes, at, at === start ? refusals.invalidMethod : undefined)
  if (at === start || at - start > methodBytesMax) return refusals.invalidMethod
  const method = methodOf(text.slice(0, at - start))
  const targetStart = ++at
  let hasPercent = false
  while ((octetBits[bytes[at]!]! & targetBit) !== 0) {
    if (bytes[at] === percent) hasPercent = true
    at++
  }
  if (bytes[at] !== space || at === targetStart) {
    return lineRefusal(bytes, at, bytes[at] === space ? undefined : refusals.invalidTarget)
  }
  const targetText = text.slice(targetStart - start, at - start)
  const versionStart = at + 1 - start
  const version = text.slice(versionStart, versionStart + versionBytes)
  at += 1 + versionBytes
  if (bytes[at] !== carriageReturn || bytes[at + 1] !== lineFeed) {
    return isOtherProtocol(text, versionStart) ? refusals.otherProtocol : lineRefusal(bytes, at, undefined)
  }
  const isHttp11 = version === 'HTTP/1.1'
  if (!isHttp11 && version !== 'HTTP/1.0') {
    if (isOtherProtocol(text, versionStart)) return refusals.otherProtocol
    return /^HTTP\/[0-9]\.[0-9]$/.test(version) ? refusals.unknownVersion : refusals.invalidRequestLine
  }
  const target = readTarget(method, targetText, hasPercent)
  if ('status' in target) return target
  // The lines end where the empty line begins, their own line ends included.
  const section = readFieldSection(bytes, at + 2, end, text, start, limits.headerFieldsMax)
  if ('status' in section) return section
  const { host, expect } = section
  if (host === undefined) {
    if (isHttp11) return refusals.missingHost
  } else if (!isAuthority(host)) return refusals.invalidHost
  const length = requestLength(section, isHttp11)
  if ('status' in length) return length
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return refusals.invalidExpectation
  return new ParsedRequestHead({
    version: isHttp11 ? '1.1' : '1.0',
    method,
    target: target.target,
    scheme,
    authority: target.authority ?? host ?? '',
    fields: section.fields,
    bodyLength: length.bodyLength,
    // RFC 9110 §10.1.1: ignored in HTTP/1.0, and without a body there is nothing to wait with.
    expectsContinue: expect !== undefined && isHttp11 && length.bodyLength !== 0,
    upgrade: section.upgrades && isHttp11 && length.bodyLength === 0 ? upgradeOf(section.upgrade) : undefined,
    keepAlive: !section.closes && (isHttp11 || section.keepsAlive),
  })
}

const upgradePattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/

/** HTTP itself, and TLS under it (RFC 2817): whoever speaks these past the proxy gets around whatever it checks. */
const refusedProtocols: ReadonlySet<string> = new Set(['h2c', 'h2', 'http', 'tls'])

/**
 * The one protocol that the client asks for. A server may ignore the wish (RFC 9110 §7.8), and does for lists, for a
 * request with a body, and for `h2c` (obsolete: RFC 9113 §3.1) and its like.
 */
function upgradeOf(value: string | undefined): string | undefined {
  if (value === undefined || !upgradePattern.test(value)) return undefined
  return refusedProtocols.has(value.toLowerCase().split('/', 1)[0]!) ? undefined : value
}

const commonMethods = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS'] as const

/** Shared strings for the methods there are: they compare by identity, and keep no head in memory. */
function methodOf(text: string): string {
  for (const method of commonMethods) if (text === method) return method
  return text
}

/** A word that ends the line where a version should, without a slash: it is not HTTP of whatever version. */
const noVersion = /[!-.0-~]+\r\n/y

function isOtherProtocol(text: string, versionStart: number): boolean {
  noVersion.lastIndex = versionStart
  return noVersion.test(text)
}

/** The request line broke at `at`. */
function lineRefusal(bytes: Buffer, at: number, refusal: Refusal | undefined): Refusal {
  const octet = bytes[at]
  if (octet === lineFeed) return refusals.bareLineFeed
  if (octet === carriageReturn && bytes[at + 1] !== lineFeed) return refusals.bareCarriageReturn
  if (octet === carriageReturn || octet === space) return refusals.invalidRequestLine
  return refusal ?? refusals.invalidRequestLine
}

const lineFeed = 0x0a
const carriageReturn = 0x0d
const space = 0x20
const percent = 0x25
