/** Clients and servers that speak gRPC unless they are told another transport. */
import { type ClientOptions, openClient, type RpcClient } from './calls/index.ts'
import { grpcClientTransport, grpcServerTransport, grpcStatusOf } from './grpc-transport/index.ts'
import { type RpcServer, type ServerOptions, startServer } from './server/index.ts'
import type { Service, ServiceMethods } from './service/index.ts'

const clientTransport = grpcClientTransport()
const serverTransport = grpcServerTransport()

/**
 * Opens a client of a service: a function for each method. Returns at once; calls wait until endpoints are known.
 * Functions reject with (streams throw) an `RpcError`. Calls are balanced over the endpoints, and made again at another
 * one when they certainly did nothing or are idempotent.
 *
 * @example
 * await using orders = createClient(ordersService, { target: 'synod:///orders', synod })
 * const order = await orders.place({ item: 'book' }, { timeoutMs: 500 })
 */
export function createClient<Methods extends ServiceMethods>(
  service: Service<Methods>,
  options: ClientOptions,
): RpcClient<Methods> {
  return openClient(service, options, clientTransport)
}

/**
 * Starts a server. Resolves once it listens and, where asked for, is registered; rejects with a `ListenError`, or with the
 * registry's error. Close it to end in good order.
 *
 * @example
 * await using server = await createServer({
 *   services: [implement(ordersService, { place: async (order) => ({ id: '1' }) })],
 *   register: { synod, service: 'orders' },
 * })
 */
export function createServer(options: ServerOptions): Promise<RpcServer> {
  return startServer(options, { transport: serverTransport, statusOf: grpcStatusOf })
}
