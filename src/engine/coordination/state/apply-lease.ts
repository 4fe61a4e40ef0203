/** Leases: granting one, and revoking one with all its keys. */
import { fail } from '../failures.ts'
import { leaseTtlSecondsMax } from '../leases/index.ts'
import type { Failure, LeaseGrantResult, LeaseRevokeResult } from '../results.ts'
import type { StateData } from './data.ts'
import type { Observers } from './observers.ts'

/** `id` and `ttlSeconds` are what the proposing node chose. */
export function applyLeaseGrant(
  data: StateData,
  id: bigint,
  ttlSeconds: number,
  observers: Observers,
): LeaseGrantResult | Failure {
  if (id === 0n) return fail('LEASE_NOT_FOUND')
  if (ttlSeconds > leaseTtlSecondsMax) return fail('LEASE_TTL_TOO_LARGE')
  if (data.leases.has(id)) return fail('LEASE_EXISTS')
  data.leases.grant(id, ttlSeconds)
  observers.leaseGranted(id, ttlSeconds)
  return { ok: true, type: 'leaseGrant', revision: data.store.revision, id, ttlSeconds }
}

/** Deletes the lease's keys in key order, all in one revision. */
export function applyLeaseRevoke(data: StateData, id: bigint, observers: Observers): LeaseRevokeResult | Failure {
  const keys = data.leases.revoke(id)
  if (keys === undefined) return fail('LEASE_NOT_FOUND')
  if (keys.length > 0) {
    data.store.write((transaction) => {
      for (const key of keys) transaction.delete({ key, end: undefined })
    })
  }
  observers.leaseRevoked(id)
  return { ok: true, type: 'leaseRevoke', revision: data.store.revision }
}
