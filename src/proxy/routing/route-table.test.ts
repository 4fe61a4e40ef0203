import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { PathMatch, RouteConfig } from '../config/index.ts'
import type { RequestHead } from '../http/index.ts'
import { canonicalPath, hostName, RouteTable } from './index.ts'
import { headOf, type RouteParts, routeWith } from './testing/routes.ts'

function find(routes: readonly RouteConfig[], head: RequestHead): string | undefined {
  const path = canonicalPath(head.target)!
  return new RouteTable(routes).find(head, hostName(head.authority), path.matched)?.route.config.name
}

function named(name: string, match: RouteParts['match']): RouteConfig {
  return routeWith({ name, match: match ?? {} })
}

const prefix = (value: string): PathMatch => ({ type: 'prefix', value })

describe('the host', () => {
  const routes = [
    named('exact', { hosts: ['Shop.Example'] }),
    named('deep', { hosts: ['*.eu.example'] }),
    named('wide', { hosts: ['*.example'] }),
    named('v6', { hosts: ['[::1]'] }),
    named('any', {}),
  ]
  const table: readonly (readonly [authority: string, name: string])[] = [
    ['shop.example', 'exact'],
    ['SHOP.example:8080', 'exact'],
    ['shop.example.', 'exact'],
    ['a.eu.example', 'deep'],
    ['eu.example', 'wide'],
    ['a.b.example', 'wide'],
    ['example', 'any'],
    ['.example', 'any'],
    ['shop.example.evil', 'any'],
    ['[::1]:80', 'v6'],
    ['', 'any'],
  ]
  for (const [authority, name] of table) {
    it(`${authority || 'none'} takes ${name}`, () => assert.equal(find(routes, headOf({ authority })), name))
  }
})

describe('the path', () => {
  const routes = [
    named('api-exact', { path: { type: 'exact', value: '/api' } }),
    named('api-v2', { path: prefix('/api/v2/') }),
    named('api', { path: prefix('/api') }),
    named('regex', { path: { type: 'regex', value: /^\/img\/(\d+)\.(png|jpg)$/g } }),
    named('café', { path: prefix('/café') }),
  ]
  const table: readonly (readonly [target: string, name: string | undefined])[] = [
    ['/api', 'api-exact'],
    ['/api?x', 'api-exact'],
    ['/api/', 'api'],
    ['/api/v2', 'api'],
    ['/api/v2/x', 'api-v2'],
    ['/apix', undefined],
    ['/%61pi/x', 'api'],
    ['/x/../api/x', 'api'],
    ['//api/x', 'api'],
    ['/api%2Fx', 'api'],
    ['/img/12.png', 'regex'],
    ['/img/12.gif', undefined],
    ['/caf%c3%a9/menu', 'café'],
  ]
  for (const [target, name] of table) {
    it(`${target} takes ${name}`, () => {
      assert.equal(find(routes, headOf({ target })), name)
      // Twice: an expression with a memory would differ.
      assert.equal(find(routes, headOf({ target })), name)
    })
  }
})

describe('methods and header fields', () => {
  const header = (name: string, test: RouteConfig['match']['headers'][number]['test']) => ({
    headers: [{ name, test }],
  })
  const routes = [
    named('post', { methods: ['POST', 'PUT'] }),
    named('canary', header('x-canary', { type: 'exact', value: 'yes' })),
    named('beta', header('cookie', { type: 'regex', value: /(^|; )beta=1/g })),
    named('mobile', header('user-agent', { type: 'prefix', value: 'Mob' })),
    named('host', header('host', { type: 'exact', value: 'canary.example' })),
    named('key', header('x-key', { type: 'present' })),
    named('plain', header('x-plain', { type: 'absent' })),
  ]
  const table: readonly (readonly [head: Partial<RequestHead>, name: string | undefined])[] = [
    [{ method: 'PUT' }, 'post'],
    [{ fields: ['x-canary', 'yes'] }, 'canary'],
    [{ fields: ['x-canary', 'no', 'x-canary', 'yes'] }, 'canary'],
    [{ fields: ['x-canary', 'no'] }, 'plain'],
    [{ fields: ['cookie', 'a=1; beta=1'] }, 'beta'],
    [{ fields: ['user-agent', 'Mobile'] }, 'mobile'],
    [{ authority: 'canary.example' }, 'host'],
    [{ fields: ['x-key', ''] }, 'key'],
    [{ fields: ['x-plain', '1'] }, undefined],
  ]
  for (const [head, name] of table) {
    it(`${JSON.stringify(head)} takes ${name}`, () => {
      assert.equal(find(routes, headOf(head)), name)
      assert.equal(find(routes, headOf(head)), name)
    })
  }
})

