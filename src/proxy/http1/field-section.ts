/**
 * Reads the field lines of a head or of trailers (RFC 9112 §5), strictly, and sets apart those that belong to the
 * connection and to framing:
 *
 *     field-line = field-name ":" OWS field-value OWS CRLF      field-name = token
 *
 * Refused where RFC 9112 leaves a choice: obs-fold (§5.2), LF alone as the end of a line (§2.2), a CR anywhere else.
 */
import type { Fields } from '../http/index.ts'
import { octetBits, tokenBit, upperBit, valueBit } from './octet-classes.ts'
import { type Refusal, refusals } from './refusal.ts'

export interface FieldSection {
  /** End-to-end fields: without those below, and without the ones that `Connection` names (RFC 9110 §7.6.1). */
  readonly fields: Fields
  readonly host: string | undefined
  readonly contentLength: string | undefined
  /** Values of all `Transfer-Encoding` lines, joined with commas. */
  readonly transferEncoding: string | undefined
  readonly upgrade: string | undefined
  readonly expect: string | undefined
  /** Options of `Connection`. */
  readonly closes: boolean
  readonly keepsAlive: boolean
  readonly upgrades: boolean
}

/** What a name means here. */
const Kind = {
  ordinary: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  /** Of one connection, and of no use to us. */
  dropped: 5,
  upgrade: 6,
  te: 7,
  expect: 8,
  /** Passed on in a head; never taken from trailers (RFC 9110 §6.5.1). */
  headOnly: 9,
} as const
type Kind = (typeof Kind)[keyof typeof Kind]

interface KnownName {
  readonly name: string
  readonly kind: Kind
}

const kinds: Readonly<Record<string, Kind>> = {
  host: Kind.host,
  'content-length': Kind.contentLength,
  'transfer-encoding': Kind.transferEncoding,
  connection: Kind.connection,
  'keep-alive': Kind.dropped,
  'proxy-connection': Kind.dropped,
  'http2-settings': Kind.dropped,
  upgrade: Kind.upgrade,
  te: Kind.te,
  expect: Kind.expect,
  trailer: Kind.headOnly,
  authorization: Kind.headOnly,
  'proxy-authorization': Kind.headOnly,
  'content-encoding': Kind.headOnly,
  'content-type': Kind.headOnly,
  'content-range': Kind.headOnly,
  cookie: Kind.headOnly,
  'set-cookie': Kind.headOnly,
  'cache-control': Kind.headOnly,
  'max-forwards': Kind.headOnly,
}

/** Spellings seen so far, to what they mean: saves making the same lower-case string again and again. */
const knownNames = new Map<string, KnownName>(Object.entries(kinds).map(([name, kind]) => [name, { name, kind }]))
/** Peers choose names, so the map stops growing here; later ones are looked at each time. */
const knownNamesMax = 1_000
const knownNameBytesMax = 40

function nameOf(spelling: string, hasUpper: boolean): KnownName {
  const known = knownNames.get(spelling)
  if (known !== undefined) return known
  const name = hasUpper ? spelling.toLowerCase() : spelling
  const made: KnownName = { name, kind: knownNames.get(name)?.kind ?? Kind.ordinary }
  // Through a buffer: a slice would keep the whole head that it was cut from.
  if (knownNames.size < knownNamesMax && spelling.length <= knownNameBytesMax) {
    knownNames.set(Buffer.from(spelling, 'latin1').latin1Slice(0, spelling.length), made)
  }
  return made
}

/** What the lines of the section being read said so far. One object, since reading is never reentrant. */
const seen = {
  host: undefined as string | undefined,
  contentLength: undefined as string | undefined,
  transferEncoding: undefined as string | undefined,
  connection: undefined as string | undefined,
  upgrade: undefined as string | undefined,
  expect: undefined as string | undefined,
  te: undefined as string | undefined,
}

function forgetSeen(): void {
  seen.host = undefined
  seen.contentLength = undefined
  seen.transferEncoding = undefined
  seen.connection = undefined
  seen.upgrade = undefined
  seen.expect = undefined
  seen.te = undefined
}

/**
 * Reads the lines in `bytes` from `start` to `end`; each ends with CR LF, the empty line is not among them. `text` is
 * `bytes` from `textStart`, one unit a byte.
 */
export function readFieldSection(
  bytes: Buffer,
  start: number,
  end: number,
  text: string,
  textStart: number,
  fieldsMax: number,
): FieldSection | Refusal {
  const fields: string[] = []
  forgetSeen()
  let count = 0
  let at = start
  while (at < end) {
    if (++count > fieldsMax) return refusals.tooManyFields
    const nameStart = at
    let bits = octetBits[bytes[at]!]!
    let hasUpper = 0
    while ((bits & tokenBit) !== 0) {
      hasUpper |= bits & upperBit
      bits = octetBits[bytes[++at]!]!
    }
    if (bytes[at] !== colon || at === nameStart) return nameRefusal(bytes, nameStart, at)
    const known = nameOf(text.slice(nameStart - textStart, at - textStart), hasUpper !== 0)
    at++
    while (bytes[at] === space || bytes[at] === tab) at++
    const valueStart = at
    while ((octetBits[bytes[at]!]! & valueBit) !== 0) at++
    if (bytes[at] !== carriageReturn || bytes[at + 1] !== lineFeed) return valueRefusal(bytes, at)
    let valueEnd = at
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === space || bytes[valueEnd - 1] === tab)) valueEnd--
    at += 2
    const value = text.slice(valueStart - textStart, valueEnd - textStart)
    if (known.kind === Kind.ordinary || known.kind === Kind.headOnly) fields.push(known.name, value)
    else {
      const refusal = takeSpecial(known.kind, value)
      if (refusal !== undefined) return refusal
    }
  }
  return sectionOf(fields)
}

