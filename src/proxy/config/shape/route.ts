/** `routes:` of a listener. */
import type {
  HeaderEdits,
  HeaderMatch,
  LocationRewrite,
  PathMatch,
  RateLimitConfig,
  RetryCondition,
  RetryConfig,
  RouteAction,
  RouteConfig,
  RouteTimeouts,
  StickyConfig,
} from '../model.ts'
import { formatPath } from '../problem.ts'
import {
  duration,
  either,
  field,
  flag,
  type Invalid,
  integer,
  invalid,
  list,
  mapped,
  object,
  oneOf,
  optional,
  orOff,
  percent,
  type Read,
  record,
  refuse,
  required,
  type Schema,
  scalar,
  siteName,
  size,
  text,
  type YamlSource,
} from '../schema/index.ts'
import {
  authority,
  cookieName,
  editedHeaderName,
  headerName,
  headerValue,
  method,
  plainName,
  regularExpression,
  upstreamName,
  urlPath,
} from './texts.ts'

const pathFields = object('Path', 'Which paths: one of the three.', {
  prefix: optional(urlPath, '`/api` means `/api` and `/api/x`, not `/apix`; `/api/` whatever begins with it.'),
  exact: optional(urlPath, 'This path alone.'),
  regex: optional(regularExpression, 'Searched in the path, without the query; anchor it with `^` and `$`.'),
  ignoreCase: field(flag(), false, 'false', 'With `regex`: capitals do not matter.'),
})

const path: Schema<PathMatch> = either(
  mapped(urlPath, (value, at, source): PathMatch => {
    if (value.includes('*'))
      source.warn(at, 'has a *, which is no wildcard here: /api takes all that is below it; else write {regex: …}')
    return { type: 'prefix', value }
  }),
  mapped(pathFields, ({ prefix, exact, regex, ignoreCase, given, at }, _at, source): PathMatch | Invalid => {
    if (given.size - (given.has('ignoreCase') ? 1 : 0) !== 1) source.report(at, 'must have one of prefix, exact, regex')
    else if (prefix !== undefined) return { type: 'prefix', value: prefix }
    else if (exact !== undefined) return { type: 'exact', value: exact }
    else if (regex !== undefined) return { type: 'regex', value: ignoreCase ? new RegExp(regex.source, 'i') : regex }
    return invalid
  }),
)

const headerTestFields = object('HeaderTest', 'What a header must be: one of these.', {
  exact: optional(headerValue, 'This value.'),
  prefix: optional(headerValue, 'A value that begins so.'),
  regex: optional(regularExpression, 'Searched in the value.'),
  present: optional(flag(), 'true: there; false: not there.'),
})

type HeaderTest = HeaderMatch['test']

const headerTest: Schema<HeaderTest> = either(
  mapped(headerValue, (value): HeaderTest => ({ type: 'exact', value })),
  mapped(headerTestFields, ({ exact, prefix, regex, present, given, at }, _at, source): HeaderTest | Invalid => {
    if (given.size !== 1) source.report(at, 'must have one of exact, prefix, regex, present')
    else if (exact !== undefined) return { type: 'exact', value: exact }
    else if (prefix !== undefined) return { type: 'prefix', value: prefix }
    else if (regex !== undefined) return { type: 'regex', value: regex }
    else if (present !== undefined) return { type: present ? 'present' : 'absent' }
    return invalid
  }),
)

const headers = mapped(
  record(headerTest, { keys: headerName, keyName: 'header name', entriesMax: 32 }),
  (entries): readonly HeaderMatch[] => entries.map(([name, test]) => ({ name, test })),
)

const targetFields = object('Target', 'An upstream and its share.', {
  upstream: required(upstreamName, 'Its name in `upstreams`.'),
  weight: field(integer(0, 1_000_000), 1, '1', 'Its share of the requests, relative to the others.'),
})

interface Target {
  readonly upstream: string
  readonly weight: number
}

