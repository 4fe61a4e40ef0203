import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upstreamSettings, upstreamSettingsDefault } from './index.ts'

test('what is not said of an upstream is the default', () => {
  assert.deepEqual(upstreamSettings('a', []), { ...upstreamSettingsDefault, name: 'a', sources: [] })
})

test('a part that is said leaves the rest of it', () => {
  const { balance, outlier, circuit, activeCheck, connectTimeoutMs } = upstreamSettings('a', [], {
    balance: 'p2c',
    outlier: { consecutiveFailures: 2 },
    circuit: { requestsMax: 9 },
    activeCheck: { check: { type: 'tcp' }, intervalMs: 100 },
    connectTimeoutMs: 7,
  })
  assert.deepEqual(balance, { ...upstreamSettingsDefault.balance, policy: 'p2c' })
  assert.deepEqual(outlier, { ...upstreamSettingsDefault.outlier, consecutiveFailures: 2 })
  assert.deepEqual(circuit, { ...upstreamSettingsDefault.circuit, requestsMax: 9 })
  assert.deepEqual([activeCheck?.intervalMs, activeCheck?.timeoutMs, connectTimeoutMs], [100, 2_000, 7])
})

test('outlier ejection can be switched off', () => {
  assert.equal(upstreamSettings('a', [], { outlier: 'off' }).outlier, undefined)
})
