import type { Clock, Connection, Scheduler } from '../../runtime/index.ts'
import {
  Http2ServerConnection,
  MemoryLedger,
  OutputArena,
  type ProtocolServer,
  type ServedConnection,
  type StreamServer,
} from '../http2/index.ts'
import { DeadlineQueue } from './deadline-queue.ts'
import { GrpcConnection } from './grpc-connection.ts'
import type { GrpcRoutes } from './method.ts'
import { MethodTable } from './method-table.ts'
import { type GrpcOptions, grpcOptionsDefault } from './options.ts'
import { memorableFields } from './response-templates.ts'

/** What a {@link GrpcServer} is made of. */
export interface GrpcServerInit {
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** Methods by path; later tables override earlier ones. */
  readonly routes: readonly GrpcRoutes[]
  /** Answers requests that are not gRPC's. Default: they get status 415. */
  readonly pages?: StreamServer
  readonly options?: Partial<GrpcOptions>
}

/** Counters since the start, and what is open now. */
export interface GrpcServerCounters {
  readonly connectionsAccepted: number
  readonly connectionsOpen: number
  readonly streamsStarted: number
  readonly streamsOpen: number
  readonly bytesReceived: number
  readonly bytesSent: number
  /** Finished calls. Requests for no known method are under the empty path. */
  readonly finished: readonly { readonly path: string; readonly status: number; readonly count: number }[]
}

/** Serves gRPC on accepted connections. It listens nowhere itself: see `PortServer`. */
export class GrpcServer implements ProtocolServer {
  readonly clock: Clock
  readonly options: GrpcOptions
  readonly methods: MethodTable
  readonly deadlines: DeadlineQueue
  readonly pages: StreamServer | undefined
  streamsStarted = 0
  /** Requests that were for no known method, by status. */
  readonly rejected = new Float64Array(17)

  private readonly scheduler: Scheduler
  private readonly ledger: MemoryLedger
  private readonly arena = new OutputArena()
  private readonly connections = new Set<GrpcConnection>()
  private connectionsAccepted = 0
  private closedBytesReceived = 0
  private closedBytesSent = 0

  constructor(init: GrpcServerInit) {
    this.clock = init.clock
    this.scheduler = init.scheduler
    this.pages = init.pages
    const http2 = { ...grpcOptionsDefault.http2, ...init.options?.http2 }
    this.options = { ...grpcOptionsDefault, ...init.options, http2 }
    this.ledger = new MemoryLedger(this.options.heldBytesMax)
    this.methods = new MethodTable(init.routes)
    this.deadlines = new DeadlineQueue(init.clock, init.scheduler)
  }

  /** Takes over a connection. The caller hands it every event of the transport, beginning with `firstBytes`. */
  accept(connection: Connection, firstBytes?: Uint8Array): ServedConnection {
    const http2 = new Http2ServerConnection({
      connection,
      scheduler: this.scheduler,
      clock: this.clock,
      arena: this.arena,
      ledger: this.ledger,
      options: this.options.http2,
      memorableFields,
      handler: (owner) => {
        const grpc = new GrpcConnection(this, owner)
        this.connections.add(grpc)
        return grpc
      },
    })
    this.connectionsAccepted++
    if (firstBytes !== undefined && firstBytes.length > 0) http2.onData(firstBytes)
    return http2
  }

  connectionClosed(grpc: GrpcConnection): void {
    if (!this.connections.delete(grpc)) return
    this.closedBytesReceived += grpc.http2.bytesReceived
    this.closedBytesSent += grpc.http2.writer.bytesWritten
  }

  counters(): GrpcServerCounters {
    let streamsOpen = 0
    let bytesReceived = this.closedBytesReceived
    let bytesSent = this.closedBytesSent
    for (const { http2 } of this.connections) {
      streamsOpen += http2.openStreams
      bytesReceived += http2.bytesReceived
      bytesSent += http2.writer.bytesWritten
    }
    return {
      connectionsAccepted: this.connectionsAccepted,
      connectionsOpen: this.connections.size,
      streamsStarted: this.streamsStarted,
      streamsOpen,
      bytesReceived,
      bytesSent,
      finished: this.finishedCalls(),
    }
  }

  private finishedCalls(): GrpcServerCounters['finished'] {
    const rows: { path: string; status: number; count: number }[] = []
    const add = (path: string, finished: Float64Array): void => {
      for (const [status, count] of finished.entries()) if (count > 0) rows.push({ path, status, count })
    }
    for (const registered of this.methods.all()) add(registered.path, registered.finished)
    add('', this.rejected)
    return rows
  }
}
