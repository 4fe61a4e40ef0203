// One instance of the failover tests, in a process of its own so that it can be killed: `node failover-server.ts NAME
// REGISTRY` serves `orders.proto` and `inventory.thrift`, registers both, and tells its parent.
import { createRequire } from 'node:module'
import type * as Thrift from 'thrift'
import { connect } from '../../src/client/index.ts'
import { createServer } from '../../src/rpc/index.ts'
import { ordersOf } from '../../src/rpc/testing/orders-service.ts'
import { createThriftServer, implementThrift } from '../../src/rpc/thrift/index.ts'
import { inventory, types } from '../../src/rpc/thrift/testing/inventory.ts'

const [name = '', registry = ''] = process.argv.slice(2)
const synod = await connect(registry)
if (!('registry' in synod)) throw new Error('the engine keeps no registry')

const thrift = createRequire(import.meta.url)('thrift') as typeof Thrift
const updated = new thrift.Int64(1)
const item = (sku: string) => new types.Item({ sku, stock: 1, tags: [name], updated })
const stock = implementThrift(inventory, {
  get: ([sku]) => item(sku),
  reserve: () => 0,
  all: () => Array.from({ length: 100 }, (_, at) => item(`${at}`)),
  touch: () => {},
  forget: () => {},
})
process.on('disconnect', () => process.exit())
await Promise.all([
  createServer({ services: [ordersOf(name)], register: { synod, service: 'orders', id: name } }),
  createThriftServer({ services: [stock], register: { synod, service: 'inventory', id: name } }),
])
process.send!('registered')
