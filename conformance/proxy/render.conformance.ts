// What is rendered for nginx and HAProxy does what our proxy does: one table of requests on all three.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { skipWithout } from '../peers.ts'
import { type Answer, type Ask, ask, engines, type RunningEngine, startEcho, startEngine } from './rendered-engines.ts'

/** What an answer says of the routing, as far as engines must agree. */
interface Outcome {
  readonly status: number
  readonly backend: string | undefined
  readonly url: string | undefined
  readonly sent: Readonly<Record<string, unknown>>
  readonly got: Readonly<Record<string, unknown>>
  readonly body: string | undefined
}

const hostile = `v"; return 500; } # ' \\ $host $$x %[src] %{+Q}o`

const yaml = (port: number, a: number, b: number): string => `
listeners:
  - name: web
    address: 127.0.0.1:${port}
    requestIds: generate
    routes:
      - {name: health, path: {exact: /health}, respond: {status: 200, body: ${JSON.stringify(`ok $5 "q" {x}; '%[src]' # \\n`)}, contentType: text/plain}}
      - {name: teapot, path: {exact: /teapot}, respond: {status: 418, body: short}}
      - {name: canary, path: /api, headers: {x-canary: "yes;}"}, to: b}
      - {name: write, path: /api, method: [POST, PUT], to: b, rewrite: {path: /write}}
      - name: api
        path: /api
        to: a
        rewrite: {path: /v1}
        requestHeaders: {set: {x-hostile: ${JSON.stringify(hostile)}, x-proto: $scheme, x-trace: t-$request_id}, add: {x-list: two}, remove: [cookie]}
        responseHeaders: {set: {server: mine}, add: {x-hostile: ${JSON.stringify(hostile)}}, remove: [x-from]}
      - {name: tail, path: /tail/, to: a, rewrite: {path: /}}
      - {name: exact, path: {exact: /exact}, to: a, rewrite: {path: /other}}
      - {name: img, path: {regex: '^/img/(\\w+)\\.png$', ignoreCase: true}, to: a, rewrite: {path: /pics/$1}}
      - {name: odd, path: "/a'b;$c", to: b}
      - {name: old, path: /old, redirect: {location: 'https://$host$request_uri', status: 301}}
      - {name: absent, path: /absent, headers: {x-token: {present: false}}, respond: {status: 401, body: no}}
      - {name: prefix, path: /absent, headers: {x-token: {prefix: 'Ab.'}}, to: a}
      - {name: shop, host: [shop.example, '*.shop.example'], path: /, to: b, rewrite: {host: 'inner.example:81'}}
      - {name: rest, path: /rest, to: a}
upstreams:
  a: {endpoints: [127.0.0.1:${a}]}
  b: {endpoints: [127.0.0.1:${b}], balance: least-connections}
