import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { nonLinearPart } from './linear-pattern.ts'

// Lets V8 say what its linear engine takes: such an expression may have the flag `l`.
setFlagsFromString('--enable-experimental-regexp-engine')

function isLinearToV8(source: string): boolean {
  try {
    return new RegExp(source, 'l') !== undefined
  } catch {
    return false
  }
}

const linear = ['^/img/(\\w+)\\.png$', '^/(?:a|b)+$', '[(?=\\1]', '\\(?=a', '(?<name>a+)x', '(?:ab){2,16}', '(a{4}){4}']
const unboundedByV8 = [
  '(a+)\\1',
  '(?<n>a)\\k<n>',
  '^/(?!api)',
  'a(?=b)',
  '(?:a|ab){1,40}c',
  '((?:a|b){5}){4}',
  '(a|b)*c{17}',
]
/** V8 does not take them, but they have no two ways to match that would multiply. */
const harmless = ['^[0-9]{1,64}$', '^/[a-z]{20}/x']

test('what can take for ever is told, as V8 has it', () => {
  for (const source of linear) {
    assert.equal(nonLinearPart(source), undefined, source)
    assert.ok(isLinearToV8(source), source)
  }
  for (const source of unboundedByV8) {
    assert.notEqual(nonLinearPart(source), undefined, source)
    assert.ok(!isLinearToV8(source), source)
  }
  for (const source of harmless) assert.equal(nonLinearPart(source), undefined, source)
})

test('it names the part', () => {
  assert.equal(nonLinearPart('^/(?!api/)'), 'the look ahead (?!…)')
  assert.equal(nonLinearPart('^/(?<!x)y'), 'the look back (?<!…)')
  assert.equal(nonLinearPart('(.)\\1'), 'the reference \\1 to a group')
})
