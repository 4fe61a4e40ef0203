import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseProxyConfig } from '../src/proxy/config/index.ts'
import { outdatedFiles } from './proxy-config-page.ts'

test('docs/traffic/proxy-configuration.md shows what the schema says', () => {
  assert.deepEqual(outdatedFiles(), [], 'out of date: run node scripts/proxy-config-page.ts')
})

test('its examples are configurations', () => {
  const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'traffic', 'proxy-configuration.md'), 'utf8')
  const examples = [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, yaml]) => yaml!)
  assert.ok(examples.length > 0)
  for (const yaml of examples) {
    const parsed = parseProxyConfig(yaml, { file: '/etc/synod/proxy.yaml' })
    assert.deepEqual(parsed.ok ? [] : parsed.problems, [])
  }
})
