/**
 * Orders: plain HTTP, for browsers and phones. It finds the catalog and payments in the registry and calls them.
 * `node orders.ts CONNECTION ID`
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { createClient, RpcError } from '../../src/rpc/index.ts'
import { catalog, Order, OrderRequest, payments } from './contracts.ts'
import { runService } from './service-program.ts'

const timeoutMs = 3_000

await runService(async (synod, id) => {
  const items = createClient(catalog, { target: 'synod:///catalog', synod })
  const cashier = createClient(payments, { target: 'synod:///payments', synod, upstream: { connectTimeoutMs: 500 } })
  const orders = synod.kv.as(Order)

  /** The same order put again is the same order: the client chose its id. */
  async function place(orderId: string, sku: string): Promise<Order> {
    const before = await orders.get(`orders/${orderId}`)
    if (before !== undefined) return before.value
    const { priceCents } = await items.getItem({ sku }, { timeoutMs })
    const { paymentId } = await cashier.charge({ orderId, cents: priceCents }, { timeoutMs })
    const order = { id: orderId, sku, cents: priceCents, paymentId }
    await orders.put(`orders/${orderId}`, order)
    return order
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, folder, orderId] = (request.url ?? '').split('/')
    if (folder === 'health') return tell(response, 200, { id })
    if (folder !== 'orders' || orderId === undefined) return tell(response, 404, { problem: 'ask for /orders/ID' })
    if (request.method === 'GET') {
      const order = await orders.get(`orders/${orderId}`)
      if (order === undefined) return tell(response, 404, { problem: `there is no order ${orderId}` })
      return tell(response, 200, { ...order.value, servedBy: id })
    }
    const wanted = OrderRequest.safeParse(await json(request).catch(() => undefined))
    if (!wanted.success) return tell(response, 400, { problem: wanted.error.message })
    tell(response, 201, { ...(await place(orderId, wanted.data.sku)), servedBy: id })
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      // 503 is what the proxy may try again elsewhere.
      const status = error instanceof RpcError && error.code === 'NOT_FOUND' ? 404 : 503
      tell(response, status, { problem: error instanceof Error ? error.message : String(error) })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const registration = await synod.registry.register({
    service: 'orders',
    id,
    address: '127.0.0.1',
    port,
    health: { type: 'http', url: `http://127.0.0.1:${port}/health`, intervalMs: 500 },
  })
  return {
    port,
    close: async () => {
      await registration.close()
      server.close()
      server.closeIdleConnections()
      await Promise.all([items[Symbol.asyncDispose](), cashier[Symbol.asyncDispose]()])
    },
  }
})

function tell(response: ServerResponse, status: number, body: unknown): void {
  if (!response.headersSent) response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}
