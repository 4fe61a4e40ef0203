/** Routes that can never be taken, because an earlier one takes all that they match. */
import type { HeaderMatch, HttpListenerConfig, PathMatch, RouteMatch } from '../model.ts'
import type { YamlSource } from '../schema/index.ts'

/** Comparing each route with all before it is quadratic: past this many routes of a listener it is left out. */
const comparedMax = 2_000

/** Warns at each route that another before it hides. What regular expressions mean is not looked into. */
export function warnUnreachable(listener: HttpListenerConfig, source: YamlSource): void {
  if (listener.routes.length > comparedMax) return
  listener.routes.forEach((route, index) => {
    const hiding = listener.routes.slice(0, index).find((earlier) => covers(earlier.match, route.match))
    if (hiding !== undefined)
      source.warn(
        source.placeOf(route),
        `is never reached: ${hiding.name}, which stands before it, takes all that it matches`,
      )
  })
}

/** Whether all that `inner` matches is matched by `outer` too. May say no where the answer is yes. */
export function covers(outer: RouteMatch, inner: RouteMatch): boolean {
  return (
    coversHosts(outer.hosts, inner.hosts) &&
    coversPath(outer.path, inner.path) &&
    (outer.methods.length === 0 ||
      (inner.methods.length > 0 && inner.methods.every((method) => outer.methods.includes(method)))) &&
    outer.headers.every((header) => inner.headers.some((other) => sameHeader(header, other)))
  )
}

function coversHosts(outer: readonly string[], inner: readonly string[]): boolean {
  if (outer.length === 0) return true
  if (inner.length === 0) return false
  const exact = new Set(outer)
  const suffixes = outer.filter((host) => host.startsWith('*.')).map((host) => host.slice(1))
  return inner.every((host) => exact.has(host) || suffixes.some((suffix) => host.endsWith(suffix)))
}

function coversPath(outer: PathMatch, inner: PathMatch): boolean {
  if (outer.type === 'prefix') {
    if (outer.value === '/') return true
    if (inner.type === 'regex') return false
    return matchesPrefix(outer.value, inner.value)
  }
  if (outer.type === 'exact') return inner.type === 'exact' && inner.value === outer.value
  return inner.type === 'regex' && inner.value.source === outer.value.source
}

/** As the model says: `/api` matches `/api` and `/api/x`, not `/apix`; `/api/` what begins with it. */
function matchesPrefix(prefix: string, path: string): boolean {
  if (!path.startsWith(prefix)) return false
  return prefix.endsWith('/') || path.length === prefix.length || path[prefix.length] === '/'
}

function sameHeader(a: HeaderMatch, b: HeaderMatch): boolean {
  if (a.name !== b.name || a.test.type !== b.test.type) return false
  if ('value' in a.test && 'value' in b.test) return String(a.test.value) === String(b.test.value)
  return true
}
