import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCurrent } from './engines-table.ts'

test('docs/engines.md tells what the contract suite runs', () => {
  assert.ok(isCurrent(), 'it is out of date: run node scripts/engines-table.ts')
})
