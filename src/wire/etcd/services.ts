import type { CoordinationEngine, LeaseClient, WatchHub } from '../../engine/coordination/index.ts'
import type { Group } from '../../engine/replication/index.ts'
import type { Clock, Scheduler } from '../../runtime/index.ts'
import { type GrpcRoutes, healthRoutes, reflectionRoutes } from '../grpc/index.ts'
import { clusterRoutes } from './cluster-service.ts'
import { fileDescriptors } from './generated/descriptors.ts'
import { healthProvider } from './health-provider.ts'
import { kvRoutes } from './kv-service.ts'
import { LeaderMonitor } from './leader-monitor.ts'
import { leaseRoutes } from './lease-service.ts'
import { maintenanceRoutes } from './maintenance-service.ts'
import { watchRoutes } from './watch-service.ts'

/** What the services stand on. */
export interface EtcdServicesContext {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly engine: CoordinationEngine
  readonly group: Pick<
    Group<unknown>,
    'status' | 'transferLeadership' | 'onStatusChange' | 'configuration' | 'onConfigurationChange'
  >
  readonly hub: WatchHub
  readonly leaseClient: LeaseClient
  readonly electionTimeoutMs: number
  readonly requestTimeoutMs: number
}

/** Everything that etcd's clients, and gRPC's own tools, find on the client port. */
export interface EtcdServices {
  readonly routes: readonly GrpcRoutes[]
  /** Ends timers. Streams end with their connections. */
  stop(): void
}

/** Composes etcd's services with gRPC health and reflection. */
export function etcdServices(context: EtcdServicesContext): EtcdServices {
  const { engine, scheduler, group } = context
  const leaderMonitor = new LeaderMonitor(engine, scheduler, context.electionTimeoutMs)
  return {
    routes: [
      kvRoutes(engine),
      watchRoutes({ ...context, leaderMonitor }),
      leaseRoutes({ ...context, leaderMonitor }),
      maintenanceRoutes(context),
      clusterRoutes(engine),
      healthRoutes(healthProvider(engine, group)),
      reflectionRoutes({ files: fileDescriptors() }),
    ],
    stop: () => leaderMonitor.stop(),
  }
}
