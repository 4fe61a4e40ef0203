import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  formatProblem,
  type HttpListenerConfig,
  type ProxyConfig,
  parseProxyConfig,
  proxyConfigJsonSchema,
  proxyConfigReference,
} from './index.ts'

const file = '/etc/synod/proxy.yaml'

function good(text: string): ProxyConfig {
  const parsed = parseProxyConfig(text, { file })
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problems.map((problem) => formatProblem('f', problem)).join('\n'))
  return parsed.config
}

function problems(text: string): string[] {
  const parsed = parseProxyConfig(text, { file })
  assert.ok(!parsed.ok, 'it was accepted')
  return parsed.problems.map((problem) => formatProblem('f', problem))
}

function warnings(text: string): string[] {
  const parsed = parseProxyConfig(text, { file })
  return parsed.ok ? parsed.warnings.map((problem) => formatProblem('f', problem)) : ['wrong']
}

const web = (routes: string, more = ''): string => `listeners:
  - address: :8080
    routes: ${routes}
upstreams: {a: {endpoints: ['127.0.0.1:1']}, b: {endpoints: ['127.0.0.1:2']}}
${more}`

const routesOf = (text: string): HttpListenerConfig['routes'] => (good(text).listeners[0] as HttpListenerConfig).routes

describe('a configuration that is good', () => {
  test('the smallest has every default', () => {
    const config = good(web('[{to: [a, b]}]'))
    const listener = config.listeners[0] as HttpListenerConfig
    assert.deepEqual(
      { ...listener, routes: undefined },
      {
        name: 'listener-1',
        host: '127.0.0.1',
        port: 8080,
        protocol: 'http',
        proxyProtocolFrom: [],
        connectionsMax: 20_000,
        tls: undefined,
        http2: true,
        trustedProxies: [],
        forwardedHeaders: 'x-forwarded',
        requestIds: 'pass',
        limits: {
          headBytesMax: 32_768,
          headerFieldsMax: 128,
          headTimeoutMs: 30_000,
          idleTimeoutMs: 75_000,
          bodyIdleTimeoutMs: 60_000,
          requestsPerConnectionMax: 100_000,
          http2StreamsMax: 128,
        },
        routes: undefined,
      },
    )
    assert.equal(listener.routes[0]!.name, 'listener-1-1')
    assert.deepEqual(listener.routes[0]!.match.path, { type: 'prefix', value: '/' })
    assert.equal(config.upstreams[0]!.settings.outlier!.consecutiveFailures, 5)
    assert.equal(config.workers, 1)
  })

  test('short and long forms mean the same', () => {
    const pairs = [
      ['{to: a}', '{to: [{upstream: a, weight: 1}]}'],
      ['{to: {a: 95, b: 5}}', '{to: [{upstream: a, weight: 95}, {upstream: b, weight: 5}]}'],
      ['{path: /x, to: a}', '{path: {prefix: /x}, to: a}'],
      ['{host: X.example, to: a}', '{host: [x.example], to: a}'],
      ['{respond: 404}', '{respond: {status: 404}}'],
      ['{redirect: /y}', '{redirect: {location: /y, status: 302}}'],
      ['{to: a, mirror: b}', '{to: a, mirror: {to: b, share: 100%}}'],
      ['{to: a, rateLimit: 60/m}', '{to: a, rateLimit: {rate: 1, burst: 1, key: client-ip}}'],
      ['{to: a, sticky: c}', '{to: a, sticky: {cookie: c, maxAge: 0, path: /}}'],
      ['{to: a, headers: {X-A: "1"}}', '{to: a, headers: {x-a: {exact: "1"}}}'],
    ]
    for (const [short, long] of pairs) assert.deepEqual(routesOf(web(`[${short}]`)), routesOf(web(`[${long}]`)), short)
  })

  test('units', () => {
    const [route] = routesOf(web('[{to: a, requestBodyMax: 64KiB}]'))
    assert.equal(route!.requestBodyBytesMax, 65_536)
    const timeouts = routesOf(web('[{to: a, timeouts: {attempt: 1m30s, request: 1.5s, responseIdle: 250ms}}]'))[0]!
      .timeouts
    assert.deepEqual(timeouts, { attemptMs: 90_000, requestMs: 1_500, responseIdleMs: 250, upgradedIdleMs: 600_000 })
  })

  test('relative files are meant from the folder of the configuration', () => {
    const config = good(`
accessLog: log/access.log
listeners: [{address: '0.0.0.0:443', tls: {cert: a.pem, key: /k.pem}, routes: [{respond: 200}]}]`)
    assert.equal(config.accessLog!.file, '/etc/synod/log/access.log')
    const { tls } = config.listeners[0] as HttpListenerConfig
    assert.deepEqual(tls!.certificates, [{ certFile: '/etc/synod/a.pem', keyFile: '/k.pem' }])
  })

  test('anchors and merges', () => {
    const routes = routesOf(`
listeners:
  - address: :1
    routes:
      - &base {path: /a, to: a, timeouts: {attempt: 5s}}
      - {<<: *base, path: /b}
upstreams: {a: {endpoints: ['127.0.0.1:1']}}`)
    assert.equal(routes[1]!.timeouts.attemptMs, 5_000)
    assert.deepEqual(routes[1]!.match.path, { type: 'prefix', value: '/b' })
  })

  test('every kind of source, check and listener', () => {
    const config = good(`
registry: synod://127.0.0.1:2379
listeners:
  - {name: db, address: '[::1]:5432', protocol: tcp, to: a, sendProxyProtocol: v1}
  - {name: sni, address: '0.0.0.0:443', protocol: tls-passthrough, names: [{name: ['*.a.example', b.example], to: b}], to: c}
upstreams:
  a: {dns: db.example:5432, check: tcp}
  b: {dns: {name: _x._tcp.example, refresh: 1m}, check: {http: {path: /h, status: 200}, interval: 1s}}
  c: {registry: orders, file: e.yaml, check: grpc, outlier: off, balance: {policy: ring-hash, key: 'header:X-User', boundedLoad: 1.25}}`)
    const [a, b, c] = config.upstreams.map(({ settings }) => settings)
    assert.deepEqual(a!.sources, [{ type: 'dns', name: 'db.example', port: 5432, refreshMs: 10_000 }])
    assert.deepEqual(b!.sources, [{ type: 'dns', name: '_x._tcp.example', port: undefined, refreshMs: 60_000 }])
    assert.deepEqual(b!.activeCheck!.check, { type: 'http', path: '/h', host: '', statusMin: 200, statusMax: 200 })
    assert.deepEqual(
      c!.sources.map(({ type }) => type),
      ['file', 'registry'],
    )
    assert.equal(c!.outlier, undefined)
    assert.deepEqual(c!.balance.hashKey, { type: 'header', name: 'x-user' })
    assert.equal(config.listeners.flatMap((each) => (each.protocol === 'tcp' ? [each.sendProxyProtocol] : []))[0], 1)
  })
})

