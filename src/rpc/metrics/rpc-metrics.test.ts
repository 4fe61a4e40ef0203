import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient, createServer, rpcMetrics } from '../index.ts'
import { failureOf } from '../testing/failure-of.ts'
import { orders, ordersOf } from '../testing/orders-service.ts'
import { createThriftClient, createThriftServer, implementThrift } from '../thrift/index.ts'
import { inventory } from '../thrift/testing/inventory.ts'

/** The value of the sample of that name whose labels contain all of these. */
function sampleOf(page: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  const found = page
    .split('\n')
    .filter((line) => line.split(/[{ ]/)[0] === name && wanted.every((pair) => line.includes(pair)))
  assert.equal(found.length, 1, `${name} ${wanted} in\n${page}`)
  return Number(found[0]!.split(' ').at(-1))
}

test('calls of clients and servers, by status', async () => {
  await using server = await createServer({ services: [ordersOf('a')] })
  const target = `127.0.0.1:${server.address.port}`
  await using client = createClient(orders, { target })
  for (let made = 0; made < 3; made++) await client.placeOrder({ item: 'book' })
  await failureOf(client.placeOrder({ item: 'fail' }))
  const abort = new AbortController()
  const waiting = failureOf(client.placeOrder({ item: 'wait' }, { signal: abort.signal }))
  await client.getOrder({ id: '1' })

  const page = rpcMetrics(server, client)
  for (const [side, label] of [
    ['server', 'address'],
    ['client', 'target'],
  ]) {
    const labels = { [label!]: target, service: 'synod.testing.v1.Orders', method: 'PlaceOrder' }
    assert.equal(sampleOf(page, `synod_rpc_${side}_calls_total`, { ...labels, code: 'OK' }), 3)
    assert.equal(sampleOf(page, `synod_rpc_${side}_calls_total`, { ...labels, code: 'FAILED_PRECONDITION' }), 1)
    assert.equal(sampleOf(page, `synod_rpc_${side}_calls_open`, labels), 1)
    assert.equal(sampleOf(page, `synod_rpc_${side}_call_seconds_count`, labels), 4)
    assert.equal(sampleOf(page, `synod_rpc_${side}_call_seconds_bucket`, { ...labels, le: '+Inf' }), 4)
  }
  assert.equal(sampleOf(page, 'synod_upstream_endpoint_active', { upstream: target }), 1)
  abort.abort()
  await waiting
  assert.equal(sampleOf(rpcMetrics(client), 'synod_rpc_client_calls_open', { method: 'PlaceOrder' }), 0)
  // Each family is told once, whoever it is of.
  const heads = page.split('\n').filter((line) => line.startsWith('# TYPE'))
  assert.equal(new Set(heads).size, heads.length)
})

test('two clients of one target are summed up, Thrift is counted too, and strangers are refused', async () => {
  await using server = await createThriftServer({ services: [implementThrift(inventory, { reserve: () => 1 })] })
  const target = `127.0.0.1:${server.address.port}`
  await using one = createThriftClient(inventory, { target })
  await using two = createThriftClient(inventory, { target })
  await Promise.all([one.reserve(['a', 1]), two.reserve(['a', 1])])
  const page = rpcMetrics(one, two, server)
  assert.equal(sampleOf(page, 'synod_rpc_client_calls_total', { method: 'reserve', code: 'OK' }), 2)
  assert.equal(sampleOf(page, 'synod_rpc_server_calls_total', { method: 'reserve', code: 'OK' }), 2)
  assert.equal(rpcMetrics(), '')
  assert.throws(() => rpcMetrics({}), TypeError)
})