const to: Schema<readonly Target[]> = either(
  mapped(upstreamName, (upstream): readonly Target[] => [{ upstream, weight: 1 }]),
  either(
    mapped(
      record(integer(0, 1_000_000), { keys: plainName, keyName: 'upstream', entriesMax: 32 }),
      (entries): readonly Target[] => entries.map(([upstream, weight]) => ({ upstream, weight })),
    ),
    mapped(
      list(
        either(
          mapped(upstreamName, (upstream): Target => ({ upstream, weight: 1 })),
          mapped(targetFields, ({ upstream, weight }): Target => ({ upstream, weight })),
        ),
        { itemsMin: 1, itemsMax: 32 },
      ),
      (targets) => targets,
    ),
  ),
)

/** RFC 3986 characters, and variables. */
const location: Schema<string> = scalar({ type: 'URL, or a path', json: { type: 'string' } }, (value) => {
  if (value.length > 2_048 || !/^[!-~]+$/.test(value)) return refuse('must be a URL or a path, without spaces')
  if (!/^(https?:\/\/|\/|\$)/.test(value)) return refuse('must begin with http://, https://, "/" or a variable')
  return /[<>"\\^`{|}]/.test(value) ? refuse('holds what no URL may hold: encode it') : value
})

/** The beginning of a place where answers send clients. */
const placeFront = (isEmptyAllowed: boolean): Schema<string> =>
  scalar({ type: 'beginning of a URL', json: { type: 'string' } }, (value) => {
    if (value.length > 2_048 || !/^[!-~]*$/.test(value)) return refuse('must be the beginning of a URL, without spaces')
    return /^(https?:\/\/|\/|\$)/.test(value) || (value === '' && isEmptyAllowed)
      ? value
      : refuse('must begin with http://, https://, "/" or a variable')
  })

const locationRewrites: Schema<readonly LocationRewrite[]> = mapped(
  record(placeFront(true), { keys: placeFront(false), keyName: 'beginning of a URL', entriesMax: 32 }),
  (entries): readonly LocationRewrite[] => entries.map(([from, to]) => ({ from, to })),
)

const redirectStatuses = [301, 302, 303, 307, 308] as const
type RedirectStatus = (typeof redirectStatuses)[number]

const redirectStatus: Schema<RedirectStatus> = scalar(
  { type: redirectStatuses.join(' | '), json: { enum: redirectStatuses } },
  (_text, raw) =>
    redirectStatuses.find((status) => status === raw) ?? refuse(`must be one of ${redirectStatuses.join(', ')}`),
)

const redirectFields = object('Redirect', 'An answer that sends the client elsewhere.', {
  location: required(location, 'Where, as in `https://$host$request_uri`; see [variables](#variables).'),
  status: field(redirectStatus, 302, '302', 'The status.'),
})

const respondFields = object('Respond', 'A fixed answer.', {
  status: field(integer(200, 599), 200, '200', 'The status.'),
  body: field(text({ type: 'text', lengthMax: 65_536 }), '', 'none', 'The body, at most 64 KiB.'),
  contentType: field(headerValue, 'text/plain; charset=utf-8', 'text/plain; charset=utf-8', 'Of the body.'),
})

const rewriteFields = object('Rewrite', 'Changes of the request on its way upstream.', {
  path: optional(
    text({ type: 'URL path', pattern: /^\/[!-"$->@-~]*$/, must: 'must begin with "/" and hold no spaces, "?" or "#"' }),
    'Instead of what a `prefix` matched, or the whole path for `exact`; for `regex`, with `$1` from the match.',
  ),
  host: optional(authority, 'Sent as `Host` instead of what the client sent.'),
})

const noEdits: HeaderEdits = { remove: [], set: [], add: [] }
const editedValues = record(headerValue, { keys: editedHeaderName, keyName: 'header name', entriesMax: 64 })

const editFields = object('HeaderEdits', 'Changes of headers, in this order: remove, set, add.', {
  remove: field(list(editedHeaderName, { itemsMax: 64, orOne: true }), [], 'none', 'Taken out.'),
  set: field(editedValues, [], 'none', 'Put in place of what is there.'),
  add: field(editedValues, [], 'none', 'Added to what is there.'),
})

const edits = mapped(editFields, ({ remove, set, add }): HeaderEdits => ({ remove, set, add }))

const mirrorFields = object('Mirror', 'A copy of requests goes to another upstream, whose answers are dropped.', {
  to: required(upstreamName, 'Which upstream.'),
  share: field(percent(), 100, '100%', 'Of the requests.'),
})

const mirror = either(
  mapped(upstreamName, (upstream) => ({ upstream, percent: 100 })),
  mapped(mirrorFields, ({ to: upstream, share }) => ({ upstream, percent: share })),
)

const conditions: readonly RetryCondition[] = [
  'connect-failure',
  'broken-connection',
  'timeout',
  '502',
  '503',
  '504',
  'gateway-error',
]
export const retryDefault: RetryConfig = {
  attemptsMax: 3,
  on: ['connect-failure', 'broken-connection', 'timeout'],
  nonIdempotent: false,
  bufferedBodyBytesMax: 65_536,
  hedgeAfterMs: 0,
}

const retryFields = object(
  'Retry',
  'When a request is tried again, each time on an endpoint not tried yet while there is one.',
  {
    attempts: field(integer(1, 100), retryDefault.attemptsMax, '3', 'Attempts in all. 1: no retry.'),
    on: field(
      list(oneOf(...conditions), { itemsMax: conditions.length, orOne: true }),
      retryDefault.on,
      '[connect-failure, broken-connection, timeout]',
      'What is tried again. `broken-connection`: until something of the body came; so the head alone is kept back, up to 20 ms. `gateway-error`: 502, 503 and 504. Requests that certainly were not processed are tried again in any case.',
    ),
    nonIdempotent: field(
      flag(),
      false,
      'false',
      'Also POST, PATCH and whatever else is not idempotent (RFC 9110 §9.2.2): it may then be done twice.',
    ),
    bufferBody: field(
      size(0, 64 * 1024 * 1024),
      retryDefault.bufferedBodyBytesMax,
      '64KiB',
      'A body up to this size is kept for another attempt; larger ones get one attempt.',
    ),
    hedgeAfter: field(
      duration({ maxMs: 600_000 }),
      0,
      '0 (never)',
      'The next attempt starts when the answer has not begun after this time, and the first answer wins.',
    ),
  },
)

const retry: Schema<RetryConfig> = mapped(
  orOff(retryFields),
  (read): RetryConfig =>
    read === undefined
      ? { ...retryDefault, attemptsMax: 1, on: [] }
      : {
          attemptsMax: read.attempts,
          on: read.on,
          nonIdempotent: read.nonIdempotent,
          bufferedBodyBytesMax: read.bufferBody,
          hedgeAfterMs: read.hedgeAfter,
        },
)

export const timeoutsDefault: RouteTimeouts = {
  attemptMs: 60_000,
  requestMs: 0,
  responseIdleMs: 60_000,
  upgradedIdleMs: 600_000,
}

const timeoutFields = object('Timeouts', 'How long things may take.', {
  attempt: field(
    duration(),
    timeoutsDefault.attemptMs,
    '1m',
    'From the whole request to the head of the response, for one attempt. 0: any time.',
  ),
  request: field(
    duration(),
    timeoutsDefault.requestMs,
    '0 (any)',
    'All attempts together, to the end of the response. A `grpc-timeout` holds besides.',
  ),
  responseIdle: field(
    duration({ minMs: 10 }),
    timeoutsDefault.responseIdleMs,
    '1m',
    'Nothing of the response arrives for this long.',
  ),
  upgradedIdle: field(
    duration({ minMs: 10 }),
    timeoutsDefault.upgradedIdleMs,
    '10m',
    'An upgraded connection (WebSocket) is idle in both directions for this long.',
  ),
})

const rate: Schema<number> = scalar(
  { type: 'rate: `10/s`, `100/m`', json: { type: ['string', 'number'] } },
  (value) => {
    const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,6})?)(?:\/(s|m|h))?$/.exec(value) ?? []
    const perSecond = Number(amount) / (unit === 'h' ? 3_600 : unit === 'm' ? 60 : 1)
    return perSecond > 0 && perSecond <= 10_000_000
      ? perSecond
      : refuse('write a rate above 0, such as 10/s, 100/m or 500/h')
  },
)

const rateKey: Schema<RateLimitConfig['key']> = scalar(
  { type: '`client-ip` | `header:NAME`', json: { type: 'string' } },
  (value) => {
    if (value === 'client-ip') return { type: 'client-ip' }
    const [, name] = /^header:([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256})$/.exec(value) ?? []
    return name === undefined ? refuse('write client-ip or header:NAME') : { type: 'header', name: name.toLowerCase() }
  },
)

const rateLimitFields = object('RateLimit', 'A token bucket for each client; past it 429 with `retry-after`.', {
  rate: required(rate, 'How many requests a second (`/s`), a minute (`/m`) or an hour (`/h`).'),
  burst: optional(integer(1, 10_000_000), 'How many may come at once. Default: those of one second, at least 1.'),
  key: field(rateKey, { type: 'client-ip' } as const, 'client-ip', 'Who counts as one client.'),
})

const rateLimit: Schema<RateLimitConfig> = either(
  mapped(rate, (perSecond): RateLimitConfig => limitOf(perSecond, undefined, { type: 'client-ip' })),
  mapped(rateLimitFields, (read): RateLimitConfig => limitOf(read.rate, read.burst, read.key)),
)

function limitOf(perSecond: number, burst: number | undefined, key: RateLimitConfig['key']): RateLimitConfig {
  return { requestsPerSecond: perSecond, burst: burst ?? Math.max(1, Math.ceil(perSecond)), key }
}

const stickyFields = object('Sticky', 'Keeps a client at the endpoint that served it first, by a cookie.', {
  cookie: required(cookieName, 'Its name.'),
  maxAge: field(duration({ maxMs: 31_536_000_000 }), 0, '0 (session)', 'How long the client keeps it.'),
  path: field(urlPath, '/', '/', 'The path of the cookie.'),
})

const sticky: Schema<StickyConfig> = either(
  mapped(cookieName, (cookie): StickyConfig => ({ cookie, maxAgeSeconds: 0, path: '/' })),
  mapped(
    stickyFields,
    (read): StickyConfig => ({ cookie: read.cookie, maxAgeSeconds: Math.round(read.maxAge / 1_000), path: read.path }),
  ),
)

const routeFields = object(
  'Route',
  'What is done with requests that match. All that is given must match; the first route of a listener that matches is taken. One of `to`, `redirect`, `respond`.',
  {
    name: optional(plainName, 'In logs and metrics. Default: the name of the listener and the number of the route.'),
    host: field(
      list(siteName(), { itemsMax: 1_000, orOne: true }),
      [],
      'any',
      'Exact, or `*.suffix`; compared without port and case.',
    ),
    path: field(path, { type: 'prefix', value: '/' } as const, '/', 'A prefix, or in full.'),
    method: field(list(method, { itemsMax: 32, orOne: true }), [], 'any', 'Which methods.'),
    headers: field(headers, [], 'none', 'Headers that must be as told: a value, or in full.'),
    to: optional(to, 'The upstream; or several with their shares: `{orders: 95, orders-canary: 5}`.'),
    redirect: optional(
      either(
        mapped(location, (where) => ({ location: where, status: 302 as RedirectStatus })),
        redirectFields,
      ),
      'Send the client elsewhere: a location, or in full.',
    ),
    respond: optional(
      either(
        mapped(integer(200, 599), (status) => ({ status, body: '', contentType: 'text/plain; charset=utf-8' })),
        respondFields,
      ),
      'Answer at once: a status, or in full.',
    ),
    rewrite: optional(rewriteFields, 'Other path or host upstream.'),
    requestHeaders: field(edits, noEdits, 'none', 'Changes of the headers sent upstream.'),
    responseHeaders: field(edits, noEdits, 'none', 'Changes of the headers sent to the client.'),
    rewriteLocation: field(
      locationRewrites,
      [],
      'none',
      'What the `location` and `refresh` of answers begin with, and what takes its place: `{"http://orders:8080/": /}`. The first that fits; both may hold [variables](#variables).',
    ),
    mirror: optional(mirror, 'Copy requests to another upstream.'),
    retry: field(retry, retryDefault, 'its defaults', 'Retries.'),
    timeouts: field(
      mapped(timeoutFields, (read) => ({
        attemptMs: read.attempt,
        requestMs: read.request,
        responseIdleMs: read.responseIdle,
        upgradedIdleMs: read.upgradedIdle,
      })),
      timeoutsDefault,
      'its defaults',
      'Timeouts.',
    ),
    requestBodyMax: field(size(0, 2 ** 50), 1024 * 1024, '1MiB', 'Larger request bodies get 413. 0: any size.'),
    rateLimit: optional(rateLimit, 'Requests of each client: a rate, or in full.'),
    sticky: optional(sticky, 'Sticky sessions: the name of the cookie, or in full.'),
  },
)

/** A route; without a name it has the empty one until its listener gives it one. */
export const route: Schema<RouteConfig> = mapped(routeFields, (read, at, source) => {
  const action = actionOf(read, source)
  if (action === invalid) return invalid
  if (read.rewrite?.path !== undefined && action.type !== 'forward')
    source.warn([...at, 'rewrite'], 'does nothing here: nothing is sent upstream')
  const result: RouteConfig = {
    name: read.name ?? '',
    match: { hosts: read.host, path: read.path, methods: read.method, headers: read.headers },
    action,
    rewrite: { path: read.rewrite?.path, host: read.rewrite?.host },
    requestHeaders: read.requestHeaders,
    responseHeaders: read.responseHeaders,
    locationRewrites: read.rewriteLocation,
    mirror: read.mirror,
    retry: read.retry,
    timeouts: read.timeouts,
    requestBodyBytesMax: read.requestBodyMax,
    rateLimit: read.rateLimit,
    sticky: read.sticky,
  }
  return source.placed(result, at)
})

function actionOf(read: Read<typeof routeFields>, source: YamlSource): RouteAction | Invalid {
  const given = ['to', 'redirect', 'respond'].filter((name) => read.given.has(name))
  if (given.length > 1)
    source.report([...read.at, given[1]!], `cannot stand beside ${given[0]}: a route does one thing`)
  else if (given.length === 0) source.report(read.at, 'does nothing: give it to, redirect or respond')
  else if (read.to !== undefined) {
    if (read.to.some(({ weight }) => weight > 0)) return { type: 'forward', to: read.to }
    // Shares that could not be read have been told.
    const at = formatPath([...read.at, 'to'])
    if (!source.problems.some((problem) => problem.path.startsWith(at)))
      source.report([...read.at, 'to'], 'must have a share above 0')
  } else if (read.redirect !== undefined) {
    return { type: 'redirect', status: read.redirect.status, location: read.redirect.location }
  } else if (read.respond !== undefined) {
    const { status, body, contentType } = read.respond
    if (body !== '' && (status === 204 || status === 205 || status === 304))
      source.report([...read.at, 'respond', 'body'], `a ${status} has no body`)
    return { type: 'respond', status, body, contentType }
  }
  return invalid
}