describe('what is wrong is told with its place', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'f:1:1 the file is empty'],
    ['listeners: [', 'f:1:13 is not YAML'],
    ['a: b\n---\nc: d', 'f:2:1 a second document begins here'],
    [web('[{to: a, pth: /x}]'), 'f:3:22 listeners[0].routes[0].pth: is not known here; did you mean path?'],
    [web('[{to: c}]'), 'f:3:19 listeners[0].routes[0].to: there is no upstream "c"'],
    [web('[{to: {a: 1, c: 1}}]'), 'listeners[0].routes[0].to.c: there is no upstream "c"'],
    [web('[{path: x, to: a}]'), 'listeners[0].routes[0].path: is "x": must begin with "/"'],
    [web('[{path: {regex: "("}, to: a}]'), 'Invalid regular expression'],
    [web('[{path: {regex: "(a+)+$"}, to: a}]'), 'can take for ever'],
    [web('[{to: a, respond: 200}]'), 'cannot stand beside to'],
    [web('[{path: /}]'), 'does nothing: give it to, redirect or respond'],
    [web('[{to: {a: 0}}]'), 'must have a share above 0'],
    [web('[{to: a, timeouts: {attempt: 5}}]'), 'write a duration with its unit'],
    [web('[{to: a, requestHeaders: {set: {"a b": x}}}]'), 'must be a header name'],
    [web('[{to: a, requestHeaders: {set: {host: x}}}]'), 'use rewrite.host instead'],
    [web('[{to: a, requestHeaders: {set: {x: "a\\r\\nb: c"}}}]'), 'no control characters'],
    [web('[{to: a, headers: {x: {exact: a, prefix: b}}}]'), 'must have one of'],
    [web('[{to: a, method: get}]'), 'methods are written in capitals: GET'],
    [web('[{name: x, to: a}, {name: x, path: /b, to: a}]'), 'another route is called x too'],
    [web('[{redirect: "javascript:alert(1)"}]'), 'must begin with http://'],
    [web('[{to: a}]', 'admin: 0.0.0.0:1'), 'f:5:8 admin: is not on loopback'],
    [web('[{to: a}]', 'admin: {address: "0.0.0.0:1"}'), 'allowRemote'],
    [web('[{to: a}]', 'admin: 127.0.0.1:8080'), 'is the address of admin too'],
    [web('[{to: a}]', 'workers: 0'), 'from 1 to 128'],
    ['listeners: [{address: "*:1", routes: []}]', 'to listen on every interface write 0.0.0.0:1'],
    ['listeners: [{address: "::1", routes: []}]', 'put IPv6 in brackets'],
    ['listeners: [{address: "10.0.0.256:1", routes: []}]', 'neither an IP address nor a name'],
    ['listeners: [{address: ":1", protocol: tcp}]', 'lacks to'],
    ['listeners: [{address: ":1", protocol: tcp, to: a, routes: []}]', 'has no meaning with protocol tcp'],
    ['listeners: [{address: ":1", routes: [{respond: 200}], tls: {cert: a}}]', 'without the other'],
    [
      'listeners: [{address: ":1", routes: [{respond: 200}]}, {address: "0.0.0.0:1", routes: [{respond: 200}]}]',
      'is the address of listener-1 too',
    ],
    [web('[{to: a}]').replace("endpoints: ['127.0.0.1:1']", 'idleConnections: 1'), 'has no endpoints'],
    [web('[{to: a}]').replace("['127.0.0.1:1']", "['127.0.0.1:1', '127.0.0.1:1']"), 'has 127.0.0.1:1 twice'],
    [web('[{to: a}]').replace("endpoints: ['127.0.0.1:1']", 'registry: orders'), 'set registry at the top'],
    [web('[{to: a}]').replace('b: {', 'a: {'), 'stands here a second time'],
    [web('[{to: a, retry: }]'), 'has no value'],
    ['? [1]\n: 2\nlisteners: []', 'has a key that is not text'],
  ]
  for (const [text, wanted] of cases) {
    test(wanted, () => {
      const told = problems(text)
      assert.ok(
        told.some((line) => line.includes(wanted)),
        `${wanted}\nnot in\n${told.join('\n')}`,
      )
    })
  }

  test('all at once, in the order of the file, and no more than 100', () => {
    const told = problems(web(`[${'{to: nobody, x: 1}, '.repeat(200)}{to: a}]`))
    assert.equal(told.length, 101)
    assert.ok(told.at(-1)!.includes('only 100 are shown') || told.some((line) => line.includes('only 100 are shown')))
  })

  test('an upstream that is wrong is no second problem where it is used', () => {
    assert.deepEqual(
      problems(web('[{to: a}]').replace("['127.0.0.1:1']", '[x]')).filter((line) =>
        line.includes('there is no upstream'),
      ),
      [],
    )
  })
})

