// The gRPC server behind all proxies: the health service on Synod's own framing, quick enough not to be what is
// measured. Listens on the port that its argument names.
import { createNodeRuntime } from '../../src/runtime/node/index.ts'
import { GrpcServer, HealthStatus, healthRoutes } from '../../src/wire/grpc/index.ts'

const { clock, scheduler, network } = createNodeRuntime({ logLevel: 'error' })
const provider = { status: () => HealthStatus.serving, onChange: () => () => {} }
const server = new GrpcServer({ clock, scheduler, routes: [healthRoutes(provider)], options: {} })
await network.listen({ host: '127.0.0.1', port: Number(process.argv[2]) }, (connection) => {
  connection.setHandler(server.accept(connection))
})
console.log('ready')
