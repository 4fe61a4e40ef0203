import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { withoutIgnoreCase } from './ignore-case.ts'

const sources = [
  '^/img/([a-z]+)\\.(png|JPG)$',
  '^/[^a-m/]+$',
  '(?<name>x)y(z)?',
  '^/\\w+\\d?\\S*B$',
  '[\\]a-cX-Z0-9_]',
  '[-a]b',
  'a{2,3}(?:b|c)(?=D)(?!E)(?<!f)',
  '[!-/]q',
  '^(?=(?-i:/Ab))(?=[\\s\\S]*?(?:c|D))',
]

test('the two match the same, with the same groups', () => {
  const text = fc.string({ unit: fc.constantFrom(...'/abcxyzABCXYZpngJPGdDeEfF.09_-]!'), maxLength: 12 })
  for (const source of sources) {
    const regex = new RegExp(source, 'i')
    const written = withoutIgnoreCase(regex)
    assert.equal(written.flags, '', source)
    fc.assert(
      fc.property(text, (path) => assert.deepEqual([...(written.exec(path) ?? [])], [...(regex.exec(path) ?? [])])),
      { numRuns: 300, examples: [['/img/aB.PnG'], ['xyX'], ['aABd'], ['/AQ'], ['/AbC'], ['/aBC']] },
    )
  }
})

test('what has no second form stays as it is', () => {
  for (const source of [
    '\\x41',
    '[A-z]',
    '[0-z]',
    '[!-~]',
    '(a)\\1',
    '(?<n>a)\\k<n>',
    '(?-i:(a))b',
    '(?i:a)',
    '(?s-i:a)',
    '\\u0041',
  ]) {
    const regex = new RegExp(source, 'i')
    assert.equal(withoutIgnoreCase(regex), regex, source)
  }
  const sensitive = /abc/
  assert.equal(withoutIgnoreCase(sensitive), sensitive)
})
