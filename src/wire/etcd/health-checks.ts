import { alarmTypes, type CoordinationEngine } from '../../engine/coordination/index.ts'
import { etcdErrors } from './errors.ts'
import { alarmName } from './maintenance-codec.ts'

/**
 * Differs: in etcd a new voter counts from its addition. Here it is healthy only once it does, so that whoever replaces
 * members one after the other can go by its health.
 */
const notVoterYet = 'not a voter yet'

/** Passes with undefined, or fails with the reason. */
export type HealthCheck = (engine: CoordinationEngine) => Promise<string | undefined>

/** A read that asks nobody: this process answers, so it lives. */
const serializableRead: HealthCheck = async (engine) => {
  engine.store.range({ key: '\0', end: '\0' }, 0, 1, false)
  return undefined
}

/** A read that needs a quorum. */
const linearizableRead: HealthCheck = (engine) => {
  return new Promise((resolve) => {
    engine.linearizableRead((outcome) => resolve(outcome.ok ? undefined : etcdErrors[outcome.code].message))
  })
}

const dataCorruption: HealthCheck = async (engine) => {
  const corrupt = engine.alarms().some(({ alarm }) => alarm === alarmTypes.corrupt)
  return corrupt ? `alarm activated: ${alarmName(alarmTypes.corrupt)}` : undefined
}

const nonLearner: HealthCheck = async (engine) => {
  if (engine.awaitsVote) return notVoterYet
  return engine.isLearner ? 'not supported for learner' : undefined
}

/** What /livez checks: whether the process should be restarted. */
export const livenessChecks: ReadonlyMap<string, HealthCheck> = new Map([['serializable_read', serializableRead]])

/** What /readyz checks: whether it should get requests. */
export const readinessChecks: ReadonlyMap<string, HealthCheck> = new Map([
  ['data_corruption', dataCorruption],
  ['serializable_read', serializableRead],
  ['linearizable_read', linearizableRead],
  ['non_learner', nonLearner],
])

/**
 * What /health says: undefined when healthy, else why not, in etcd's words. `excluded` names alarms to pass over;
 * `serializable` asks about this member alone.
 */
export async function healthReason(
  engine: CoordinationEngine,
  excluded: ReadonlySet<string>,
  serializable: boolean,
): Promise<string | undefined> {
  for (const { alarm } of engine.alarms()) {
    const name = alarmName(alarm)
    if (excluded.has(name)) continue
    const known = alarm === alarmTypes.noSpace || alarm === alarmTypes.corrupt
    return `ALARM ${known ? name : 'UNKNOWN'}`
  }
  if (!serializable && !engine.hasLeader) return 'RAFT NO LEADER'
  if (!serializable && engine.awaitsVote) return notVoterYet.toUpperCase()
  const failure = await (serializable ? serializableRead : linearizableRead)(engine)
  return failure === undefined ? undefined : `RANGE ERROR:${failure}`
}
