import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pcreOf } from './pcre.ts'

test('what JavaScript writes otherwise than PCRE', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['^/a/(b|c)\\.png$', '^/a/(b|c)\\.png$'],
    ['[^]*x[]', '[\\s\\S]*x(?!)'],
    ['[^\\]a[:alpha:]]', '[^\\]a\\[:alpha:]]'],
    ['\\u0061\\u00e9', '\\x61\\xc3\\xa9'],
    ['\\A\\z\\h\\d\\b\\/\\0', 'Azh\\d\\b\\/\\x00'],
    ['(?<n>a)\\k<n>(?-i:b)\\\\', '(?<n>a)\\k<n>(?-i:b)\\\\'],
  ]
  for (const [source, wanted] of cases) assert.equal(pcreOf(source), wanted)
})
