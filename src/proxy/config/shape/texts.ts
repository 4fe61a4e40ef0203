/** Kinds of text that several places of the file share. */
import { isHost, mapped, refuse, type Schema, scalar, text } from '../schema/index.ts'
import { nonLinearPart } from './linear-pattern.ts'

/** RFC 9110 §5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** A name that listeners, routes and upstreams are called by: in logs, metrics and generated files. */
export const plainName = text({
  type: 'name',
  pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/,
  must: 'must begin with a letter or digit, and go on with letters, digits, ".", "_" and "-"',
  lengthMax: 128,
})

/** The name of an upstream where it is used. */
export const upstreamName: Schema<string> = scalar({ type: 'name', json: plainName.json({}) }, (value) => {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(value)) return value
  return refuse(
    /[:/]/.test(value)
      ? 'must be the name of an upstream: put the address there, as in upstreams: {app: {endpoints: [127.0.0.1:9000]}}'
      : 'must be the name of an upstream: letters, digits, ".", "_" and "-"',
  )
})

/** Fields that belong to the framing or to the proxy itself: edits of them would make messages that others read differently. */
const framingFields = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const fieldName = (mayFrame: boolean): Schema<string> =>
  scalar({ type: 'header name', json: { type: 'string' } }, (value) => {
    const name = value.toLowerCase()
    if (value.length > 256 || !token.test(value)) return refuse('must be a header name (a token of RFC 9110)')
    if (!mayFrame && framingFields.has(name))
      return refuse(name === 'host' ? 'use rewrite.host instead' : 'the proxy keeps this header itself')
    return name
  })

/** A header to look at; in lower case. */
export const headerName = fieldName(true)

/** A header to edit; in lower case. */
export const editedHeaderName = fieldName(false)

/** Control characters but for the tab. */
function hasControls(value: string): boolean {
  return /\p{Cc}/u.test(value.replaceAll('\t', ' '))
}

/** RFC 9110 §5.5: visible characters, spaces and tabs inside; bytes above 0x7f as Latin-1. */
export const headerValue: Schema<string> = scalar(
  { type: 'text', json: { type: ['string', 'number', 'boolean'] } },
  (value) => {
    if (value.length > 4_096) return refuse('a header value has at most 4096 characters')
    if (hasControls(value)) return refuse('a header value may hold no control characters or line ends')
    if (/[\u0100-\uffff]/.test(value)) return refuse('a header value may hold no characters past U+00FF: encode them')
    if (value !== value.trim()) return refuse('a header value may not begin or end with spaces')
    return value
  },
)

export const method: Schema<string> = scalar({ type: 'method', json: { type: 'string' } }, (value) => {
  if (value.length > 32 || !token.test(value)) return refuse('must be an HTTP method, such as GET')
  return value === value.toUpperCase() ? value : refuse(`methods are written in capitals: ${value.toUpperCase()}`)
})

/** RFC 6265 §4.1.1. */
export const cookieName = text({
  type: 'cookie name',
  pattern: token,
  must: 'must be a cookie name: letters, digits, "-" and "_"',
  lengthMax: 128,
})

/** A path of a URL: visible ASCII from "/" on, without query or fragment. */
export const urlPath = text({
  type: 'URL path',
  pattern: /^\/[!-"$->@-~]*$/,
  must: 'must begin with "/" and hold no spaces, "?" or "#" (encode what is special: %20)',
  lengthMax: 2_048,
})

/** A `Host` to send: name or address, with or without a port. */
export const authority: Schema<string> = scalar({ type: 'host, or host:port', json: { type: 'string' } }, (value) => {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:]+)(:\d{1,5})?$/.exec(value)
  return match !== null && (match[1]!.startsWith('[') || isHost(match[1]!))
    ? value
    : refuse('must be a host, or host:port')
})

/** A regular expression of JavaScript, without flags. */
const pattern: Schema<RegExp> = scalar({ type: 'regular expression', json: { type: 'string' } }, (value) => {
  if (value.length > 1_024) return refuse('a regular expression has at most 1024 characters')
  if (/\([^()]*[+*}][^()]*\)[+*{]/.test(value))
    return refuse('a repeated group that itself repeats, such as (a+)+, can take for ever: write it without')
  try {
    return new RegExp(value)
  } catch (error) {
    return refuse((error as Error).message)
  }
})

export const regularExpression: Schema<RegExp> = mapped(pattern, (expression, at, source) => {
  const part = nonLinearPart(expression.source)
  if (part !== undefined)
    source.warn(
      at,
      `has ${part}: such an expression can take very long on a path made for it; write it without, or order the routes so that an earlier one takes the exceptions`,
    )
  return expression
})

/** A file's path. What is relative is meant from the configuration's own folder. */
export const filePath = text({
  type: 'path of a file',
  pattern: /^\P{Cc}+$/u,
  must: 'must be a path without control characters',
})
