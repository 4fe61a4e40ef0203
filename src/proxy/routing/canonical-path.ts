/**
 * The one form of a path that routes are compared with, so that no other spelling of it slips past a route.
 *
 * - `%XX` of a printable ASCII character becomes the character; others stay, in upper case. Bytes above 0x7F are escaped.
 *   `%25`, `%3F`, `%23` and `%5C` stay: decoded they would mean something else. In `matched`, `%2F` and `%5C` become `/`.
 * - `//` counts as `/`, and `.` and `..` segments are removed (RFC 3986 §5.2.4), also when written `%2e`.
 * - The parameters of segments (`/private;x`, RFC 3986 §3.3) are left out of `matched`: Java's servers take them off before
 *   they look for what is asked, others do not, and neither may lead past a route.
 * - Refused (400): `..` above the root; `%00` and other escaped control bytes; a `%` without two digits; `\`, `#`, blanks;
 *   a dot segment next to `%2F` or `%5C`, or with a parameter (`..;x`): servers disagree on where those lead.
 *
 * What is sent upstream is decided by `forwarded`: the client's own bytes, unless dot segments were removed; then the
 * canonical form, because an upstream that takes `..` for a name would see another path than the route did.
 */

export interface CanonicalPath {
  /** What routes are compared with. */
  readonly matched: string
  /** The same, with `%2F` kept: what rewrites start from. */
  readonly escaped: string
  /** What goes upstream when nothing is rewritten: without the query. */
  readonly forwarded: string
}

const slash = 0x2f
const percent = 0x25
const dot = 0x2e
const question = 0x3f
const semicolon = 0x3b

/** Where the query (`?` included) begins; the length of `target` when there is none. */
export function queryStart(target: string): number {
  const at = target.indexOf('?')
  return at === -1 ? target.length : at
}

/** The canonical form of the path of `target` (origin form, query allowed); undefined when it must be refused. */
export function canonicalPath(target: string): CanonicalPath | undefined {
  if (target.charCodeAt(0) !== slash) return undefined
  const end = plainEnd(target)
  if (end === -1) return canonicalSlow(target.slice(0, queryStart(target)))
  const path = end === target.length ? target : target.slice(0, end)
  return { matched: path, escaped: path, forwarded: path }
}

/** The end of the path when it is canonical as it stands; else -1. */
function plainEnd(target: string): number {
  let previous = 0
  for (let i = 0; i < target.length; i++) {
    const unit = target.charCodeAt(i)
    if (unit === question) return i
    // Any segment that begins with a dot takes the slow way, which tells `.well-known` from `..`.
    if (previous === slash && (unit === slash || unit === dot)) return -1
    if (unit === percent || unit === semicolon || isOutsidePlainPath(unit)) return -1
    previous = unit
  }
  return target.length
}

function isOutsidePlainPath(unit: number): boolean {
  return unit <= 0x20 || unit >= 0x7f || unit === 0x23 || unit === 0x5c
}

function canonicalSlow(path: string): CanonicalPath | undefined {
  const decoded = decodePrintable(path)
  if (decoded === undefined || /(^|\/)\.\.?;/.test(decoded)) return undefined
  const segments: string[] = []
  let removedDots = false
  const parts = decoded.split('/')
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1
    if (part === '.' || part === '..') {
      removedDots = true
      if (part === '..' && segments.pop() === undefined) return undefined
      if (isLast) segments.push('')
    } else if (part !== '' || isLast) {
      segments.push(part)
    }
  }
  const escaped = `/${segments.join('/')}`
  if (hasHiddenDots(escaped)) return undefined
  return { matched: comparedForm(escaped), escaped, forwarded: removedDots ? escapedPath(escaped) : path }
}

function comparedForm(escaped: string): string {
  if (!/;|%2F|%5C/.test(escaped)) return escaped
  return withoutParameters(escaped.replace(/%2F|%5C/g, '/')).replace(/\/{2,}/g, '/')
}

function withoutParameters(path: string): string {
  return path.replace(/;[^/]*/g, '')
}

/** A path that was decoded, fit for a request line again: what no URI may hold as it stands (RFC 3986 §2) is escaped. */
export function escapedPath(path: string): string {
  return path.replace(/["<>`]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** Dot segments whose border is an escaped slash or backslash. */
function hasHiddenDots(escaped: string): boolean {
  return escaped.includes('%') && /(\/|%2F|%5C)\.\.?(;|\/|%2F|%5C|$)/.test(escaped)
}

/** Decodes what may be decoded; undefined when the path holds what no path may. */
function decodePrintable(path: string): string | undefined {
  let out = ''
  for (let i = 0; i < path.length; i++) {
    const unit = path.charCodeAt(i)
    if (unit === percent) {
      const hex = path.slice(i + 1, i + 3)
      if (!/^[0-9a-fA-F]{2}$/.test(hex)) return undefined
      const byte = Number.parseInt(hex, 16)
      if (byte < 0x20 || byte === 0x7f) return undefined
      out += isDecodable(byte) ? String.fromCharCode(byte) : `%${hex.toUpperCase()}`
      i += 2
    } else if (unit > 0x7f && unit <= 0xff) {
      out += `%${unit.toString(16).toUpperCase()}`
    } else if (isOutsidePlainPath(unit)) {
      return undefined
    } else {
      out += path[i]
    }
  }
  return out
}

function isDecodable(byte: number): boolean {
  return (
    byte > 0x20 &&
    byte < 0x7f &&
    byte !== percent &&
    byte !== slash &&
    byte !== question &&
    byte !== 0x23 &&
    byte !== 0x5c
  )
}

/**
 * A path from the configuration in the form of {@link CanonicalPath.matched}: bytes above 0x7F as UTF-8 escapes, escapes
 * of printable characters decoded, parameters left out. Dots and slashes stand as written.
 */
export function canonicalPattern(path: string): string {
  const bytes = Buffer.from(path, 'utf8').latin1Slice(0, Buffer.byteLength(path))
  return withoutParameters((decodePrintable(bytes.replaceAll(' ', '%20')) ?? path).replace(/%2F|%5C/g, '/'))
}