test('odd, but accepted: warnings', () => {
  const told = warnings(`
listeners:
  - address: :1
    trustedProxies: 0.0.0.0/0
    routes: [{path: /a, to: a}, {path: /a/b, method: GET, to: a}, {path: /a/, redirect: /}]
upstreams: {a: {endpoints: ['127.0.0.1:1'], tls: {verify: false}}, b: {endpoints: ['127.0.0.1:1']}}`)
  for (const wanted of [
    'lets any client say who it is',
    'routes[1]: is never reached: listener-1-1',
    'routes[2]: is never reached',
    'upstreams.b: is not used',
    'tls.verify: is false',
  ])
    assert.ok(
      told.some((line) => line.includes(wanted)),
      `${wanted} not in\n${told.join('\n')}`,
    )
})

test('gRPC over HTTP/1.1: warnings', () => {
  const told = (protocol: string): string[] =>
    warnings(`
listeners:
  - address: :1
    routes: [{headers: {content-type: {prefix: application/grpc}}, to: a}, {to: a}]
upstreams: {a: {endpoints: ['127.0.0.1:1'], protocol: ${protocol}, check: grpc}}`)
  assert.deepEqual(told('http2'), [])
  const text = told('http1').join('\n')
  assert.match(text, /routes\[0\]: sends gRPC to upstream a over HTTP\/1\.1.*protocol: http2/)
  assert.match(text, /upstreams\.a: is checked as a server of gRPC.*protocol: http2/)
})

