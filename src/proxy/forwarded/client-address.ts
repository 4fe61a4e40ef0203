/**
 * Who the client is, when trusted proxies stand in between: their `X-Forwarded-For` (or `Forwarded`, RFC 7239 §5.2) is
 * read from the right, as each proxy appends the peer it saw; the first address that is not trusted is the client.
 * What stands left of it may be invented by the client and is not believed.
 */
import type { Fields } from '../http/index.ts'
import { parseIp } from '../ip/index.ts'
import type { CidrSet } from './cidr.ts'

/** Entries looked at, from the right. More trusted hops than this is a loop or an attack. */
const hopsMax = 64

/** The client's address: the connection's peer, or what trusted proxies say in `fields`. */
export function clientAddress(peer: string, fields: Fields, trusted: CidrSet): string {
  if (trusted.size === 0 || !trusted.has(peer)) return peer
  const list = joinedValues(fields, 'x-forwarded-for')
  const hops = list !== undefined ? list.split(',') : forwardedFor(joinedValues(fields, 'forwarded') ?? '')
  let address = peer
  for (let i = hops.length - 1; i >= Math.max(0, hops.length - hopsMax); i--) {
    const hop = addressOf(hops[i]!.trim())
    // `unknown`, obfuscated names (RFC 7239 §6.3) and malformed entries end the chain: nothing behind them can be told.
    if (hop === undefined) return address
    address = hop
    if (!trusted.has(hop)) return hop
  }
  return address
}

/** All values of a field as one list (RFC 9110 §5.3); undefined when it is absent. */
export function joinedValues(fields: Fields, name: string): string | undefined {
  let joined: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) joined = joined === undefined ? fields[i + 1]! : `${joined}, ${fields[i + 1]!}`
  }
  return joined
}

/** An address without its port: `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `[2001:db8::1]:80`. Undefined: not one. */
function addressOf(node: string): string | undefined {
  let host = node
  if (host.startsWith('[')) {
    const end = host.indexOf(']')
    if (end === -1 || !/^(:\d{1,5})?$/.test(host.slice(end + 1))) return undefined
    host = host.slice(1, end)
  } else {
    const colon = host.indexOf(':')
    if (colon !== -1 && host.indexOf(':', colon + 1) === -1) {
      if (!/^\d{1,5}$/.test(host.slice(colon + 1))) return undefined
      host = host.slice(0, colon)
    }
  }
  return parseIp(host) === undefined ? undefined : host
}

/** The `for` of each element of a `Forwarded` list; an element without one yields an empty text. */
function forwardedFor(list: string): string[] {
  return splitOutsideQuotes(list, ',').map((element) => {
    for (const pair of splitOutsideQuotes(element, ';')) {
      const equals = pair.indexOf('=')
      if (equals !== -1 && pair.slice(0, equals).trim().toLowerCase() === 'for')
        return unquote(pair.slice(equals + 1).trim())
    }
    return ''
  })
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = []
  let start = 0
  let isQuoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (isQuoted && char === '\\') i++
    else if (char === '"') isQuoted = !isQuoted
    else if (char === separator && !isQuoted) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value
  return value.slice(1, -1).replace(/\\(.)/g, '$1')
}
