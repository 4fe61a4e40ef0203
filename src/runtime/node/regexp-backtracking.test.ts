import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundRegExpBacktracking } from './index.ts'

test('an expression that would take for ever is done with at once', () => {
  boundRegExpBacktracking()
  // 2^200 ways to match; without the bound this test never ends.
  assert.equal(/^(x|xx|x+)*y$/.test('x'.repeat(200)), false)
})
