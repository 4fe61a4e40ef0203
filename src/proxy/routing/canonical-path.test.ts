import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { canonicalPath } from './index.ts'

describe('the canonical path', () => {
  const same: readonly (readonly [target: string, matched: string, forwarded?: string])[] = [
    ['/', '/'],
    ['/a/b?x=/../y', '/a/b'],
    ['/a.b/c..d/...', '/a.b/c..d/...'],
    ['/.well-known/x', '/.well-known/x'],
    ['/a?', '/a'],
    ['/%61dmin', '/admin', '/%61dmin'],
    ['/a%40b%3b', '/a@b', '/a%40b%3b'],
    ['/a;x=1/b;y', '/a/b', '/a;x=1/b;y'],
    ['/;/a', '/a', '/;/a'],
    ['/a%5cb', '/a/b', '/a%5cb'],
    ['/a%2fb', '/a/b', '/a%2fb'],
    ['/a%252Fb', '/a%252Fb'],
    ['/caf%c3%a9', '/caf%C3%A9', '/caf%c3%a9'],
    ['/caf\u00c3\u00a9', '/caf%C3%A9', '/caf\u00c3\u00a9'],
    ['//admin///x/', '/admin/x/', '//admin///x/'],
    ['/a/./b', '/a/b', '/a/b'],
    ['/public/../admin', '/admin', '/admin'],
    ['/public/%2e%2E/admin', '/admin', '/admin'],
    ['/a/b/..', '/a/', '/a/'],
    ['/a/b/.', '/a/b/', '/a/b/'],
    ['/a//../b', '/b', '/b'],
    ['/a%20b', '/a%20b'],
    ['/a%3Fb', '/a%3Fb'],
  ]
  for (const [target, matched, forwarded] of same) {
    it(`of ${target} is ${matched}`, () => {
      const path = canonicalPath(target)
      assert.equal(path?.matched, matched)
      assert.equal(path?.forwarded, forwarded ?? target.split('?')[0])
    })
  }

  for (const target of [
    '',
    'x',
    '*',
    '/..',
    '/a/../..',
    '/%2e%2e',
    '/a/%2E./../..',
    '/%00',
    '/a%0d',
    '/%7f',
    '/%',
    '/%4',
    '/%zz',
    '/a\\b',
    '/a#b',
    '/a b',
    '/a/..%2fb',
    '/a%2f../b',
    '/..%5cx',
    '/a/..;/b',
    '/a/..;x=1/b',
    '/.;/b',
    '/a%2F%2e%2e%2Fb',
    '/a%2F..',
    '/a\u0000',
  ]) {
    it(`of ${JSON.stringify(target)} is refused`, () => assert.equal(canonicalPath(target), undefined))
  }

  const piece = fc.constantFrom(
    'a',
    'B',
    '/',
    '/',
    '.',
    '..',
    '%2e',
    '%2F',
    '%61',
    '%25',
    '%5C',
    ';',
    '%',
    'é',
    '//',
    '?',
    '%C3',
    '~',
  )
  const target = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`)

  it('has no dot segment and no empty one, and is its own canonical form', () => {
    fc.assert(
      fc.property(target, (each) => {
        const path = canonicalPath(each)
        if (path === undefined) return
        assert.doesNotMatch(path.matched, /(^|\/)\.\.?($|\/)|\/\/|%2F|\?/)
        assert.equal(canonicalPath(path.escaped)?.matched, path.matched)
        assert.equal(canonicalPath(path.forwarded)?.matched, path.matched)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is the same for every spelling of the same path', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^(\/[a-z~_]{1,4}){1,4}$/), fc.infiniteStream(fc.nat(3)), (plain, choices) => {
        let spelled = ''
        for (const char of plain) {
          const choice = choices.next().value
          const hex = char.charCodeAt(0).toString(16)
          if (char === '/') spelled += ['/', '//', '/./', '/zz/../'][choice]
          else spelled += choice === 0 ? `%${hex}` : choice === 1 ? `%${hex.toUpperCase()}` : char
        }
        assert.equal(canonicalPath(spelled)?.matched, plain)
      }),
    )
  })
})
