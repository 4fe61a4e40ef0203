import type { CoordinationEngine } from '../../engine/coordination/index.ts'
import type { Group } from '../../engine/replication/index.ts'
import { type HealthProvider, HealthStatus } from '../grpc/index.ts'

/**
 * What gRPC's health service says: as etcd, it knows the whole server only (the empty name), which serves while a leader
 * is known. A learner does not serve (etcd refuses it the question), nor a voter that does not count as one yet.
 */
export function healthProvider(
  engine: CoordinationEngine,
  group: Pick<Group<unknown>, 'onStatusChange' | 'onConfigurationChange'>,
): HealthProvider {
  return {
    status(service) {
      if (service !== '') return undefined
      return engine.hasLeader && !engine.isLearner && !engine.awaitsVote
        ? HealthStatus.serving
        : HealthStatus.notServing
    },
    onChange: (callback) => {
      const ends = [group.onStatusChange(callback), group.onConfigurationChange(callback)]
      return () => {
        for (const end of ends) end()
      }
    },
  }
}
