/**
 * HTTP/2 heads of requests as the proxy's own: pseudo-header fields out, fields of the framing out, cookies joined. What
 * HTTP/2 allows but HTTP/1 could misread is refused here, since the request may go on as either.
 *
 * A head that is shared by equal header blocks is translated once, and its translation kept in its memo.
 */
import { FieldKind, type RequestHead as WireRequestHead } from '../../wire/http2/index.ts'
import { type BodyLength, type Fields, isAuthority, type RequestHead } from '../http/index.ts'
import { firstValue } from './field-list.ts'

/** A request that is answered here. */
export class Refusal {
  readonly status: number
  readonly reason: string

  constructor(status: number, reason: string) {
    this.status = status
    this.reason = reason
  }
}

/** What a connection says about all its requests. */
export interface TranslationRules {
  /** Of the connection; what `:scheme` says is only checked. */
  readonly scheme: 'http' | 'https'
  readonly headerFieldsMax: number
}

class Http2RequestHead implements RequestHead {
  readonly version = '2'
  readonly method: string
  readonly target: string
  readonly scheme: 'http' | 'https'
  readonly authority: string
  readonly fields: Fields
  readonly bodyLength: BodyLength
  readonly expectsContinue: boolean
  readonly upgrade = undefined
  memo: unknown = undefined

  constructor(
    wire: WireRequestHead,
    scheme: 'http' | 'https',
    fields: Fields,
    bodyLength: BodyLength,
    expectsContinue: boolean,
  ) {
    this.method = wire.method
    this.target = wire.path
    this.scheme = scheme
    this.authority = wire.authority
    this.fields = fields
    this.bodyLength = bodyLength
    this.expectsContinue = expectsContinue
  }

  get(name: string): string | undefined {
    return firstValue(this.fields, name)
  }
}

/** The translations of one wire head: requests with and without a body may share it. */
class Translations {
  readonly rules: TranslationRules
  withBody: Http2RequestHead | Refusal | undefined = undefined
  withoutBody: Http2RequestHead | Refusal | undefined = undefined

  constructor(rules: TranslationRules) {
    this.rules = rules
  }
}

/** The proxy's head of a request, or why there is none. `endStream`: the request has no body. */
export function translateRequest(
  wire: WireRequestHead,
  endStream: boolean,
  rules: TranslationRules,
): RequestHead | Refusal {
  let known = wire.memo instanceof Translations && wire.memo.rules === rules ? wire.memo : undefined
  if (known === undefined) {
    known = new Translations(rules)
    wire.memo = known
  }
  if (endStream) {
    known.withoutBody ??= translate(wire, true, rules)
    return known.withoutBody
  }
  known.withBody ??= translate(wire, false, rules)
  return known.withBody
}

function translate(wire: WireRequestHead, endStream: boolean, rules: TranslationRules): Http2RequestHead | Refusal {
  if (wire.method === 'CONNECT') return new Refusal(405, 'CONNECT is not served here')
  if (!methodPattern.test(wire.method)) return new Refusal(400, 'the method is not a token')
  if (!isTarget(wire.path, wire.method)) return new Refusal(400, 'the path is not one')
  if (wire.scheme !== 'http' && wire.scheme !== 'https') return new Refusal(400, 'the scheme is neither http nor https')
  if (wire.authority === '') return new Refusal(400, 'neither :authority nor host')
  if (!isAuthority(wire.authority)) return new Refusal(400, 'the authority is not host and port')
  const fields: string[] = []
  const count = wire.fields.length
  if (count > rules.headerFieldsMax + pseudoFieldsMax) return new Refusal(431, 'too many header fields')
  let cookie: string | undefined
  let expectsContinue = false
  for (let i = 0; i < count; i++) {
    const { kind, name, value } = wire.fields[i]!
    if (kind === FieldKind.host) {
      if (!sameAuthority(value, wire.authority)) return new Refusal(400, 'host and :authority differ')
    } else if (kind === FieldKind.regular) {
      // RFC 9113 §8.2.3: cookies may come in crumbs. `te` concerns this hop alone; towards gRPC servers it is set anew.
      if (name === 'cookie') cookie = cookie === undefined ? value : `${cookie}; ${value}`
      else if (name === 'expect' && value.toLowerCase() === '100-continue') expectsContinue = true
      else if (name !== 'te') fields.push(name, value)
    }
  }
  if (cookie !== undefined) fields.push('cookie', cookie)
  const bodyLength = endStream ? 0 : wire.contentLength === -1 ? 'unknown' : wire.contentLength
  return new Http2RequestHead(wire, rules.scheme, fields, bodyLength, expectsContinue && bodyLength !== 0)
}

const pseudoFieldsMax = 4
const methodPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/
/** What the HTTP/1.1 side takes (`targetBit` there): the request may go on as HTTP/1.1. */
const targetPattern = /^\/[A-Za-z0-9\-._~%!$&'()*+,;=:@/?[\]{}|^\\`]*$/

/** Path and query, or `*` for OPTIONS. */
function isTarget(path: string, method: string): boolean {
  return targetPattern.test(path) || (path === '*' && method === 'OPTIONS')
}

function sameAuthority(host: string, authority: string): boolean {
  return host === authority || host.toLowerCase() === authority.toLowerCase()
}
