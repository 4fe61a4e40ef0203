/** The catalog: gRPC from `catalog.proto`. `node catalog.ts CONNECTION ID [SERVICE] [EDITION]` */
import { createServer, implement, RpcError } from '../../src/rpc/index.ts'
import { catalog } from './contracts.ts'
import { runService } from './service-program.ts'

const prices = new Map([
  ['lamp', { name: 'Desk lamp', priceCents: 4_900 }],
  ['chair', { name: 'Oak chair', priceCents: 12_900 }],
  ['rug', { name: 'Wool rug', priceCents: 8_900 }],
])

await runService(async (synod, id, [service = 'catalog', edition = 'stable']) => {
  const server = await createServer({
    services: [
      implement(catalog, {
        getItem({ sku }) {
          const item = prices.get(sku)
          if (item === undefined) throw new RpcError('NOT_FOUND', `there is no item "${sku}" in the catalog`)
          return { sku, ...item, edition }
        },
        async *listItems() {
          for (const [sku, item] of prices) yield { sku, ...item, edition }
        },
      }),
    ],
    register: { synod, service, id },
  })
  return { port: server.address.port, close: () => server.close() }
})
