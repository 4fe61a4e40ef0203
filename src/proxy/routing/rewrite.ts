/** The path a request is forwarded with. */
import type { PathMatch } from '../config/index.ts'
import type { CanonicalPath } from './canonical-path.ts'

/**
 * The rewritten path. A `prefix` is replaced and the rest kept (with exactly one slash between the two); the path of an
 * `exact` match is replaced whole; so is that of a `regex`, with `$1` to `$9` and `$0` from the match.
 */
export function rewritePath(
  replacement: string,
  match: PathMatch,
  pattern: string,
  path: CanonicalPath,
  groups: readonly (string | undefined)[] | undefined,
): string {
  if (match.type === 'exact') return rooted(replacement)
  if (match.type === 'regex') {
    return rooted(replacement.replace(/\$([0-9])/g, (_whole, digit: string) => groups?.[Number(digit)] ?? ''))
  }
  return joined(
    replacement,
    (startsWithPrefix(path.escaped, pattern) ? path.escaped : path.matched).slice(pattern.length),
  )
}

/** Where the prefix itself, or its end, was spelled with %2F or has parameters, only the compared form begins with it. */
function startsWithPrefix(path: string, pattern: string): boolean {
  if (!path.startsWith(pattern)) return false
  return path.length === pattern.length || pattern.endsWith('/') || path[pattern.length] === '/'
}

function joined(front: string, rest: string): string {
  const base = front.endsWith('/') ? front.slice(0, -1) : front
  if (rest === '') return rooted(front)
  return rooted(rest.startsWith('/') ? base + rest : `${base}/${rest}`)
}

function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}

/** `path` with the query of the client (`?` included, or empty); a query in the replacement goes before it. */
export function withQuery(path: string, query: string): string {
  if (query === '' || !path.includes('?')) return path + query
  return query === '?' ? path : `${path}&${query.slice(1)}`
}
