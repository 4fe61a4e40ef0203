// Drawn routes on our proxy, and as rendered on nginx and HAProxy: each request must be answered alike by all three.
// SYNOD_ROUTE_SETS and SYNOD_SEED make it longer or another one.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { canonicalPath } from '../../src/proxy/routing/index.ts'
import { skipWithout } from '../peers.ts'
import { type Ask, Asker, engines, type RunningEngine, startEcho, startEngine } from './rendered-engines.ts'

const sets = Number(process.env['SYNOD_ROUTE_SETS'] ?? 60)
const seed = Number(process.env['SYNOD_SEED'] ?? 5)
const requestsPerSet = 20

const prefixes = ['/', '/a', '/a/', '/a/b', '/a/b/', '/b', '/ab', '/a.png', '/a/c', '/a%20b', '/A', '/a@b', "/it's,$x"]
const regexes = ['\\.png$', '^/a', 'b', '^/a/(b|c)', '/$', '^/([ab]+)/(.*)$', '^/A', 'c\\.', '^/[^]*b', '^/\\u0061/']
const rewrites = ['/', '/v', '/v/', '/v/w', '/a/']

const path = fc.oneof(
  { arbitrary: fc.constantFrom(...prefixes), weight: 4 },
  { arbitrary: fc.record({ exact: fc.constantFrom(...prefixes) }), weight: 1 },
  { arbitrary: fc.record({ regex: fc.constantFrom(...regexes), ignoreCase: fc.boolean() }), weight: 2 },
)
const headers = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 4 },
  { arbitrary: fc.constantFrom({ 'x-k': 'one' }, { 'x-k': { prefix: 'o' } }), weight: 1 },
  { arbitrary: fc.constantFrom({ 'x-k': { present: true } }, { 'x-k': { present: false } }), weight: 1 },
  { arbitrary: fc.constantFrom({ 'x-k': { regex: '^(one|two)$' } }, { 'x-k': { exact: 'it"s $o;' } }), weight: 1 },
)
const action = fc.oneof(
  { arbitrary: fc.record({ to: fc.constant('app') }), weight: 4 },
  {
    arbitrary: fc.record({ to: fc.constant('app'), rewrite: fc.record({ path: fc.constantFrom(...rewrites) }) }),
    weight: 3,
  },
  { arbitrary: fc.record({ respond: fc.constantFrom(204, 403, 404, 418, 500) }), weight: 1 },
  {
    arbitrary: fc.record({ redirect: fc.constantFrom('https://x.example$request_uri', '/moved$is_args$args') }),
    weight: 1,
  },
)
const route = fc
  .record({
    host: fc.constantFrom('', '', '', '*.', 'both', 'any'),
    path,
    method: fc.constantFrom(undefined, undefined, undefined, ['POST'], ['GET', 'HEAD']),
    headers,
    action,
  })
  .map(({ action: does, ...match }) => ({ ...match, ...does }))
const routeSet = fc.array(route, { minLength: 1, maxLength: 6 })

const segment = fc.constantFrom(
  'a',
  'a',
  'b',
  'b',
  'c',
  'ab',
  'A',
  'a.png',
  'c.png',
  'a%20b',
  '%61',
  'a@b',
  'a%40b',
  "it's,$x",
  '',
)
const target = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '', '/', '?x=/a', '?'))
  .map(([segments, end]) => `/${segments.join('/')}${end}`)
const odd = fc.constantFrom(
  '/a/./b',
  '/c/../a/b',
  '/a/b/..',
  '/a//b',
  '//a',
  '/b/%2e%2e/a/b',
  '/a%2Fb',
  '/../a',
  '/a/%00',
  '/%2e',
)
const request = fc.record({
  path: fc.oneof({ arbitrary: target, weight: 6 }, { arbitrary: odd, weight: 1 }),
  method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'DELETE'),
  under: fc.constantFrom('', '', '', 'x.', 'x.y.'),
  key: fc.constantFrom(undefined, undefined, 'one', 'two', 'One', 'it"s $o;'),
})
const drawnSets = fc.tuple(routeSet, fc.array(request, { minLength: requestsPerSet, maxLength: requestsPerSet }))
type Drawn = typeof drawnSets extends fc.Arbitrary<infer T> ? T : never

