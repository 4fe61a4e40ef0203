/** The ports that clients use: gRPC and HTTP/1.1 on each, told apart by their first bytes. */
import type { Group } from '../engine/replication/index.ts'
import type { Address, Runtime } from '../runtime/index.ts'
import { type EtcdServices, etcdServices, httpPages, type NodeMetrics } from '../wire/etcd/index.ts'
import { GrpcServer } from '../wire/grpc/index.ts'
import { Http1Server, PortServer } from '../wire/http1/index.ts'
import { addressOf, type NodeConfig } from './config/index.ts'
import type { CoordinationServices } from './coordination-services.ts'

/** What etcd adds to --max-request-bytes for gRPC's own needs. */
const grpcOverheadBytes = 512 * 1024
/** Streams that one connection may have whatever --max-concurrent-streams says: the bound on what a peer can pile up. */
const concurrentStreamsMax = 100_000

export interface ClientPortsSetup {
  readonly runtime: Runtime
  readonly config: NodeConfig
  readonly group: Group<unknown>
  readonly services: CoordinationServices
  readonly metrics: () => NodeMetrics
}

export class ClientPorts {
  readonly addresses: Address[] = []
  private readonly etcd: EtcdServices
  private readonly ports: PortServer[] = []

  private constructor(setup: ClientPortsSetup) {
    const { config, runtime, services } = setup
    this.etcd = etcdServices({
      clock: runtime.clock,
      scheduler: runtime.scheduler,
      engine: services.engine,
      group: setup.group,
      hub: services.watchHub,
      leaseClient: services.leaseClient,
      electionTimeoutMs: config.electionTimeoutMs,
      requestTimeoutMs: requestTimeoutMs(config),
    })
  }

  /** Listens on every client URL. Rejects with a ListenError. */
  static async open(setup: ClientPortsSetup): Promise<ClientPorts> {
    const ports = new ClientPorts(setup)
    try {
      await ports.listen(setup)
    } catch (error) {
      await ports.close(0)
      throw error
    }
    return ports
  }

  /** Stops accepting, and gives what is under way `drainMs` to finish. */
  async close(drainMs: number): Promise<void> {
    await Promise.all(this.ports.map((port) => port.close({ drainMs })))
    this.etcd.stop()
  }

  private async listen({ runtime, config, services, metrics }: ClientPortsSetup): Promise<void> {
    const { clock, scheduler, network, logger } = runtime
    const pages = httpPages({
      engine: services.engine,
      watch: () => services.watchHub.stats,
      leases: () => services.lessor.stats,
      grpc: () => http2.counters(),
      node: metrics,
    })
    const http1 = new Http1Server({ scheduler, logger, routes: [pages] })
    const http2: GrpcServer = new GrpcServer({
      clock,
      scheduler,
      routes: this.etcd.routes,
      pages: http1,
      options: {
        requestBytesMax: config.maxRequestBytes + grpcOverheadBytes,
        http2: { concurrentStreamsMax: Math.min(config.maxConcurrentStreams, concurrentStreamsMax) },
      },
    })
    for (const url of config.listenClientUrls) {
      const port = new PortServer({ network, scheduler, logger, http1, http2 })
      this.ports.push(port)
      this.addresses.push(await port.listen(addressOf(url)))
    }
  }
}

/** etcd's bound on how long a request may wait: 5 s and twice the election time-out. */
export function requestTimeoutMs(config: NodeConfig): number {
  return 5000 + 2 * config.electionTimeoutMs
}
