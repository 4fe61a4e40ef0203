/** Routes and heads for tests: a whole `RouteConfig` from the part that matters. */
import type { RouteConfig } from '../../config/index.ts'
import type { Fields, RequestHead } from '../../http/index.ts'

export interface RouteParts extends Partial<Omit<RouteConfig, 'match' | 'retry' | 'timeouts' | 'rewrite'>> {
  readonly match?: Partial<RouteConfig['match']>
  readonly retry?: Partial<RouteConfig['retry']>
  readonly timeouts?: Partial<RouteConfig['timeouts']>
  readonly rewrite?: Partial<RouteConfig['rewrite']>
}

const noEdits = { remove: [], set: [], add: [] }

/** A route with everything off and all times generous. */
export function routeWith(parts: RouteParts = {}): RouteConfig {
  return {
    name: 'route',
    action: { type: 'forward', to: [{ upstream: 'app', weight: 1 }] },
    requestHeaders: noEdits,
    responseHeaders: noEdits,
    locationRewrites: [],
    mirror: undefined,
    requestBodyBytesMax: 0,
    rateLimit: undefined,
    sticky: undefined,
    ...parts,
    match: { hosts: [], path: { type: 'prefix', value: '/' }, methods: [], headers: [], ...parts.match },
    rewrite: { path: undefined, host: undefined, ...parts.rewrite },
    retry: {
      attemptsMax: 1,
      on: [],
      nonIdempotent: false,
      bufferedBodyBytesMax: 65_536,
      hedgeAfterMs: 0,
      ...parts.retry,
    },
    timeouts: { attemptMs: 60_000, requestMs: 0, responseIdleMs: 60_000, upgradedIdleMs: 600_000, ...parts.timeouts },
  }
}

export function headOf(parts: Partial<Omit<RequestHead, 'get'>> = {}): RequestHead {
  const fields: Fields = parts.fields ?? []
  return {
    version: '1.1',
    method: 'GET',
    target: '/',
    scheme: 'http',
    authority: 'shop.example',
    bodyLength: 0,
    expectsContinue: false,
    upgrade: undefined,
    memo: undefined,
    ...parts,
    fields,
    get(name) {
      for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
      return undefined
    },
  }
}
