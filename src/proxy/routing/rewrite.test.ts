import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  applyEdits,
  canonicalPath,
  compileEdits,
  compileTemplate,
  expandTemplate,
  rewritePath,
  SmoothSplit,
  type TemplateValues,
  withQuery,
} from './index.ts'

const values: TemplateValues = {
  clientAddress: '203.0.113.9',
  scheme: 'https',
  authority: 'shop.example:8443',
  host: 'shop.example',
  localPort: 8443,
  method: 'GET',
  target: '/a%20b?c=d',
  path: '/a%20b',
  query: 'c=d',
  requestId: 'r-1',
  groups: ['whole', 'one', undefined],
}

describe('rewriting a path', () => {
  const prefixes: readonly (readonly [pattern: string, replacement: string, target: string, result: string])[] = [
    ['/api', '/v2', '/api/x', '/v2/x'],
    ['/api', '/v2/', '/api/x', '/v2/x'],
    ['/api/', '/v2', '/api/x', '/v2/x'],
    ['/api', '/', '/api/x', '/x'],
    ['/api', '/', '/api', '/'],
    ['/api', '/v2', '/api', '/v2'],
    ['/api/', '/', '/api/x', '/x'],
    ['/', '/v2', '/x', '/v2/x'],
    ['/api', '/v2', '/api/a%2Fb', '/v2/a%2Fb'],
    ['/api', '/v2', '/%61pi//x/../a%20b', '/v2/a%20b'],
    ['/a/b', '/v2', '/a%2Fb/c', '/v2/c'],
    ['/a', '/v2', '/a%2Fb/c', '/v2/b/c'],
    ['/a', '/v2', '/a;x=1/c', '/v2/c'],
    ['/a', '/v2', '/a;x=1', '/v2'],
    ['/a/', '/v2/', '/a/c;x=1', '/v2/c;x=1'],
  ]
  for (const [pattern, replacement, target, result] of prefixes) {
    it(`${target}: prefix ${pattern} by ${replacement} is ${result}`, () => {
      const path = canonicalPath(target)!
      assert.equal(rewritePath(replacement, { type: 'prefix', value: pattern }, pattern, path, undefined), result)
    })
  }

  it('replaces the whole of an exact match, and fills in groups', () => {
    const path = canonicalPath('/img/7.png')!
    assert.equal(rewritePath('/new', { type: 'exact', value: '/img/7.png' }, '/img/7.png', path, undefined), '/new')
    const value = /^\/img\/(\d+)\.(png)(x)?/
    const groups = value.exec(path.matched) ?? undefined
    assert.equal(rewritePath('/$2/$1$3/$9', { type: 'regex', value }, '', path, groups), '/png/7/')
    assert.equal(rewritePath('$1', { type: 'regex', value }, '', path, groups), '/7')
  })

  it('keeps the query', () => {
    assert.equal(withQuery('/a', '?x=1'), '/a?x=1')
    assert.equal(withQuery('/a?y=2', '?x=1'), '/a?y=2&x=1')
    assert.equal(withQuery('/a?y=2', ''), '/a?y=2')
    assert.equal(withQuery('/a?y=2', '?'), '/a?y=2')
  })
})

describe('templates', () => {
  it('fill in variables, and leave other dollars alone', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['plain', 'plain'],
      ['$scheme://$host$request_uri', 'https://shop.example/a%20b?c=d'],
      ['$http_host:$server_port $remote_addr', 'shop.example:8443:8443 203.0.113.9'],
      ['$uri$is_args$args', '/a%20b?c=d'],
      ['/$1/$2/$9', '/one//'],
      ['$$host $5x $unknown $', '$host x $unknown $'],
      ['$request_method', 'GET'],
    ]
    for (const [text, result] of cases) assert.equal(expandTemplate(compileTemplate(text), values), result)
  })
})

describe('header edits', () => {
  it('remove, set, then add', () => {
    const edits = compileEdits({
      remove: ['x-gone'],
      set: [
        ['x-real-ip', '$remote_addr'],
        ['x-empty', '$9'],
      ],
      add: [['via', '1.1 synod']],
    })
    const fields = [
      'x-gone',
      '1',
      'x-real-ip',
      '6.6.6.6',
      'x-kept',
      'a',
      'x-gone',
      '2',
      'x-empty',
      'b',
      'via',
      '1.0 other',
    ]
    assert.deepEqual(applyEdits(fields, edits, values), [
      'x-kept',
      'a',
      'via',
      '1.0 other',
      'x-real-ip',
      '203.0.113.9',
      'via',
      '1.1 synod',
    ])
  })

  it('leave the very same list when there are none', () => {
    const fields = ['a', 'b']
    assert.equal(applyEdits(fields, compileEdits({ remove: [], set: [], add: [] }), values), fields)
  })
})

describe('a split', () => {
  it('gives each target exactly its share, smoothly', () => {
    const weights = fc
      .array(fc.nat(9), { minLength: 1, maxLength: 5 })
      .filter((each) => each.some((weight) => weight > 0))
    fc.assert(
      fc.property(weights, (each) => {
        const total = each.reduce((sum, weight) => sum + weight, 0)
        const split = new SmoothSplit(each)
        const counts = each.map(() => 0)
        for (let n = 1; n <= 3 * total; n++) {
          counts[split.next()]!++
          // At every moment no target is further from its share than the number of targets.
          for (const [i, weight] of each.entries()) assert.ok(Math.abs(counts[i]! - (n * weight) / total) < each.length)
        }
        assert.deepEqual(
          counts,
          each.map((weight) => 3 * weight),
        )
      }),
    )
  })

  it('spaces a canary evenly', () => {
    const split = new SmoothSplit([9, 1])
    const canary = Array.from({ length: 40 }, (_, i) => (split.next() === 1 ? i : -1)).filter((i) => i >= 0)
    assert.deepEqual(
      canary.slice(1).map((at, i) => at - canary[i]!),
      [10, 10, 10],
    )
  })
})
