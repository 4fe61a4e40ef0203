/** Cookies of a request and for a response (RFC 6265 §4). */
import type { StickyConfig } from '../config/index.ts'
import type { RequestHead } from '../http/index.ts'

/** The value of the first cookie of that name; undefined when there is none. HTTP/2 may split cookies into several fields. */
export function cookieValue(head: RequestHead, name: string): string | undefined {
  const { fields } = head
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== 'cookie') continue
    const value = findIn(fields[i + 1]!, name)
    if (value !== undefined) return value
  }
  return undefined
}

function findIn(list: string, name: string): string | undefined {
  for (let at = list.indexOf(name); at !== -1; at = list.indexOf(name, at + 1)) {
    const end = at + name.length
    if (list[end] !== '=') continue
    if (at > 0 && list[at - 1] !== ' ' && list[at - 1] !== ';') continue
    const semicolon = list.indexOf(';', end)
    return list.slice(end + 1, semicolon === -1 ? list.length : semicolon).trim()
  }
  return undefined
}

/** The `set-cookie` that keeps a client at an endpoint. */
export function stickyCookie(config: StickyConfig, value: string, scheme: string): string {
  const age = config.maxAgeSeconds > 0 ? `; Max-Age=${config.maxAgeSeconds}` : ''
  const secure = scheme === 'https' ? '; Secure' : ''
  return `${config.cookie}=${value}; Path=${config.path}${age}; HttpOnly; SameSite=Lax${secure}`
}
