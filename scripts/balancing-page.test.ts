import assert from 'node:assert/strict'
import { test } from 'node:test'
import { outdatedFiles } from './balancing-page.ts'

test('docs/traffic/balancing.md and its pictures show what the simulation gives', () => {
  assert.deepEqual(outdatedFiles(), [], 'out of date: run node scripts/balancing-page.ts')
})
