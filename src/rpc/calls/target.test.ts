import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createClient, createServer, defineService, implement, RpcError, unary } from '../index.ts'
import { sourceOfTarget } from './target.ts'

const text = (value: unknown): string => String(value)
const service = defineService('who', { are: unary({ request: text, response: text }) })

describe('targets', () => {
  it('say where endpoints come from', () => {
    assert.deepEqual(sourceOfTarget('synod:///shop%2Forders'), { type: 'registry', service: 'shop/orders' })
    assert.deepEqual(sourceOfTarget('file:///etc/orders.yaml'), { type: 'file', path: '/etc/orders.yaml' })
    const dns = { type: 'dns', refreshMs: 10_000 }
    assert.deepEqual(sourceOfTarget('dns:///orders:80'), { ...dns, name: 'orders', port: 80 })
    assert.deepEqual(sourceOfTarget('dns:///_grpc._tcp.orders'), { ...dns, name: '_grpc._tcp.orders', port: undefined })
    const several = sourceOfTarget('static:///a:1, [::1]:2')
    assert.ok(several.type === 'static')
    assert.deepEqual(
      several.endpoints.map(({ id, host, port }) => [id, host, port]),
      [
        ['a:1', 'a', 1],
        ['[::1]:2', '::1', 2],
      ],
    )
    assert.deepEqual(sourceOfTarget('a:1'), sourceOfTarget('static:///a:1'))
  })

  it('that cannot be used are refused with a reason', () => {
    for (const target of [
      '',
      'a',
      'a:0',
      'a:65536',
      '::1:80',
      'synod://orders',
      'static:///',
      'http:///a:1',
      'dns:///a:0',
    ]) {
      assert.throws(
        () => sourceOfTarget(target),
        (error) => error instanceof RpcError && error.code === 'INVALID_ARGUMENT',
      )
    }
    assert.throws(() => createClient(service, { target: 'synod:///orders' }), /give the plane/)
  })

  it('files and names are followed', async () => {
    await using server = await createServer({ services: [implement(service, { are: (you) => `not ${you}` })] })
    const { port } = server.address
    const folder = await mkdtemp(join(tmpdir(), 'synod-target-'))
    try {
      await writeFile(join(folder, 'who.yaml'), `- 127.0.0.1:${port}\n`)
      for (const target of [`file://${folder}/who.yaml`, `dns:///localhost:${port}`]) {
        await using client = createClient(service, { target })
        assert.equal(await client.are('you'), 'not you')
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
