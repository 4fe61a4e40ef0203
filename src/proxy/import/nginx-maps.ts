/**
 * `map $http_x_group $backend { … }` where `proxy_pass http://$backend` asks for it: a location for each entry, with what a
 * request must match to get there, in nginx's order (ngx_http_map_module: texts, then names with `*`, then expressions, then
 * the default).
 */
import { type Condition, conditionOf, type RequestFacts } from './nginx-conditions.ts'
import type { Directive } from './nginx-syntax.ts'
import { escapeRegex } from './nginx-values.ts'
import { Scope } from './scope.ts'

/** One entry: what requests must match, undefined for all that are left, and the location with its target put in. */
export interface MappedScope {
  readonly condition: Condition | undefined
  readonly scope: Scope
}

/** More are not carried over: each is a route of each location that uses the map. */
const entriesMax = 64

/** Undefined where the target is no map's variable alone, or its entries cannot be expressed. */
export function mappedScopes(
  scope: Scope,
  maps: ReadonlyMap<string, Directive>,
  facts: RequestFacts,
): readonly MappedScope[] | undefined {
  const pass = scope.own('proxy_pass')[0]
  const [, scheme = '', name = ''] = /^(https?:\/\/)?\$\{?(\w+)\}?$/.exec(pass?.args[0] ?? '') ?? []
  const map = maps.get(name)
  if (pass === undefined || map === undefined) return undefined
  const entries = (map.block ?? []).filter((entry) => entry.name !== 'volatile')
  const hasWildcards = entries.some((entry) => entry.name === 'hostnames')
  const source = map.args[0] ?? ''
  const found: { readonly rank: number; readonly made: MappedScope }[] = []
  for (const entry of entries) {
    if (entry.name === 'hostnames' && entry.args.length === 0) continue
    const [value = ''] = entry.args
    // A path in it would take the place of the request's, and another variable is another question.
    if (!/^(https?:\/\/)?[^/$]+$/.test(value) || (scheme === '') !== value.includes('://')) return undefined
    const condition = entry.name === 'default' ? undefined : conditionFor(map, source, entry, facts, hasWildcards)
    if (condition === 'unknown') return undefined
    const made = { condition, scope: passingTo(scope, pass, scheme + value) }
    if (condition?.type !== 'never') found.push({ rank: rankOf(entry), made })
  }
  if (found.length > entriesMax || !found.some(({ made }) => made.condition === undefined)) return undefined
  return found.sort((one, other) => one.rank - other.rank).map(({ made }) => made)
}

/** Sorts as nginx looks: of names with `*` the longest first; equal ranks stay in the order of the file. */
function rankOf({ name }: Directive): number {
  if (name === 'default') return Number.POSITIVE_INFINITY
  if (name.startsWith('~')) return 1_000
  return /^\*?\./.test(name) ? 999 - Math.min(998, name.length) : 0
}

function conditionFor(
  map: Directive,
  source: string,
  { name }: Directive,
  facts: RequestFacts,
  hasWildcards: boolean,
): Condition | 'unknown' {
  const isHost = /^\$(host|http_host)$/.test(source)
  if (!isHost && !/^\$(http_\w+|content_type|request_method|scheme|server_port)$/.test(source)) return 'unknown'
  const asked = (operator: string, operand: string): Condition | 'unknown' =>
    conditionOf({ ...map, name: 'if', args: [`(${source}`, operator, `${operand})`] }, facts) ?? 'unknown'
  if (name.startsWith('~')) return name.startsWith('~*') ? asked('~*', name.slice(2)) : asked('~', name.slice(1))
  const text = name.startsWith('\\') ? name.slice(1) : name
  if (/^\*?\./.test(name) && hasWildcards) {
    if (!isHost || source === '$http_host') return 'unknown'
    return wildcardCondition(name.toLowerCase(), facts)
  }
  // Capitals do not matter, but for methods, which are written in them.
  return isHost || text === '' || source === '$request_method'
    ? asked('=', text)
    : asked('~*', `^${escapeRegex(text)}$`)
}

/** `*.example`, and `.example`, which takes `example` too. */
function wildcardCondition(wildcard: string, { names }: RequestFacts): Condition | 'unknown' {
  const suffix = wildcard.replace(/^\*/, '')
  const takesBare = !wildcard.startsWith('*')
  if (names.length === 0) {
    const host = takesBare ? [suffix.slice(1), `*${suffix}`] : `*${suffix}`
    return { type: 'match', matches: [{ host }] }
  }
  if (names.some((name) => name.startsWith('*'))) return 'unknown'
  const taken = names.filter((name) => name.endsWith(suffix) || (takesBare && name === suffix.slice(1)))
  if (taken.length === 0) return { type: 'never' }
  return taken.length === names.length ? { type: 'always' } : { type: 'match', matches: [{ host: taken }] }
}

/** The block with another target. With a variable in it nginx replaces nothing in answers by itself. */
function passingTo(scope: Scope, pass: Directive, target: string): Scope {
  const isSilent = !scope.all('proxy_redirect').some(({ args }) => args[0] !== 'default')
  const directives = scope.directives
    .filter(({ name }) => name !== 'proxy_redirect' || !isSilent)
    .map((each) => (each === pass ? { ...pass, args: [target] } : each))
  const off: readonly Directive[] = isSilent
    ? [{ ...pass, name: 'proxy_redirect', args: ['off'], block: undefined }]
    : []
  return new Scope([...directives, ...off], scope.outer, scope.notes)
}
