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
  /** The location that it stands in. */
  readonly within?: Location
}

/** One route's path, and the location whose settings it has. */
export interface OrderedPath {
  readonly path: unknown
  readonly location: Location
}

/** Named ones are taken by those that name them. */
function blocksOf(scope: Scope): readonly Directive[] {
  return scope.directives.filter(({ name, args }) => name === 'location' && args[0]?.startsWith('@') !== true)
}

/** The locations of a server; what cannot be read is told and left out. */
export function locationsOf(server: Scope): readonly Location[] {
  return blocksOf(server).flatMap((directive) => {
    const location = locationOf(directive, server)
    return location === undefined ? [] : [location, ...nested(location)]
  })
}

/**
 * Locations within a location, as if they stood beside it: nginx takes them once the outer one is the longest prefix, and its
 * own expressions before those of the server.
 */
function nested(outer: Location): readonly Location[] {
  return blocksOf(outer.scope).flatMap((directive) => {
    const inner = locationOf(directive, outer.scope)
    if (inner === undefined) return []
    const isWithin = outer.kind === 'prefix' || outer.kind === 'stop-prefix'
    if (!isWithin) {
      outer.scope.notes.tell(
        directive,
        'stands in a location that is no prefix: not carried over, the outer one takes its requests',
      )
      return []
    }
    if (inner.kind === 'regex') return [{ ...inner, within: outer }]
    const kind = inner.kind === 'prefix' && outer.kind === 'stop-prefix' ? 'stop-prefix' : inner.kind
    const made: Location = { ...inner, kind, within: outer }
    return [made, ...nested(made)]
  })
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
  const regexes = of('regex').filter(({ within }) => within === undefined)
  const plain = longestFirst(of('prefix'))
  const result: OrderedPath[] = of('exact').map((location) => ({ path: { exact: location.value }, location }))
  for (const inner of of('regex')) {
    if (inner.within !== undefined) result.push({ path: withinRegex(inner, inner.within, locations), location: inner })
  }
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
function boundRegex(prefix: string, { value, ignoreCase }: Pick<Location, 'value' | 'ignoreCase'>): unknown {
  const start = ignoreCase ? `(?-i:${escapeRegex(prefix)})` : escapeRegex(prefix)
  return regexPath(`^(?=${start})(?=[\\s\\S]*?(?:${value}))`, ignoreCase)
}

/** The expression, where `outer` is the longest prefix of the path. */
function withinRegex({ value, ignoreCase }: Location, outer: Location, all: readonly Location[]): unknown {
  const longer = all
    .filter(
      ({ kind, value: other }) => kind.endsWith('prefix') && other !== outer.value && other.startsWith(outer.value),
    )
    // Those beside it in `outer` yield to it.
    .filter(({ within, directive }) => within !== outer || directive.args[0]?.startsWith('^~'))
    .map((each) => escapeRegex(each.value))
  const front = `${escapeRegex(outer.value)}${longer.length === 0 ? '' : `)(?!${longer.join('|')}`}`
  if (longer.length === 0) return boundRegex(outer.value, { value, ignoreCase })
  return regexPath(`^(?=${front})(?=[\\s\\S]*?(?:${value}))`, ignoreCase)
}

/** The expression, for the paths that `location` takes: its route comes right after, so `/` needs no more. */
export function prefixedRegex(location: Location | undefined, regex: string, ignoreCase: boolean): unknown {
  if (location === undefined || location.kind === 'regex' || location.value === '/') return regexPath(regex, ignoreCase)
  if (location.kind === 'exact') return { exact: location.value }
  if (!ignoreCase && regex.startsWith(`^${escapeRegex(location.value)}`) && !regex.includes('|'))
    return regexPath(regex, false)
  return boundRegex(location.value, { value: regex, ignoreCase })
}