/** The same rules without any index. */
function naive(routes: readonly RouteConfig[], head: RequestHead, path: string): string | undefined {
  const host = head.authority.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '')
  return routes.find(({ match }) => {
    const hostFits = match.hosts.some((each) => {
      const want = each.toLowerCase()
      return want.startsWith('*.') ? host.endsWith(want.slice(1)) && host.length >= want.length : want === host
    })
    if (match.hosts.length > 0 && !hostFits) return false
    if (match.methods.length > 0 && !match.methods.includes(head.method)) return false
    const { type, value } = match.path
    if (type === 'regex') return value.test(path)
    if (type === 'exact') return path === value
    return path === value || path.startsWith(value.endsWith('/') ? value : `${value}/`)
  })?.name
}

describe('the table', () => {
  const host = fc.constantFrom('a.x', 'b.x', 'x', 'c.b.x', 'a.y', 'y', 'z')
  const hostPattern = fc.oneof(host, fc.constantFrom('*.x', '*.b.x', '*.y', 'A.X', '*.a.b.x', '*.q', '*.r', '*.c.b.x'))
  const segments = fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 3 })
  const path = fc
    .tuple(segments, fc.boolean())
    .map(([parts, slash]) => `/${parts.join('/')}${slash && parts.length > 0 ? '/' : ''}`)
  const pathMatch: fc.Arbitrary<PathMatch> = fc.oneof(
    path.map((value) => ({ type: 'prefix' as const, value })),
    path.map((value) => ({ type: 'exact' as const, value })),
    fc.constantFrom(/a/, /^\/b/, /\/$/).map((value) => ({ type: 'regex' as const, value })),
  )
  const match = fc.record({
    hosts: fc.array(hostPattern, { maxLength: 3 }),
    path: pathMatch,
    methods: fc.subarray(['GET', 'POST']),
  })

  it('finds what a search through all routes finds', () => {
    const authority = fc.oneof(
      host,
      host.map((each) => `${each.toUpperCase()}:80`),
    )
    const requests = fc.array(fc.tuple(authority, path, fc.constantFrom('GET', 'POST')), {
      minLength: 1,
      maxLength: 20,
    })
    fc.assert(
      fc.property(fc.array(match, { maxLength: 12 }), requests, (matches, all) => {
        const routes = matches.map((each, index) => named(String(index), each))
        const table = new RouteTable(routes)
        for (const [requestAuthority, target, method] of all) {
          const head = headOf({ authority: requestAuthority, target, method })
          const found = table.find(head, hostName(requestAuthority), target)?.route.config.name
          assert.equal(found, naive(routes, head, target))
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('compares few of a thousand routes', () => {
    let comparisons = 0
    const counting = Object.assign(/^$/, { test: () => comparisons++ < 0 })
    const headers: RouteConfig['match']['headers'] = [{ name: 'x', test: { type: 'regex', value: counting } }]
    const routes = Array.from({ length: 1_000 }, (_, i) =>
      named(String(i), { hosts: [`h${i % 10}.x`], path: prefix(`/s${i}/p`), headers }),
    )
    assert.equal(find(routes, headOf({ authority: 'h7.x', target: '/s417/p/q', fields: ['x', 'y'] })), undefined)
    assert.equal(comparisons, 1)
  })
})