function configText(port: number, app: number, drawn: readonly Drawn[]): string {
  const routes = drawn.flatMap(([list], index) =>
    list.map(({ host, ...rest }, at) => {
      const name = `s${index}.example`
      const hosts = { '': [name], '*.': [`*.${name}`], both: [name, `*.${name}`], any: [name, `x.${name}`] }
      const add = 'to' in rest ? { requestHeaders: { set: { 'x-route': `r${index}-${at}` } } } : {}
      return { name: `r${index}-${at}`, host: hosts[host as keyof typeof hosts], ...rest, ...add }
    }),
  )
  return JSON.stringify({
    listeners: [{ name: 'web', address: `127.0.0.1:${port}`, routes }],
    upstreams: { app: { endpoints: [`127.0.0.1:${app}`] } },
  })
}

/** What all must agree on. Dot segments and escapes may go on as they came, or resolved. */
async function outcome(asker: Asker, asked: Ask): Promise<Record<string, unknown>> {
  const { status, headers: fields, body } = await asker.ask(asked)
  if (!body.startsWith('{"name"')) return { status, location: fields.location }
  const { url, method, headers: sent } = JSON.parse(body) as Record<string, string> & { headers: object }
  const query = url!.indexOf('?')
  const end = query === -1 ? url!.length : query
  const plain = !/%|\/\.|\/\//.test(asked.path)
  const sentPath = plain ? url!.slice(0, end) : canonicalPath(url!)?.matched
  return { status, url: `${sentPath}${url!.slice(end).replace(/^\?$/, '')}`, method, by: (sent as never)['x-route'] }
}

describe('drawn routes', { skip: skipWithout('nginx', 'haproxy') }, () => {
  test(`${sets} sets, ${requestsPerSet} requests to each: seed ${seed}`, async () => {
    const drawn = fc.sample(drawnSets, { seed, numRuns: sets })
    const undo: (() => unknown)[] = []
    try {
      const echo = await startEcho('app')
      undo.push(() => echo.close())
      const running: RunningEngine[] = []
      for (const engine of engines) {
        const started = await startEngine(engine, (port) => configText(port, echo.port, drawn))
        running.push(started)
        undo.push(() => started.stop())
      }
      const askers = running.map(({ port }) => new Asker(port))
      undo.push(() => {
        for (const asker of askers) asker.close()
      })
      const unequal = await differences(askers, drawn)
      assert.equal(unequal.length, 0, `${unequal.length} unequal:\n${unequal.slice(0, 8).join('\n')}`)
    } finally {
      for (const step of undo.reverse()) await step()
    }
  })
})

/** What the three answer otherwise, one a set. */
async function differences(askers: readonly Asker[], drawn: readonly Drawn[]): Promise<string[]> {
  const unequal: string[] = []
  for (const [index, [routes, requests]] of drawn.entries()) {
    for (const { path: at, method, under, key } of requests) {
      const host = `${under}s${index}.example`
      const asked = { path: at, method, headers: { host, ...(key === undefined ? {} : { 'x-k': key }) } }
      const [ours, ...others] = await Promise.all(askers.map((asker) => outcome(asker, asked)))
      if (others.every((other) => isDeepStrictEqual(ours, other))) continue
      const seen = [ours, ...others].map((each, engine) => `  ${engines[engine]!.padEnd(8)} ${JSON.stringify(each)}`)
      const shown = routes.map((each) => `    ${JSON.stringify(each)}`)
      unequal.push([`${method} ${at} ${host} ${key ?? ''}`, ...seen, ...shown].join('\n'))
      break
    }
  }
  return unequal
}
