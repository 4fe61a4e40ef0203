/** What a location (or a server without one) does with a request, as one of our routes. */

import { basename } from 'node:path'
import { isHost } from '../config/index.ts'
import { guardOf } from './nginx-access.ts'
import type { RequestFacts } from './nginx-conditions.ts'
import { requestHeaders, responseHeaders } from './nginx-headers.ts'
import { type Location, prefixedRegex } from './nginx-locations.ts'
import { type MappedScope, mappedScopes } from './nginx-maps.ts'
import { locationRewrites } from './nginx-redirects.ts'
import { rewritePhase } from './nginx-rewrites.ts'
import type { Directive } from './nginx-syntax.ts'
import { addressOf, type NginxUpstreams, type UpstreamDraft } from './nginx-upstreams.ts'
import { escapeRegex, isFile, nginxSize, nginxTimeMs, ourRegex, ourSize, ourTime, wholeNumber } from './nginx-values.ts'
import { expandSet } from './nginx-variables.ts'
import type { Scope } from './scope.ts'
import { whyNot } from './whys.ts'
import { comment } from './written.ts'

export type RouteDraft = Record<string, unknown>

/** What all of an import share. */
export interface NginxImport {
  readonly upstreams: NginxUpstreams
  /** `limit_req_zone` by name: our rate and key. */
  readonly rateZones: ReadonlyMap<string, { readonly rate: string; readonly key: string }>
  /** `split_clients` by variable: upstream or address, and its share in hundredths of a percent. */
  readonly splits: ReadonlyMap<string, readonly (readonly [target: string, share: number])[]>
  /** `map` by the variable that it sets, without its `$`. */
  readonly maps: ReadonlyMap<string, Directive>
}

/** What a location does with requests, as routes in order; undefined when nothing in it answers one. */
export function routesOf(
  scope: Scope,
  location: Location | undefined,
  shared: NginxImport,
  facts: RequestFacts,
): readonly RouteDraft[] | undefined {
  const { routes, hasEnded } = rewriteRoutes(scope, location, shared, facts)
  if (hasEnded) return routes
  const content = contentRoutes(scope, location, shared, facts)
  if (content !== undefined) return [...routes, ...content]
  return routes.length === 0 ? undefined : [...routes, ...unsupported(scope, location?.directive)]
}

/** The routes of the rewrite phase. */
export function rewriteRoutes(
  scope: Scope,
  location: Location | undefined,
  shared: NginxImport,
  facts: RequestFacts,
): { readonly routes: readonly RouteDraft[]; readonly hasEnded: boolean } {
  const { steps, hasEnded } = rewritePhase(scope, location, facts, (inner) => forwardOf(inner, location, shared))
  return {
    routes: steps.map((step) => ({ ...step.match, ...finished(step.answer, step.scope, shared), ...told(step.by) })),
    hasEnded,
  }
}

/** What is done with requests that the rewrite phase leaves. */
export function contentRoutes(
  scope: Scope,
  location: Location | undefined,
  shared: NginxImport,
  facts: RequestFacts,
): readonly RouteDraft[] | undefined {
  const mapped = mappedScopes(scope, shared.maps, facts)
  if (mapped !== undefined) return mapped.flatMap((each) => mappedRoutes(each, location, shared, facts))
  const guard = guardOf(scope)
  const guarded = guard === undefined ? [] : [{ respond: 403, ...told(guard.by, ' (guards what comes next)') }]
  const forward = forwardOf(scope, location, shared)
  if (forward !== undefined) {
    const by = scope.directives.find(({ name }) => name === 'proxy_pass' || name === 'grpc_pass')
    const first = 'path' in forward ? guarded.map((each) => ({ ...each, path: forward['path'] })) : guarded
    const route = { ...finished(forward, scope, shared), ...told(location?.directive ?? by) }
    const replaced =
      (route['rewrite'] as RouteDraft | undefined)?.['path'] === undefined ? regexRewrite(scope, location) : undefined
    if (replaced === undefined || !('to' in forward)) return [...first, route]
    const rewrite = { path: replaced.target, ...(route['rewrite'] as RouteDraft | undefined) }
    return [...first, { ...route, ...told(replaced.by), path: replaced.path, rewrite }, route]
  }
  const named = namedLocation(scope)
  const inner = named === undefined ? undefined : routesOf(named, undefined, shared, facts)
  if (inner !== undefined) return [...guarded, ...inner]
  return guard === undefined ? undefined : guarded
}

