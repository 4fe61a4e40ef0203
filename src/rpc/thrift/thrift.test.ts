import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type * as Thrift from 'thrift'
import { silentLogger } from '../../runtime/index.ts'
import { RpcError } from '../service/index.ts'
import { until } from '../testing/until.ts'
import { createThriftClient, createThriftServer } from './create.ts'
import { compactInventory, generated, inventory, types } from './testing/inventory.ts'
import { implementThrift, type ThriftImplementation } from './thrift-service.ts'

const thrift = createRequire(import.meta.url)('thrift') as typeof Thrift

const updated = new thrift.Int64(1_234_567_890_123)

function shop(): { readonly touched: string[]; readonly implementation: ThriftImplementation<typeof generated> } {
  const touched: string[] = []
  const implementation: ThriftImplementation<typeof generated> = {
    get: ([sku]) => {
      if (sku === 'broken') throw new Error('a secret of the server')
      if (sku === 'missing') throw new RpcError('NOT_FOUND', 'there is no such item')
      return new types.Item({ sku, stock: 7, tags: ['fresh', 'grün'], updated })
    },
    reserve: async ([sku, quantity]) => {
      if (quantity > 7) throw new types.OutOfStock({ sku, message: `only 7 of ${sku}` })
      return 7 - quantity
    },
    all: () => [new types.Item({ sku: 'a', stock: 1, updated }), new types.Item({ sku: 'b', stock: 2, updated })],
    touch: ([sku]) => void touched.push(sku),
    forget: ([sku]) => void touched.push(`-${sku}`),
  }
  return { touched, implementation }
}

async function start(t: TestContext, implementation = shop().implementation) {
  const server = await createThriftServer({
    services: [implementThrift(inventory, implementation)],
    logger: silentLogger,
  })
  t.after(() => server.close({ drainMs: 0 }))
  return server
}

for (const service of [inventory, compactInventory]) {
  for (const framed of [true, false]) {
    for (const multiplexed of [true, false]) {
      const kind = `${service.protocol}, ${framed ? 'framed' : 'unframed'}${multiplexed ? ', multiplexed' : ''}`
      it(`calls and serves: ${kind}`, async (t) => {
        const { touched, implementation } = shop()
        const server = await start(t, implementation)
        const target = `127.0.0.1:${server.address.port}`
        await using client = createThriftClient(service, { target, framed, multiplexed })
        const item = await client.get(['apple'])
        assert.deepEqual([item.sku, item.stock, item.tags], ['apple', 7, ['fresh', 'grün']])
        assert.equal(Number(item.updated), 1_234_567_890_123)
        assert.equal(await client.reserve(['apple', 3]), 4)
        await assert.rejects(client.reserve(['apple', 8]), (error) => {
          assert.ok(error instanceof types.OutOfStock)
          assert.deepEqual([error.sku, error.message], ['apple', 'only 7 of apple'])
          return true
        })
        assert.deepEqual(
          (await client.all([])).map(({ sku }) => sku),
          ['a', 'b'],
        )
        await client.touch(['x'])
        await client.forget(['y'])
        await client.touch(['z'])
        while (touched.length < 3) await new Promise((resolve) => setImmediate(resolve))
        assert.deepEqual(touched.toSorted(), ['-y', 'x', 'z'])
        await Promise.all(Array.from({ length: 200 }, (_, n) => client.reserve(['many', n % 7])))
      })
    }
  }
}

