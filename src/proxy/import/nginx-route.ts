/** What a location (or a server without one) does with a request, as one of our routes. */

import { isHost } from '../config/index.ts'
import { requestHeaders, responseHeaders } from './nginx-headers.ts'
import type { Location } from './nginx-locations.ts'
import type { Directive } from './nginx-syntax.ts'
import { addressOf, type NginxUpstreams, type UpstreamDraft } from './nginx-upstreams.ts'
import {
  escapeRegex,
  isFile,
  nginxSize,
  nginxTimeMs,
  ourSize,
  ourTemplate,
  ourTime,
  wholeNumber,
} from './nginx-values.ts'
import type { Scope } from './scope.ts'

export type RouteDraft = Record<string, unknown>

/** What all of an import share. */
export interface NginxImport {
  readonly upstreams: NginxUpstreams
  /** `limit_req_zone` by name: our rate and key. */
  readonly rateZones: ReadonlyMap<string, { readonly rate: string; readonly key: string }>
  /** `split_clients` by variable: upstream or address, and its share in hundredths of a percent. */
  readonly splits: ReadonlyMap<string, readonly (readonly [target: string, share: number])[]>
}

/** The action and settings; undefined when nothing in `scope` answers a request. */
export function routeOf(scope: Scope, location: Location | undefined, shared: NginxImport): RouteDraft | undefined {
  const action = returnOf(scope) ?? rewriteRedirect(scope) ?? forwardOf(scope, location, shared)
  if (action === undefined) return undefined
  const route: RouteDraft = { ...action }
  const added = responseHeaders(scope)
  if (added !== undefined) route['responseHeaders'] = added
  if (!('to' in action)) return route
  Object.assign(route, requestHeaders(scope, route))
  Object.assign(route, transferSettings(scope, shared))
  return route
}

/** Why a location that answers nothing answers 404 here. */
export function unsupportedRoute(scope: Scope, at: Directive): RouteDraft {
  const names = [
    'root',
    'alias',
    'try_files',
    'index',
    'fastcgi_pass',
    'uwsgi_pass',
    'scgi_pass',
    'memcached_pass',
    'if',
  ]
  const found = scope.directives.find(({ name }) => names.includes(name))
  if (found !== undefined) scope.notes.tell(found, 'not carried over: requests get 404 here')
  else scope.notes.tell(at, 'does nothing that could be carried over: requests get 404 here')
  return { respond: 404 }
}

