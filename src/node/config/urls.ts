/** http URLs for listening and advertising. https is refused by name: TLS comes later, and must not seem to be there. */
import type { Address } from '../../runtime/index.ts'

export interface HttpUrl {
  /** As it was given, normalised. */
  readonly text: string
  readonly host: string
  readonly port: number
}

/** Comma-separated URLs; problems go to `problems`, prefixed with `source`. */
export function parseUrls(source: string, text: string, problems: string[]): HttpUrl[] {
  const urls: HttpUrl[] = []
  for (const part of text.split(',').map((piece) => piece.trim())) {
    const problem = parseUrl(part, urls)
    if (problem !== undefined) problems.push(`${source}: ${problem}`)
  }
  return urls
}

function parseUrl(text: string, into: HttpUrl[]): string | undefined {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return `"${text}" is not a URL; write http://HOST:PORT`
  }
  if (url.protocol === 'https:')
    return `${text}: https is not carried out yet; use http, on loopback or in a network you trust`
  if (url.protocol !== 'http:') return `${text}: only http://HOST:PORT is understood`
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '')
    return `${text}: a URL here has a host and a port and nothing more`
  // The URL class drops port 80, http's own; it has to be written out all the same.
  const port = url.port === '' && /:80\/?$/.test(text) ? 80 : Number(url.port)
  if (url.port === '' && port !== 80) return `${text}: a port is missing; write http://${url.hostname}:2379`
  const host = url.hostname.replace(/^\[|\]$/g, '')
  into.push({ text: `http://${url.hostname}:${port}`, host, port })
  return undefined
}

export function addressOf(url: HttpUrl): Address {
  return { host: url.host, port: url.port }
}

/** Whether only this machine can reach a listener at `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host)
}