describe('failures', () => {
  it('keep their codes between Synod and Synod, and their secrets', async (t) => {
    const server = await start(t)
    await using client = createThriftClient(inventory, { target: `127.0.0.1:${server.address.port}` })
    await assert.rejects(client.get(['missing']), {
      code: 'NOT_FOUND',
      message: /no such item/,
      outcome: 'not-applied',
    })
    await assert.rejects(client.get(['broken']), (error: RpcError) => {
      assert.equal(error.code, 'UNKNOWN')
      assert.doesNotMatch(error.message, /secret/)
      return true
    })
  })

  it('of methods that are not there are UNIMPLEMENTED', async (t) => {
    const server = await start(t, {})
    await using client = createThriftClient(inventory, { target: `127.0.0.1:${server.address.port}` })
    await assert.rejects(client.get(['apple']), { code: 'UNIMPLEMENTED', outcome: 'not-applied' })
  })

  it('by deadline end the call, and the next one gets its own answer', async (t) => {
    const { implementation } = shop()
    const slow: ThriftImplementation<typeof generated> = {
      ...implementation,
      reserve: ([, quantity], { signal }) =>
        quantity > 0 ? 1 : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    }
    const server = await start(t, slow)
    const target = `127.0.0.1:${server.address.port}`
    await using client = createThriftClient(inventory, { target, connectionsMax: 1 })
    await assert.rejects(client.reserve(['apple', 0], { timeoutMs: 50 }), {
      code: 'DEADLINE_EXCEEDED',
      outcome: 'unknown',
    })
    assert.equal(await client.reserve(['apple', 1]), 1)
  })

  it('of a server that dies are unknown for calls that were sent', async (t) => {
    const server = createServer((socket) => socket.once('data', () => socket.destroy()))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`
    await using client = createThriftClient(inventory, { target })
    await assert.rejects(client.reserve(['apple', 1]), { code: 'UNAVAILABLE', outcome: 'unknown' })
  })

  it('of a client that is closed are UNAVAILABLE, and unknown for calls that were sent', async (t) => {
    const server = await start(t, { ...shop().implementation, reserve: () => new Promise<number>(() => {}) })
    const client = createThriftClient(inventory, { target: `127.0.0.1:${server.address.port}` })
    const call = assert.rejects(client.reserve(['apple', 1]), { code: 'UNAVAILABLE', outcome: 'unknown' })
    await until(() => server.callsOpen === 1, 'the call is there')
    await client[Symbol.asyncDispose]()
    await call
    await until(() => server.callsOpen === 0, 'the server hears of it')
  })

  it('to connect are told as not applied', async () => {
    await using client = createThriftClient(inventory, { target: '127.0.0.1:1' })
    await assert.rejects(client.reserve(['apple', 1]), { code: 'UNAVAILABLE', outcome: 'not-applied' })
  })
})

describe('strangers', () => {
  for (const [protocolName, protocol] of [
    ['binary', thrift.TBinaryProtocol],
    ['compact', thrift.TCompactProtocol],
  ] as const) {
    for (const [transportName, transport] of [
      ['framed', thrift.TFramedTransport],
      ['buffered', thrift.TBufferedTransport],
    ] as const) {
      it(`the thrift package's client calls our server: ${protocolName}, ${transportName}`, async (t) => {
        const server = await start(t)
        const connection = thrift.createConnection('127.0.0.1', server.address.port, { protocol, transport })
        t.after(() => connection.end())
        const client = thrift.createClient(generated.Client, connection)
        assert.equal((await client.get('apple')).stock, 7)
        await assert.rejects(
          async () => client.reserve('apple', 9),
          (error) => error instanceof types.OutOfStock,
        )
        await assert.rejects(async () => client.get('broken'), { name: 'TApplicationException' })
      })

      it(`our client calls the thrift package's server: ${protocolName}, ${transportName}`, async (t) => {
        const handler = {
          get: async (sku: string) => new types.Item({ sku, stock: 3, updated }),
          reserve: async (sku: string, quantity: number) => {
            if (quantity > 3) throw new types.OutOfStock({ sku, message: 'no' })
            return 3 - quantity
          },
          all: async () => [],
          touch: async (_sku: string) => {},
          forget: (_sku: string) => {},
        }
        const server = thrift.createServer(generated, handler, { protocol, transport })
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        t.after(() => server.close())
        const target = `127.0.0.1:${(server.address() as AddressInfo).port}`
        const service = protocolName === 'binary' ? inventory : compactInventory
        await using client = createThriftClient(service, { target, framed: transportName === 'framed' })
        assert.equal((await client.get(['pear'])).sku, 'pear')
        assert.equal(await client.reserve(['pear', 1]), 2)
        await assert.rejects(client.reserve(['pear', 4]), (error) => error instanceof types.OutOfStock)
        assert.deepEqual(await client.all([]), [])
        await client.touch(['pear'])
      })
    }
  }
})

it('a server closes connections that speak no Thrift, and lives on', async (t) => {
  const server = await start(t)
  const strange = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    // A frame of 2 GB; a frame that holds no message; a list of 2^31 elements of no known type.
    Buffer.from('7fffffff', 'hex'),
    Buffer.from('0000000401020304', 'hex'),
    Buffer.from(`80010001${'00000003'}${Buffer.from('get').toString('hex')}00000001${'0f0001'}017fffffff`, 'hex'),
    // Lists within lists, deeper than any stack wants.
    Buffer.concat([Buffer.from('82210103', 'hex'), Buffer.from('get'), Buffer.from('19'.repeat(10_000), 'hex')]),
  ]
  for (const bytes of strange) {
    const socket = connectTcp(server.address.port, '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(bytes)
    socket.resume()
    await closed
  }
  await using client = createThriftClient(inventory, { target: `127.0.0.1:${server.address.port}` })
  assert.equal(await client.reserve(['apple', 1]), 6)
})