function returnOf(scope: Scope): RouteDraft | undefined {
  const directive = scope.own('return')[0]
  if (directive === undefined) return undefined
  const [first = '', second] = directive.args
  const status = /^\d{3}$/.test(first) ? Number(first) : 302
  const text = /^\d{3}$/.test(first) ? second : first
  if ([301, 302, 303, 307, 308].includes(status) && text !== undefined) {
    const location = ourLocation(text)
    if (location !== undefined) return { redirect: status === 302 ? location : { location, status } }
    scope.notes.tell(directive, 'this location cannot be carried over: requests get 404 here')
    return { respond: 404 }
  }
  if (status < 200 || status > 599 || status === 444) {
    scope.notes.tell(directive, `${status} cannot be answered: requests get 404 here`)
    return { respond: 404 }
  }
  if (text === undefined || text === '') return { respond: status }
  if (/\$[A-Za-z_{]/.test(text)) scope.notes.tell(directive, 'variables in the text stand as they are')
  return { respond: { status, body: text, ...contentType(scope) } }
}

function contentType(scope: Scope): RouteDraft {
  const type = scope.args('default_type')[0]
  return { contentType: type ?? 'text/plain' }
}

/** A location whose variables our templates have too; undefined otherwise. */
function ourLocation(text: string): string | undefined {
  const location = ourTemplate(text.replace('$server_name', '$host'))
  return location !== undefined && /^(https?:\/\/|\/|\$)[!#-;=?-[\]_a-z~]*$/.test(location) ? location : undefined
}

/** `rewrite REGEX /fixed permanent` where the expression takes everything: a redirect. */
function rewriteRedirect(scope: Scope): RouteDraft | undefined {
  for (const directive of scope.own('rewrite')) {
    const [regex = '', target = '', flag] = directive.args
    const status = { permanent: 301, redirect: 302 }[flag ?? ''] ?? (/^https?:/.test(target) ? 302 : undefined)
    if (status === undefined) continue
    const takesAll = /^\^?(\/?\(?\.\*\)?)?\$?$/.test(regex)
    const location = takesAll ? ourLocation(target.replace(/\/\$1$/, '$request_uri').replace(/\?$/, '')) : undefined
    if (location !== undefined) return { redirect: { location, status } }
    scope.notes.tell(directive, 'this redirect cannot be carried over')
  }
  return undefined
}

function forwardOf(scope: Scope, location: Location | undefined, shared: NginxImport): RouteDraft | undefined {
  const grpc = scope.own('grpc_pass')[0]
  const pass = grpc ?? scope.own('proxy_pass')[0]
  if (pass === undefined) return undefined
  const match = /^(https?|grpcs?):\/\/([^/]+)(\/.*)?$/.exec(withScheme(pass, grpc !== undefined))
  if (match === null) return cannotPass(scope, pass, 'this target cannot be carried over')
  const [, scheme = '', target = '', uri] = match
  const settings: UpstreamDraft = scheme.endsWith('s') ? { tls: tlsOf(scope) } : {}
  if (grpc !== undefined) settings['protocol'] = 'http2'
  const connect = nginxTimeMs(scope.args('proxy_connect_timeout')[0])
  if (connect !== undefined) settings['connectTimeout'] = ourTime(connect, 10, 600_000)
  const port = scheme === 'https' || scheme === 'grpcs' ? 443 : 80
  const to = targetsOf(target, port, settings, scope, pass, shared)
  if (to === undefined) return cannotPass(scope, pass, 'this target cannot be carried over')
  const { path, rewrite = {} } = pathRewrite(scope, location, uri, pass)
  // nginx sends the name of the upstream as Host unless it is told otherwise.
  const host = addressOf(target, port) === undefined ? {} : { host: target }
  return { ...(path === undefined ? {} : { path }), to, rewrite: { ...rewrite, ...host } }
}

function withScheme(pass: Directive, isGrpc: boolean): string {
  const target = pass.args[0] ?? ''
  return isGrpc && !target.includes('://') ? `grpc://${target}` : target
}

function cannotPass(scope: Scope, pass: Directive, why: string): RouteDraft {
  scope.notes.tell(pass, `${why}: requests get 404 here`)
  return { respond: 404 }
}

function targetsOf(
  target: string,
  port: number,
  settings: UpstreamDraft,
  scope: Scope,
  pass: Directive,
  { upstreams, splits }: NginxImport,
): unknown {
  const nameFor = (each: string): string | undefined => {
    const tls = settings['tls'] === undefined ? undefined : { tls: settings['tls'] }
    const name = upstreams.nameFor('http', each, port, tls)
    const { tls: _tls, ...others } = settings
    return name === undefined || Object.keys(others).length === 0
      ? name
      : upstreams.variant(name, others['protocol'] === undefined ? 'patient' : 'grpc', others)
  }
  if (!target.includes('$')) return nameFor(target)
  const split = splits.get(target.replace(/^\$\{?|\}$/g, ''))
  if (split === undefined) {
    scope.notes.tell(pass, 'variables in the target cannot be carried over')
    return undefined
  }
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
    scope.notes.tell(pass, 'the path in the target is not carried over: the path goes on as it came')
    return {}
  }
  for (const directive of scope.own('rewrite')) {
    const path = cutPrefix(directive, location, scope)
    if (path !== undefined) return { rewrite: { path } }
    scope.notes.tell(directive, 'this rewrite is not carried over: the path goes on as it came')
  }
  return {}
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
  const [, inner, optionalSlash] = /^\^(\/[A-Za-z0-9/_-]*?)(\/\?)?\(\.\*\)\$?$/.exec(regex) ?? []
  const replaced = /^(\/[A-Za-z0-9/_-]*)\$1$/.exec(target)?.[1]
  const fits = inner !== undefined && prefix !== undefined && inner.replace(/\/$/, '') === prefix.replace(/\/$/, '')
  if (!fits || replaced === undefined || (flag !== 'break' && flag !== undefined)) return undefined
  const restHasSlash = !inner.endsWith('/') && optionalSlash === undefined
  if (!restHasSlash && !replaced.endsWith('/')) return undefined
  if (restHasSlash && replaced.endsWith('/')) scope.notes.tell(directive, 'sends one slash where nginx would send two')
  return replaced
}

const nextUpstream: Readonly<Record<string, readonly string[]>> = {
  error: ['connect-failure', 'broken-connection'],
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
      route['rateLimit'] = { ...zone, burst: burst + 1 }
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
  for (const word of directive.args) {
    if (word === 'non_idempotent') retry['nonIdempotent'] = true
    else if (nextUpstream[word] !== undefined) for (const each of nextUpstream[word]) on.add(each)
    else scope.notes.tell(directive, `${word} is not carried over`)
  }
  return { ...retry, on: [...on] }
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
