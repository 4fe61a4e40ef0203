import { createNodeRuntime } from '../../runtime/node/index.ts'
import { countFor } from '../metrics/index.ts'
import { type RpcCode, RpcError } from '../service/index.ts'
import { type ServerTransport, type TransportRuntime, tlsNetwork } from '../transport/index.ts'
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
  checkRegistered(options)
  const transport = options.transport ?? defaults.transport
  const outside = outsideOf(options, transport)
  const { callsMax, methodCallsMax, ...given } = options.limits ?? {}
  const server = new RunningServer({
    clock: outside.clock,
    logger: outside.logger,
    services: options.services,
    interceptors: options.interceptors ?? [],
    callsMax: callsMax ?? serverLimitsDefault.callsMax,
    methodCallsMax: methodCallsMax ?? {},
    statusOf: defaults.statusOf,
  })
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
  const { host, port } = server.address
  countFor(server, () => ({ kind: 'server', name: `${host}:${port}`, counts: server.callCounts }))
  try {
    for (const register of [options.register ?? []].flat()) await registerServer(server, register, options, transport)
  } catch (error) {
    await server.close({ drainMs: 0 })
    throw error
  }
  return server
}

function outsideOf({ runtime, tls, logger }: ServerOptions, { alpnProtocols }: ServerTransport): TransportRuntime {
  const here = { ...createNodeRuntime({ logLevel: 'error' }), ...runtime }
  const { clock, scheduler, random, network } = here
  const own = logger ?? here.logger
  if (tls === undefined) return { clock, scheduler, random, network, logger: own }
  if (runtime?.network !== undefined) {
    throw new RpcError('INVALID_ARGUMENT', 'both `tls` and a network are given: give one of them')
  }
  const given = { ...tls, clientCertificates: tls.ca !== undefined, alpnProtocols: alpnProtocols ?? [] }
  return { clock, scheduler, random, network: tlsNetwork(given, own), logger: own, isSecure: true }
}

/** Clients elsewhere would look for it on their own machine. */
function checkRegistered({ address, register }: ServerOptions): void {
  const host = address?.host ?? ''
  if (!['0.0.0.0', '::'].includes(host) || [register ?? []].flat().every((one) => one.address !== undefined)) return
  const message = `the server listens on ${host}, which says nothing to clients on other machines: add the host or address that they reach it by, as register: { …, address: '10.0.0.7' }`
  throw new RpcError('INVALID_ARGUMENT', message)
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
