import { createNodeRuntime } from '../../runtime/node/index.ts'
import type { RpcCode } from '../service/index.ts'
import type { ServerTransport } from '../transport/index.ts'
import { type RegisterServerOptions, type ServerOptions, serverLimitsDefault } from './options.ts'
import { type RpcServer, RunningServer } from './rpc-server.ts'

/** What a protocol gives a server that names none itself. */
export interface ServerDefaults {
  readonly transport: ServerTransport
  /** The number of a code in `google.rpc.Status`. */
  readonly statusOf: (code: RpcCode) => number
}

/** Starts a server: see `createServer`. */
export async function startServer(options: ServerOptions, defaults: ServerDefaults): Promise<RpcServer> {
  const here = createNodeRuntime({ logLevel: 'error' })
  const { clock, scheduler, random, network, logger } = { ...here, ...options.runtime }
  const outside = { clock, scheduler, random, network, logger: options.logger ?? logger }
  const { callsMax, methodCallsMax, ...given } = options.limits ?? {}
  const server = new RunningServer({
    clock,
    logger: outside.logger,
    services: options.services,
    interceptors: options.interceptors ?? [],
    callsMax: callsMax ?? serverLimitsDefault.callsMax,
    methodCallsMax: methodCallsMax ?? {},
    statusOf: defaults.statusOf,
  })
  const transport = options.transport ?? defaults.transport
  server.attach(
    await transport.listen({
      address: { host: '127.0.0.1', port: 0, ...options.address },
      outside,
      services: options.services.map(({ service }) => service),
      limits: { ...serverLimitsDefault, ...given },
      onCall: (call) => server.onCall(call),
      health: (service) => server.health(service),
      onHealthChange: (listener) => server.onHealthChange(listener),
    }),
  )
  try {
    for (const register of [options.register ?? []].flat()) await registerServer(server, register, options, transport)
  } catch (error) {
    await server.close({ drainMs: 0 })
    throw error
  }
  return server
}

async function registerServer(
  server: RunningServer,
  register: RegisterServerOptions,
  options: ServerOptions,
  transport: ServerTransport,
): Promise<void> {
  const { synod, id, health } = register
  const { host, port } = server.address
  const registration = await synod.registry.register({
    service: register.service ?? options.services[0]?.service.name ?? 'rpc',
    id,
    address: register.address ?? host,
    port: register.port ?? port,
    metadata: { protocol: transport.name, ...register.metadata },
    health,
  })
  server.registered(registration)
}
