/**
 * `location` blocks in nginx's order of precedence (ngx_http_core_find_location, nginx 1.22): `=` first; then the longest
 * prefix; unless that is `^~`, the regular expressions in the order of the file; then that longest prefix. Our routes are
 * tried in order, so the order is made here. Where a longer plain prefix lies inside a `^~` one, the regular expressions
 * that hold inside the longer are put before, bound to it by a lookahead.
 */
import type { Directive } from './nginx-syntax.ts'
import { escapeRegex, ourPath, ourRegex } from './nginx-values.ts'
import type { Scope } from './scope.ts'

export interface Location {
  readonly kind: 'exact' | 'stop-prefix' | 'prefix' | 'regex'
  /** The path as our routes have it, or the expression. */
  readonly value: string
  readonly ignoreCase: boolean
  readonly scope: Scope
  readonly directive: Directive
}

/** One route's path, and the location whose settings it has. */
export interface OrderedPath {
  readonly path: unknown
  readonly location: Location
}

/** The locations of a server; what cannot be read is told and left out. */
export function locationsOf(server: Scope): readonly Location[] {
  return server.own('location').flatMap((directive) => {
    const location = locationOf(directive, server)
    return location === undefined ? [] : [location, ...nested(location)]
  })
}

function nested(location: Location): readonly Location[] {
  for (const inner of location.scope.own('location'))
    location.scope.notes.tell(inner, 'locations within locations are not carried over')
  return []
}

function locationOf(directive: Directive, server: Scope): Location | undefined {
  const [first = '', second] = directive.args
  const scope = server.inside(directive)
  const of = (kind: Location['kind'], value: string, ignoreCase = false): Location => ({
    kind,
    value,
    ignoreCase,
    scope,
    directive,
  })
  if (first.startsWith('@')) {
    server.notes.tell(directive, 'named locations are not carried over')
    return undefined
  }
  const [modifier, value] = second === undefined ? splitModifier(first) : [first, second]
  if (modifier === '~' || modifier === '~*') {
    const regex = ourRegex(value)
    if (regex !== undefined) return of('regex', regex.regex, modifier === '~*' || regex.ignoreCase)
    server.notes.tell(
      directive,
      'this regular expression means something else in JavaScript, or may take for ever: left out',
    )
    return undefined
  }
  const kinds = { '=': 'exact', '^~': 'stop-prefix', '': 'prefix' } as const
  const kind = kinds[modifier as keyof typeof kinds]
  const path = kind === undefined ? undefined : ourPath(value)
  if (kind !== undefined && path !== undefined) return of(kind, path)
  server.notes.tell(directive, 'is no path that could be carried over: left out')
  return undefined
}

function splitModifier(text: string): readonly [string, string] {
  const [, modifier, value] = /^(=|\^~|~\*|~)(.+)$/.exec(text) ?? ['', '', text]
  return [modifier ?? '', value ?? '']
}

/** The order in which our routes must be tried. */
export function orderedPaths(locations: readonly Location[]): readonly OrderedPath[] {
  const of = (kind: Location['kind']): readonly Location[] => locations.filter((location) => location.kind === kind)
  const longestFirst = (list: readonly Location[]): Location[] =>
    [...list].sort((a, b) => b.value.length - a.value.length)
  const regexes = of('regex')
  const plain = longestFirst(of('prefix'))
  const result: OrderedPath[] = of('exact').map((location) => ({ path: { exact: location.value }, location }))
  const placed = new Set<Location>()
  for (const prefix of longestFirst(of('stop-prefix'))) {
    for (const inner of plain) {
      if (placed.has(inner) || !inner.value.startsWith(prefix.value)) continue
      placed.add(inner)
      for (const regex of regexes) result.push({ path: boundRegex(inner.value, regex), location: regex })
      result.push(prefixPath(inner))
    }
    result.push(prefixPath(prefix))
  }
  for (const regex of regexes) result.push({ path: regexPath(regex.value, regex.ignoreCase), location: regex })
  for (const prefix of plain) if (!placed.has(prefix)) result.push(prefixPath(prefix))
  return result
}

function prefixPath(location: Location): OrderedPath {
  return { path: location.value, location }
}

function regexPath(regex: string, ignoreCase: boolean): unknown {
  return ignoreCase ? { regex, ignoreCase } : { regex }
}

/** The expression, where the path begins with `prefix`, whose capitals matter. */
function boundRegex(prefix: string, { value, ignoreCase }: Location): unknown {
  const start = ignoreCase ? `(?-i:${escapeRegex(prefix)})` : escapeRegex(prefix)
  return regexPath(`^(?=${start})(?=[\\s\\S]*?(?:${value}))`, ignoreCase)
}
