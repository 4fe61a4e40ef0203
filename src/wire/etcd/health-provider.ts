import type { CoordinationEngine } from '../../engine/coordination/index.ts'
import type { Group } from '../../engine/replication/index.ts'
import { type HealthProvider, HealthStatus } from '../grpc/index.ts'

/**
 * What gRPC's health service says: as etcd, it knows the whole server only (the empty name), which serves while a leader
 * is known. A learner does not serve (etcd refuses it the question).
 */
export function healthProvider(
  engine: CoordinationEngine,
  group: Pick<Group<unknown>, 'onStatusChange'>,
): HealthProvider {
  return {
    status(service) {
      if (service !== '') return undefined
      return engine.hasLeader && !engine.isLearner ? HealthStatus.serving : HealthStatus.notServing
    },
    onChange: (callback) => group.onStatusChange(callback),
  }
}