/** The routes of one entry of a map: for all that is left where it has no condition. */
function mappedRoutes(
  { condition, scope }: MappedScope,
  location: Location | undefined,
  shared: NginxImport,
  facts: RequestFacts,
): readonly RouteDraft[] {
  const routes = contentRoutes(scope, location, shared, facts) ?? []
  const matches = condition?.type === 'match' ? condition.matches : [{}]
  return matches.flatMap((match) => routes.map((route) => ({ ...match, ...route })))
}

function finished(action: RouteDraft, scope: Scope, shared: NginxImport): RouteDraft {
  const route: RouteDraft = { ...action }
  const added = responseHeaders(scope, !('to' in action))
  if (added !== undefined) route['responseHeaders'] = added
  if (!('to' in action)) return route
  Object.assign(route, requestHeaders(scope, route))
  Object.assign(route, transferSettings(scope, shared))
  return route
}

/** Where a route comes from, for a comment. */
function told(directive: Directive | undefined, more = ''): RouteDraft {
  if (directive === undefined) return {}
  const words = [directive.name, ...directive.args].join(' ')
  return {
    [comment]: `${basename(directive.file)}:${directive.line} ${words.length > 80 ? `${words.slice(0, 80)}…` : words}${more}`,
  }
}

/** `try_files … @name`: no files are here, so all goes to the location of that name. */
function namedLocation(scope: Scope): Scope | undefined {
  const directive = scope.own('try_files').at(-1)
  const last = directive?.args.at(-1)
  if (directive === undefined || last?.startsWith('@') !== true) return undefined
  for (let outer: Scope | undefined = scope; outer !== undefined; outer = outer.outer) {
    const found = outer.directives.find(({ name, args }) => name === 'location' && args[0] === last)
    if (found === undefined) continue
    scope.notes.tell(directive, `no files are served here: all goes to ${last}; let the service serve them`)
    return outer.inside(found)
  }
  return undefined
}

/** Why a location that answers nothing answers 404 here. */
export function unsupported(scope: Scope, at: Directive | undefined): readonly RouteDraft[] {
  takeAll(scope, at)
  const found = scope.directives.find(({ name }) => unsupportedNames.has(name))
  if (found !== undefined) scope.notes.tell(found, `${whyNot(found.name)}; requests get 404 here`)
  else if (at?.name === 'server') scope.notes.tell(at, 'requests that none of its locations takes get 404 here')
  else if (at !== undefined) scope.notes.tell(at, 'does nothing that could be carried over: requests get 404 here')
  return [{ respond: 404, ...told(at) }]
}

/** What else a location says matters no more; a server's blocks are told for themselves. */
function takeAll(scope: Scope, at: Directive | undefined): void {
  if (at?.name !== 'location') return
  for (const each of scope.directives) if (each.name !== 'location') scope.notes.take(each)
}

const unsupportedNames = new Set(
  'root alias try_files index fastcgi_pass uwsgi_pass scgi_pass memcached_pass stub_status autoindex'.split(' '),
)

function forwardOf(scope: Scope, location: Location | undefined, shared: NginxImport): RouteDraft | undefined {
  const grpc = scope.own('grpc_pass')[0]
  const pass = grpc ?? scope.own('proxy_pass')[0]
  if (pass === undefined) return undefined
  const written = expandSet(withScheme(pass, grpc !== undefined), scope)
  const match = /^(https?|grpcs?):\/\/([^/$]+|\$\w+|\$\{\w+\})(.*)$/.exec(written)
  const [, scheme = '', target = '', rest = ''] = match ?? []
  if (match === null) return cannotPass(scope, pass, 'this target cannot be carried over')
  const settings: UpstreamDraft = scheme.endsWith('s') ? { tls: tlsOf(scope) } : {}
  if (grpc !== undefined) settings['protocol'] = 'http2'
  const connect = nginxTimeMs(scope.args('proxy_connect_timeout')[0])
  if (connect !== undefined) settings['connectTimeout'] = ourTime(connect, 10, 600_000)
  const uri = targetUri(pass.args[0] ?? '', rest, location)
  if (uri === undefined) return cannotPass(scope, pass, 'the path in the target cannot be carried over')
  const port = scheme === 'https' || scheme === 'grpcs' ? 443 : 80
  const to = targetsOf(target, port, settings, shared)
  if (to === undefined) return cannotPass(scope, pass, whyNoTarget(target))
  const isSame = uri === '' || (location !== undefined && location.kind !== 'regex' && location.value === uri)
  const { path, rewrite = {} } = pathRewrite(scope, location, isSame ? undefined : uri, pass)
  // nginx sends the name of the upstream as Host unless it is told otherwise.
  const host = addressOf(target, port) === undefined ? {} : { host: target }
  const rewriteLocation = locationRewrites(scope, pass, { written, target, port, uri: rest, location })
  return { ...(path === undefined ? {} : { path }), to, rewrite: { ...rewrite, ...host }, ...rewriteLocation }
}