`

const table: readonly (Ask & { readonly expect: Partial<Outcome> })[] = [
  { path: '/health', expect: { status: 200, body: `ok $5 "q" {x}; '%[src]' # \\n` } },
  { path: '/health/x', expect: { status: 404 } },
  { path: '/teapot', expect: { status: 418, body: 'short' } },
  { path: '/api', expect: { backend: 'a', url: '/v1' } },
  { path: '/api/x?y=1%20', expect: { backend: 'a', url: '/v1/x?y=1%20' } },
  { path: '/apix', expect: { status: 404 } },
  { path: '/api/x', headers: { 'x-canary': 'yes;}' }, expect: { backend: 'b', url: '/api/x' } },
  { path: '/api/x', headers: { 'x-canary': 'YES;}' }, expect: { backend: 'a' } },
  { path: '/api/x', method: 'POST', expect: { backend: 'b', url: '/write/x' } },
  { path: '/api/x', method: 'DELETE', expect: { backend: 'a', url: '/v1/x' } },
  {
    path: '/api/x',
    headers: { cookie: 'a=1', 'x-list': 'one', 'x-hostile': 'client' },
    expect: {
      backend: 'a',
      sent: { cookie: undefined, 'x-list': 'one, two', 'x-proto': 'http' },
      got: { 'x-from': undefined },
    },
  },
  {
    path: '/api/x',
    headers: { 'x-request-id': 'mine.1' },
    expect: { backend: 'a', sent: { 'x-request-id': 'mine.1', 'x-trace': 't-mine.1' } },
  },
  { path: '/tail/x/y', expect: { backend: 'a', url: '/x/y' } },
  { path: '/tail', expect: { status: 404 } },
  { path: '/exact?q', expect: { backend: 'a', url: '/other?q' } },
  { path: '/exact/', expect: { status: 404 } },
  { path: '/img/Cat.PNG', expect: { backend: 'a', url: '/pics/Cat' } },
  { path: '/img/a/b.png', expect: { status: 404 } },
  { path: "/a'b;$c/x", expect: { backend: 'b' } },
  {
    path: '/old/x?y=2',
    headers: { host: 'shop.example:99' },
    expect: { status: 301, got: { location: 'https://shop.example/old/x?y=2' } },
  },
  { path: '/absent', expect: { status: 401, body: 'no' } },
  { path: '/absent', headers: { 'x-token': 'Ab.c' }, expect: { backend: 'a' } },
  { path: '/absent', headers: { 'x-token': 'Abxc' }, expect: { status: 404 } },
  { path: '/', headers: { host: 'shop.example' }, expect: { backend: 'b', sent: { host: 'inner.example:81' } } },
  { path: '/', headers: { host: 'A.B.Shop.Example:8080' }, expect: { backend: 'b' } },
  { path: '/', headers: { host: 'notshop.example' }, expect: { status: 404 } },
  { path: '/api/x', headers: { host: 'shop.example' }, expect: { backend: 'a', sent: { host: 'shop.example' } } },
  {
    path: '/rest/x',
    headers: { 'x-forwarded-for': '6.6.6.6' },
    expect: { backend: 'a', sent: { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' } },
  },
]

describe('one configuration on our proxy, nginx and HAProxy', { skip: skipWithout('nginx', 'haproxy') }, () => {
  const running: RunningEngine[] = []
  const echoes: { port: number; close(): void }[] = []

  before(async () => {
    echoes.push(await startEcho('a'), await startEcho('b'))
    for (const engine of engines)
      running.push(await startEngine(engine, (port) => yaml(port, echoes[0]!.port, echoes[1]!.port)))
  })

  after(async () => {
    for (const engine of running) await engine.stop()
    for (const echo of echoes) echo.close()
  })

  for (const { expect, ...asked } of table) {
    test(`${asked.method ?? 'GET'} ${asked.path} ${JSON.stringify(asked.headers ?? {})}`, async () => {
      for (const engine of running) {
        const outcome = outcomeOf(await ask(engine.port, asked))
        for (const [key, wanted] of Object.entries({ status: 200, ...expect })) {
          const found = outcome[key as keyof Outcome]
          const seen =
            typeof wanted === 'object'
              ? Object.fromEntries(Object.keys(wanted).map((name) => [name, (found as Record<string, unknown>)[name]]))
              : found
          assert.deepEqual(seen, wanted, `${engine.name}: ${key} of ${JSON.stringify(outcome)}`)
        }
      }
    })
  }

  test('a request without an id that is fit gets one', async () => {
    for (const engine of running) {
      const answers = [{}, { 'x-request-id': 'not fit' }].map((headers) =>
        ask(engine.port, { path: '/api/x', headers }),
      )
      const ids = (await Promise.all(answers)).map(({ body }) => {
        const { headers } = JSON.parse(body) as { headers: Record<string, string> }
        assert.equal(headers['x-trace'], `t-${headers['x-request-id']}`)
        assert.match(String(headers['x-request-id']), /^[0-9a-f]{32}$/, engine.name)
        return headers['x-request-id']
      })
      assert.notEqual(ids[0], ids[1])
    }
  })

  test('a hostile value of a header arrives as it is written', async () => {
    const values = await Promise.all(
      running.map(async (engine) => {
        const answer = await ask(engine.port, { path: '/api/x', headers: { host: 'h.example' } })
        return {
          sent: (JSON.parse(answer.body) as { headers: Record<string, unknown> }).headers['x-hostile'],
          got: answer.headers['x-hostile'],
        }
      }),
    )
    const wanted = hostile.replace('$host', 'h.example').replace('$$', '$')
    for (const value of values) assert.deepEqual(value, { sent: wanted, got: wanted })
  })
})

function outcomeOf(answer: Answer): Outcome {
  const isEcho = answer.body.startsWith('{"name"')
  const echoed = isEcho
    ? (JSON.parse(answer.body) as { name: string; url: string; headers: Record<string, unknown> })
    : undefined
  return {
    status: answer.status,
    backend: echoed?.name,
    url: echoed?.url,
    sent: echoed?.headers ?? {},
    got: answer.headers,
    body: isEcho ? undefined : answer.body,
  }
}
