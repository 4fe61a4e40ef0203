import { type CallOptions, type ClientOptions, openClient } from '../calls/index.ts'
import { countAs } from '../metrics/index.ts'
import { type RpcServer, type ServerOptions, startServer } from '../server/index.ts'
import { rpcCodes } from '../service/index.ts'
import { type ThriftClientOptions, thriftClientTransport } from './client-transport.ts'
import type { ArgumentsOf, GeneratedService, MethodNames, ResultOf } from './generated-service.ts'
import { thriftServerTransport } from './server-transport.ts'
import type { ThriftAnswer } from './thrift-codecs.ts'
import type { ThriftService } from './thrift-service.ts'

/** A function for each method; each takes its arguments as a list. Dispose of it when done: it holds connections. */
export type ThriftClient<G extends GeneratedService> = {
  readonly [Name in MethodNames<G>]: (args: ArgumentsOf<G, Name>, options?: CallOptions) => Promise<ResultOf<G, Name>>
} & AsyncDisposable

/**
 * Calls a Thrift service, whoever serves it: discovery, balancing, deadlines, retries and limits as `createClient` has
 * them. An exception that the interface declares rejects as itself; everything else as `RpcError`.
 *
 * @example
 * await using client = createThriftClient(inventory, { target: 'synod:///Inventory', synod })
 * const item = await client.get(['apple'], { timeoutMs: 200 })
 */
export function createThriftClient<G extends GeneratedService>(
  service: ThriftService<G>,
  options: Omit<ClientOptions, 'transport'> & ThriftClientOptions,
): ThriftClient<G> {
  const client = openClient(service, options, thriftClientTransport(options))
  type Call = (args: readonly unknown[], options?: CallOptions) => Promise<ThriftAnswer>
  const functions = Object.keys(service.methods).map((name) => {
    const call = (client as unknown as Readonly<Record<string, Call>>)[name]!
    const unwrapped = async (args: readonly unknown[], callOptions?: CallOptions): Promise<unknown> => {
      const answer = await call(args, callOptions)
      if ('exception' in answer) throw answer.exception
      return answer.value
    }
    return [name, unwrapped]
  })
  const dispose = { [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() }
  const unwrapping = Object.assign(Object.fromEntries(functions), dispose) as ThriftClient<G>
  countAs(unwrapping, client)
  return unwrapping
}

/**
 * Serves Thrift services, made with `implementThrift`, to clients in any language: registration, limits, draining and
 * interceptors as `createServer` has them. Resolves once it listens.
 *
 * @example
 * await using server = await createThriftServer({
 *   services: [implementThrift(inventory, { get: async ([sku]) => find(sku) })], register: { synod },
 * })
 */
export function createThriftServer(options: Omit<ServerOptions, 'transport'>): Promise<RpcServer> {
  return startServer(options, {
    transport: thriftServerTransport(),
    // gRPC's numbers are the places in its list.
    statusOf: (code) => rpcCodes.indexOf(code) + 1,
  })
}