/** Reads trailers: like a header section, but fields of framing, routing and authentication are refused. */
export function readTrailers(bytes: Buffer, start: number, end: number, fieldsMax: number): Fields | Refusal {
  const text = bytes.latin1Slice(start, end)
  const section = readFieldSection(bytes, start, end, text, start, fieldsMax)
  if ('status' in section) return section
  for (const value of Object.values(seen)) if (value !== undefined) return refusals.forbiddenTrailer
  const { fields } = section
  for (let i = 0; i < fields.length; i += 2) {
    if (knownNames.get(fields[i]!)?.kind === Kind.headOnly) return refusals.forbiddenTrailer
  }
  return fields
}

/** Notes a field of the connection or of framing. */
function takeSpecial(kind: Kind, value: string): Refusal | undefined {
  switch (kind) {
    case Kind.host:
      if (seen.host !== undefined) return refusals.severalHosts
      seen.host = value
      return undefined
    case Kind.contentLength:
      // RFC 9110 §8.6 would let equal ones pass; who sends two is not to be trusted with either.
      if (seen.contentLength !== undefined) return refusals.severalLengths
      seen.contentLength = value
      return undefined
    case Kind.transferEncoding:
      seen.transferEncoding = joined(seen.transferEncoding, value)
      return undefined
    case Kind.connection:
      seen.connection = joined(seen.connection, value)
      return undefined
    case Kind.upgrade:
      if (seen.upgrade !== undefined) return refusals.severalUpgrades
      seen.upgrade = value
      return undefined
    case Kind.te:
      seen.te = joined(seen.te, value)
      return undefined
    case Kind.expect:
      seen.expect = joined(seen.expect, value)
      return undefined
    default:
      return undefined
  }
}

function joined(earlier: string | undefined, value: string): string {
  return earlier === undefined ? value : `${earlier},${value}`
}

const closeOption = 1
const keepAliveOption = 2
const upgradeOption = 4

function sectionOf(fields: string[]): FieldSection | Refusal {
  const { host, contentLength, transferEncoding, upgrade, expect, te, connection } = seen
  let options = 0
  if (connection !== undefined) {
    options = connection === 'keep-alive' ? keepAliveOption : connectionOptions(connection, fields)
    if (options === -1) return refusals.invalidConnection
  }
  // The one coding of TE that a proxy can offer on (RFC 9110 §10.1.4): the sender of the next hop names it anew.
  if (te !== undefined && hasToken(te.toLowerCase(), 'trailers')) fields.push('te', 'trailers')
  return {
    fields,
    host,
    contentLength,
    transferEncoding,
    upgrade,
    expect,
    closes: (options & closeOption) !== 0,
    keepsAlive: (options & keepAliveOption) !== 0,
    upgrades: (options & upgradeOption) !== 0,
  }
}

const tokenPattern = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

/** Reads the options of `Connection` and takes the fields that it names out of `fields`. -1: not a list of tokens. */
function connectionOptions(value: string, fields: string[]): number {
  let options = 0
  let named: Set<string> | undefined
  for (const part of value.toLowerCase().split(',')) {
    const option = part.trim()
    if (option === '') continue
    if (!tokenPattern.test(option)) return -1
    if (option === 'close') options |= closeOption
    else if (option === 'keep-alive') options |= keepAliveOption
    else if (option === 'upgrade') options |= upgradeOption
    else {
      named ??= new Set()
      named.add(option)
    }
  }
  if (named !== undefined) dropNamed(fields, named)
  return options
}

function dropNamed(fields: string[], named: ReadonlySet<string>): void {
  let kept = 0
  for (let i = 0; i < fields.length; i += 2) {
    if (named.has(fields[i]!)) continue
    fields[kept] = fields[i]!
    fields[kept + 1] = fields[i + 1]!
    kept += 2
  }
  fields.length = kept
}

/** Whether a comma-separated list (lower case) has `token`, maybe with parameters. */
function hasToken(list: string, token: string): boolean {
  return list.split(',').some((part) => part.split(';', 1)[0]!.trim() === token)
}

function nameRefusal(bytes: Buffer, nameStart: number, at: number): Refusal {
  const octet = bytes[at]
  if (at === nameStart && (octet === space || octet === tab)) return refusals.foldedField
  if (octet === lineFeed) return refusals.bareLineFeed
  return refusals.invalidFieldName
}

function valueRefusal(bytes: Buffer, at: number): Refusal {
  if (bytes[at] === carriageReturn) return refusals.bareCarriageReturn
  if (bytes[at] === lineFeed) return refusals.bareLineFeed
  return refusals.invalidFieldValue
}

const tab = 0x09
const lineFeed = 0x0a
const carriageReturn = 0x0d
const space = 0x20
const colon = 0x3a
