/**
 * A gRPC server on one port: accepted connections in, calls out.
 *
 * I1. `callsOpen` counts the calls between `callBegan` and `callEnded`.
 */
import type { Address, Clock, Connection } from '../../runtime/index.ts'
import {
  DeadlineQueue,
  type HealthProvider,
  HealthStatus,
  healthRoutes,
  ownDescriptors,
  reflectionRoutes,
} from '../../wire/grpc/index.ts'
import { Http1Server, PortServer } from '../../wire/http1/index.ts'
import {
  Http2ServerConnection,
  MemoryLedger,
  OutputArena,
  type ProtocolServer,
  type ServedConnection,
} from '../../wire/http2/index.ts'
import type { IncomingCall, ListeningTransport, ServerLimits, ServerTransportInit } from '../transport/index.ts'
import { memorableResponseFields } from './response-templates.ts'
import { ServedMethods } from './served-methods.ts'
import { GrpcServedConnection } from './server-connection.ts'

/** What all connections may hold together of requests and answers; past it the one that holds most is closed. */
const heldBytesMax = 1 << 30

export class GrpcListener implements ProtocolServer, ListeningTransport {
  readonly clock: Clock
  readonly limits: ServerLimits
  readonly methods: ServedMethods
  readonly deadlines: DeadlineQueue
  /** Unfinished requests of one connection together. */
  readonly bufferedBytesMax: number
  readonly onCall: (call: IncomingCall) => void
  /** From which length on answers are compressed for clients that read that; undefined: none are. */
  readonly gzipFromBytes: number | undefined
  address: Address
  callsOpen = 0
  private readonly init: ServerTransportInit
  private readonly port: PortServer
  private readonly ledger = new MemoryLedger(heldBytesMax)
  private readonly arena = new OutputArena()

  constructor(init: ServerTransportInit, gzipFromBytes: number | undefined) {
    this.gzipFromBytes = gzipFromBytes
    const { clock, scheduler, network, logger } = init.outside
    this.init = init
    this.clock = clock
    this.limits = init.limits
    this.onCall = init.onCall
    this.address = init.address
    this.bufferedBytesMax = Math.max(64 << 20, 4 * init.limits.messageBytesMax)
    this.deadlines = new DeadlineQueue(clock, scheduler)
    const own = ownDescriptors()
    const files = [...new Set([...own.files, ...init.services.flatMap(({ files = [] }) => files)])]
    this.methods = new ServedMethods(init.services, [
      healthRoutes(healthOf(init)),
      reflectionRoutes({ files, services: [...new Set([...servicesShown(init), ...own.services])] }),
    ])
    this.port = new PortServer({
      network,
      scheduler,
      logger,
      http1: new Http1Server({ scheduler, logger, routes: [] }),
      http2: this,
      options: { connectionsMax: init.limits.connectionsMax },
    })
  }

  async listen(): Promise<this> {
    this.address = await this.port.listen(this.address)
    return this
  }

  close({ drainMs }: { readonly drainMs: number }): Promise<void> {
    return this.port.close({ drainMs })
  }

  accept(connection: Connection, firstBytes: Uint8Array): ServedConnection {
    const { clock, scheduler } = this.init.outside
    const http2 = new Http2ServerConnection({
      connection,
      scheduler,
      clock,
      arena: this.arena,
      ledger: this.ledger,
      options: {
        concurrentStreamsMax: this.limits.connectionCallsMax,
        streamReceiveWindowBytes: 1 << 20,
        keepAlive: { intervalMs: 60_000, timeoutMs: 20_000 },
      },
      memorableFields: memorableResponseFields,
      handler: (owner) => new GrpcServedConnection(this, owner),
    })
    if (firstBytes.length > 0) http2.onData(firstBytes)
    return http2
  }

  callBegan(): void {
    this.callsOpen++
  }

  callEnded(): void {
    this.callsOpen--
  }
}

function healthOf(init: ServerTransportInit): HealthProvider {
  return {
    status(service) {
      const isServing = init.health(service)
      if (isServing === undefined) return undefined
      return isServing ? HealthStatus.serving : HealthStatus.notServing
    },
    onChange: init.onHealthChange,
  }
}

/** What reflection lists, beside gRPC's own: what is served and can be described. */
function servicesShown({ services }: ServerTransportInit): string[] {
  return services.filter(({ files }) => files !== undefined).map(({ name }) => name)
}