function whyNoTarget(target: string): string {
  if (target.startsWith('unix:'))
    return 'Unix sockets are not reached: let the service listen on loopback too, and name that address'
  if (target.startsWith('$')) return `which server ${target} is cannot be known here, so name an upstream`
  return 'this target cannot be carried over'
}

/**
 * What takes the place of the path: empty where it goes on as it came, which is also what variables say that name all of it;
 * undefined where it cannot be known. With a variable, nginx sends the rest as it stands, and not what the client asked.
 */
function targetUri(pass: string, rest: string, location: Location | undefined): string | undefined {
  const uri = rest.replace(/(\$is_args\$args|\?\$args|\?\$query_string|\$is_args\$query_string)$/, '')
  if (rest === '' || rest === '$request_uri' || (uri === '$uri' && uri !== rest)) return ''
  const hasGroups = /\$\d/.test(uri)
  if (hasGroups)
    return location?.kind === 'regex' &&
      uri !== rest &&
      /^(\/|\$1)([!#-%'-;=@-Z_a-z~]|\$\d)*$/.test(uri) &&
      !/\$\D/.test(uri)
      ? uri
      : undefined
  if (!uri.startsWith('/') || uri.includes('$')) return undefined
  return pass.includes('$') && uri !== '/' && location?.kind !== 'exact' ? undefined : uri
}

function withScheme(pass: Directive, isGrpc: boolean): string {
  const target = pass.args[0] ?? ''
  return isGrpc && !target.includes('://') ? `grpc://${target}` : target
}

function cannotPass(scope: Scope, pass: Directive, why: string): RouteDraft {
  for (const each of scope.directives) if (each.name !== 'location') scope.notes.take(each)
  scope.notes.tell(pass, `${why}: requests get 404 here`)
  return { respond: 404 }
}

function targetsOf(target: string, port: number, settings: UpstreamDraft, { upstreams, splits }: NginxImport): unknown {
  const nameFor = (each: string): string | undefined => {
    const tls = settings['tls'] === undefined ? undefined : { tls: settings['tls'] }
    const name = upstreams.nameFor('http', each, port, tls)
    const { tls: _tls, ...others } = settings
    return name === undefined || Object.keys(others).length === 0
      ? name
      : upstreams.variant(name, others['protocol'] === undefined ? 'timeout' : 'grpc', others)
  }
  if (!target.includes('$')) return nameFor(target)
  const split = splits.get(target.replace(/^\$\{?|\}$/g, ''))
  if (split === undefined) return undefined
  const shares: Record<string, number> = {}
  for (const [each, share] of split) {
    const name = nameFor(each)
    if (name === undefined) return undefined
    shares[name] = (shares[name] ?? 0) + share
  }
  return Object.values(shares).some((share) => share > 0) ? shares : undefined
}

function tlsOf(scope: Scope): unknown {
  const tls: RouteDraft = {}
  const ca = scope.args('proxy_ssl_trusted_certificate')[0]
  const cert = scope.args('proxy_ssl_certificate')[0]
  const key = scope.args('proxy_ssl_certificate_key')[0]
  const name = scope.args('proxy_ssl_name')[0]
  if (isFile(ca)) tls['ca'] = ca
  if (isFile(cert) && isFile(key)) Object.assign(tls, { cert, key })
  if (name !== undefined && isHost(name)) tls['serverName'] = name
  if (scope.args('proxy_ssl_verify')[0] !== 'on') tls['verify'] = false
  return Object.keys(tls).length === 0 ? true : tls
}

interface PathRewrite {
  /** Instead of the path of the location. */
  readonly path?: RouteDraft
  readonly rewrite?: { readonly path: string }
}

/** `proxy_pass http://up/v1/` in `location /api/`, or `rewrite ^/api/(.*)$ /v1/$1 break`. */
function pathRewrite(
  scope: Scope,
  location: Location | undefined,
  uri: string | undefined,
  pass: Directive,
): PathRewrite {
  if (uri !== undefined) {
    if (location !== undefined && location.kind !== 'regex' && !/[?#$\s]/.test(uri))
      return replacedPrefix(location, uri)
    if (location?.kind === 'regex' && /\$\d/.test(uri)) return { rewrite: { path: uri } }
    scope.notes.tell(pass, 'the path in the target is not carried over: the path goes on as it came')
    return {}
  }
  for (const directive of scope.own('rewrite').filter((each) => !isRedirect(each))) {
    const path = cutPrefix(directive, location, scope)
    if (path !== undefined) return { rewrite: { path } }
    if (regexRewrite(scope, location) !== undefined) continue
    scope.notes.tell(directive, 'this rewrite is not carried over: the path goes on as it came')
  }
  return {}
}

/** The only `rewrite EXPRESSION /target break` of a location: its paths that match go on as the target, the others as they are. */
function regexRewrite(
  scope: Scope,
  location: Location | undefined,
): { readonly path: unknown; readonly target: string; readonly by: Directive } | undefined {
  const [by, more] = scope.own('rewrite').filter((each) => !isRedirect(each))
  const [regex = '', target = '', flag] = by?.args ?? []
  const ours = by === undefined ? undefined : ourRegex(regex)
  if (by === undefined || more !== undefined || ours === undefined || flag !== 'break' || location?.kind === 'regex')
    return undefined
  if (!/^\/([!%&'()*+,\-./0-9:;=@A-Z_a-z~]|\$\d)*$/.test(target)) return undefined
  return { path: prefixedRegex(location, ours.regex, ours.ignoreCase), target, by }
}

function isRedirect({ args }: Directive): boolean {
  return args[2] === 'permanent' || args[2] === 'redirect' || /^(https?:\/\/|\$scheme)/.test(args[1] ?? '')
}

/** nginx puts `uri` in the place of the location's text, whatever comes next; our prefixes end at slashes. */
function replacedPrefix({ kind, value }: Location, uri: string): PathRewrite {
  if (kind === 'exact' || value.endsWith('/') === uri.endsWith('/')) return { rewrite: { path: uri } }
  return { path: { regex: `^${escapeRegex(value)}(.*)$` }, rewrite: { path: `${uri}$1` } }
}

/** The path that takes the place of the location's by `rewrite ^/api/(.*)$ /v1/$1 break`; undefined for any other rewrite. */
function cutPrefix(directive: Directive, location: Location | undefined, scope: Scope): string | undefined {
  const [regex = '', target = '', flag] = directive.args
  const prefix = location?.kind === 'prefix' || location?.kind === 'stop-prefix' ? location.value : undefined
  const [, inner, optionalSlash] = /^\^?(\/[A-Za-z0-9/_-]*?)(\/\?)?\(\.\*\)\$?$/.exec(regex) ?? []
  const replaced = /^((?:\/[A-Za-z0-9/_-]*)?)\$1$/.exec(target)?.[1]
  const fits = inner !== undefined && prefix !== undefined && inner.replace(/\/$/, '') === prefix.replace(/\/$/, '')
  if (!fits || replaced === undefined || (flag !== 'break' && flag !== undefined)) return undefined
  const restHasSlash = !inner.endsWith('/') && optionalSlash === undefined
  if (!restHasSlash && !replaced.endsWith('/')) return undefined
  if (replaced === '') return '/'
  if (restHasSlash && replaced.endsWith('/')) scope.notes.tell(directive, 'sends one slash where nginx would send two')
  return replaced
}

const nextUpstream: Readonly<Record<string, readonly string[]>> = {
  error: ['connect-failure', 'broken-connection'],
  invalid_header: ['broken-connection'],
  timeout: ['timeout'],
  http_502: ['502'],
  http_503: ['503'],
  http_504: ['504'],
}

function transferSettings(scope: Scope, { rateZones, upstreams }: NginxImport): RouteDraft {
  const route: RouteDraft = {}
  const size = nginxSize(scope.args('client_max_body_size')[0])
  if (size !== undefined) route['requestBodyMax'] = ourSize(size)
  const read = nginxTimeMs(scope.one('grpc_read_timeout')?.args[0] ?? scope.args('proxy_read_timeout')[0])
  if (read !== undefined)
    route['timeouts'] = {
      attempt: ourTime(read, 10, 86_400_000),
      responseIdle: ourTime(read, 10, 86_400_000),
      upgradedIdle: ourTime(read, 10, 86_400_000),
    }
  const retry = retryOf(scope)
  if (retry !== undefined) route['retry'] = retry
  const limit = scope.one('limit_req')
  if (limit !== undefined) {
    const zone = rateZones.get(limit.args.find((arg) => arg.startsWith('zone='))?.slice(5) ?? '')
    if (zone === undefined) scope.notes.tell(limit, 'its zone cannot be carried over: no limit')
    else {
      const burst = wholeNumber(limit.args.find((arg) => arg.startsWith('burst='))?.slice(6), 0, 9_999_999) ?? 0
      const { key, ...rate } = zone
      route['rateLimit'] = { ...rate, ...(key === 'client-ip' ? {} : { key }), burst: burst + 1 }
      if (scope.args('limit_req_status')[0] !== '429')
        scope.notes.tell(limit, `answers 429 where nginx answers ${scope.args('limit_req_status')[0] ?? '503'}`)
      if (burst > 0 && !limit.args.includes('nodelay'))
        scope.notes.tell(limit, 'requests within the burst are not delayed: they go on at once')
    }
  }
  const mirror = mirrorOf(scope, upstreams)
  if (mirror !== undefined) route['mirror'] = mirror
  return route
}

function retryOf(scope: Scope): unknown {
  const directive = scope.one('proxy_next_upstream') ?? scope.one('grpc_next_upstream')
  const tries =
    wholeNumber((scope.one('proxy_next_upstream_tries') ?? scope.one('grpc_next_upstream_tries'))?.args[0], 0, 100) ?? 0
  if (directive === undefined && tries === 0) return undefined
  if (directive?.args.includes('off') === true) return 'off'
  const retry: RouteDraft = {}
  if (tries > 0) retry['attempts'] = tries
  if (directive === undefined) return retry
  const on = new Set<string>()
  const left: string[] = []
  for (const word of directive.args) {
    if (word === 'non_idempotent') retry['nonIdempotent'] = true
    else if (nextUpstream[word] !== undefined) for (const each of nextUpstream[word]) on.add(each)
    else left.push(word)
  }
  if (left.length > 0)
    scope.notes.tell(directive, `an answer is no reason to try again by ${left.join(', ')}: see on of retry`)
  const isDefault = on.size === 3 && ['connect-failure', 'broken-connection', 'timeout'].every((each) => on.has(each))
  if (!isDefault) retry['on'] = [...on]
  return Object.keys(retry).length > 0 ? retry : undefined
}

/** `mirror /path`, where `/path` is an internal location of the same server that passes on. */
function mirrorOf(scope: Scope, upstreams: NginxUpstreams): unknown {
  const directive = scope.one('mirror')
  const path = directive?.args[0]
  if (directive === undefined || path === 'off') return undefined
  for (let outer = scope.outer; outer !== undefined; outer = outer.outer) {
    const found = outer.own('location').find(({ args }) => args.at(-1) === path)
    const target = found?.block?.find(({ name }) => name === 'proxy_pass')?.args[0] ?? ''
    const [, host] = /^http:\/\/([^/$]+)/.exec(target) ?? []
    const name = host === undefined ? undefined : upstreams.nameFor('http', host, 80, undefined)
    if (name !== undefined) return name
  }
  scope.notes.tell(directive, 'its location cannot be carried over: no mirror')
  return undefined
}
