import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeptEndpoint } from './kept-endpoint.ts'
import type { EndpointAddress } from './settings.ts'
import { address } from './testing/upstream-ground.ts'

test('an endpoint follows its source in everything that it says, and tells when that is nothing new', () => {
  const said = (more: Partial<EndpointAddress> = {}) => address('a', { metadata: { shard: '1' }, ...more })
  const changes: Partial<EndpointAddress>[] = [
    { weight: 3 },
    { priority: 1 },
    { zone: 'west' },
    { host: 'elsewhere' },
    { port: 81 },
    { metadata: { shard: '2' } },
    { metadata: { rack: '1' } },
    { metadata: { shard: '1', rack: '1' } },
    { metadata: {} },
  ]
  for (const change of changes) {
    const endpoint = new KeptEndpoint({ address: said(), unhealthy: '' }, false)
    assert.equal(endpoint.follow({ address: said(), unhealthy: '' }), false)
    assert.equal(endpoint.follow({ address: said(change), unhealthy: '' }), true, JSON.stringify(change))
    assert.deepEqual(endpoint.address, said(change))
    assert.equal(endpoint.follow({ address: said(change), unhealthy: '' }), false)
  }
  const endpoint = new KeptEndpoint({ address: said(), unhealthy: '' }, false)
  assert.equal(endpoint.follow({ address: said(), unhealthy: 'draining' }), true)
})