describe('hostile files', () => {
  test('a billion laughs ends soon', () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `l${level + 1}: &l${level + 1} [${`*l${level}, `.repeat(9)}*l${level}]`,
    )
    const told = problems(`l0: &l0 x\n${levels.join('\n')}\nlisteners: *l12`)
    assert.ok(told.length > 0)
    const nested = `listeners: [&l {address: ':1', routes: &r [${'{to: &t [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]}, '.padEnd(20)}${'{to: *t}, '.repeat(900)}]}${', *l'.repeat(99)}]`
    assert.ok(problems(nested).some((line) => line.includes('expands to more than')))
  })

  test('an alias within itself, nesting without end, and a file too large', () => {
    assert.ok(problems('a: &a [*a]\nlisteners: *a').length > 0)
    assert.ok(problems('listeners: &a\n  - &b {<<: *b, routes: *a}').length > 0)
    assert.ok(problems('['.repeat(100_000)).length > 0)
    assert.ok(problems(' '.repeat(1024 * 1024 + 1))[0]!.includes('longer than 1 MiB'))
    assert.ok(problems(`listeners: [${'*a,'.repeat(2_000)}]`).length > 0)
  })

  test('many keys are compared in linear time', () => {
    const keys = Array.from({ length: 60_000 }, (_, index) => `k${index}: 1`).join('\n')
    assert.ok(problems(keys).length >= 100)
  })

  test('fuzz: never throws, problems have places', () => {
    const words = fc.constantFrom(
      ...'listeners upstreams routes to address a b : - [ ] { } , " \' | > & * <<: ! % @ # ? \n \t 127.0.0.1:1 5s 1KiB 10% / ~ ---'.split(
        ' ',
      ),
      '\n  ',
      ' ',
      '0x1',
      '.inf',
      '\0',
      '\ud800',
    )
    const shaped = fc.array(words, { maxLength: 60 }).map((list) => list.join(' '))
    const sample = web('[{to: {a: 95, b: 5}, path: /x, retry: off}]')
    const mutated = fc
      .tuple(fc.nat(sample.length), fc.nat(8), fc.string({ maxLength: 6 }))
      .map(([at, cut, text]) => sample.slice(0, at) + text + sample.slice(at + cut))
    fc.assert(
      fc.property(fc.oneof(shaped, mutated, fc.string()), (text) => {
        const parsed = parseProxyConfig(text, { file })
        if (!parsed.ok) {
          assert.ok(parsed.problems.length > 0)
          for (const { line, column } of parsed.problems) assert.ok(line >= 1 && column >= 1)
        }
      }),
      { numRuns: 1_500 },
    )
  })
})

test('certificates must be there, be certificates, and have their key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-config-'))
  try {
    for (const name of ['a', 'b'])
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-keyout',
          join(folder, `${name}.key`),
          '-out',
          join(folder, `${name}.pem`),
          '-days',
          '2',
          '-subj',
          `/CN=${name}`,
        ],
        { stdio: 'ignore' },
      )
    const check = (cert: string, key: string, nowMs = Date.now()) =>
      parseProxyConfig(`listeners: [{address: ':1', tls: {cert: ${cert}, key: ${key}}, routes: [{respond: 200}]}]`, {
        file: join(folder, 'proxy.yaml'),
        checkFiles: { read: (path) => readFileSync(path, 'utf8'), nowMs },
      })
    assert.ok(check('a.pem', 'a.key').ok)
    assert.match(JSON.stringify(check('a.pem', 'b.key')), /is not the key of/)
    assert.match(JSON.stringify(check('a.key', 'a.key')), /holds no certificate/)
    assert.match(JSON.stringify(check('a.pem', 'a.pem')), /holds no private key/)
    assert.match(JSON.stringify(check('none.pem', 'a.key')), /cannot read/)
    assert.match(JSON.stringify(check('a.pem', 'a.key', Date.now() + 1e10)), /is valid only until/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the JSON Schema names every object it refers to, and the page has a section for each', () => {
  const schema = proxyConfigJsonSchema() as { $defs: Record<string, unknown> }
  const text = JSON.stringify(schema)
  const named = new Set([...text.matchAll(/"#\/\$defs\/([^"]+)"/g)].map(([, name]) => decodeURIComponent(name!)))
  assert.deepEqual([...named].sort(), Object.keys(schema.$defs).sort())
  const page = proxyConfigReference()
  for (const name of named) assert.ok(page.includes(`### ${name}\n`), name)
  for (const [, anchor] of page.matchAll(/\]\(#([^)]+)\)/g))
    if (anchor !== 'variables') assert.ok(page.includes(`<a id="${anchor}">`), anchor)
})
