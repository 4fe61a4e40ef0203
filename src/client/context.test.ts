import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roomKey } from './context.ts'

test('no two names share keys', () => {
  const keyOf = (name: string): string => roomKey({ namespace: '' }, 'locks', name)
  assert.throws(() => keyOf('\ud800'), { code: 'INVALID_ARGUMENT' })
  assert.throws(() => keyOf('a\udfff'), { code: 'INVALID_ARGUMENT' })
  const names = ['a/b', 'a%2Fb', 'a', 'a%', '\ufffd', 'A']
  assert.equal(new Set(names.map(keyOf)).size, names.length)
})
