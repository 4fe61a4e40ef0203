import type { BinaryString } from '../../../base/index.ts'
import { type MvccStore, noRecord, type RecordRef } from '../../../storage/mvcc/index.ts'
import type { LeaseTable } from '../api.ts'
import type { AlarmSet } from './alarm-set.ts'
import type { MemberDirectory } from './member-directory.ts'

/** All replicated state. A restore puts another one in its place. */
export interface StateData {
  readonly store: MvccStore
  readonly leases: LeaseTable
  readonly alarms: AlarmSet
  readonly members: MemberDirectory
}

/**
 * Keeps "which keys hang on a lease" in step with a change of `key` from the version `previous` (or none) to one with
 * `lease` (0n for none, and for a deletion). The lease exists; the caller has checked.
 */
export function retie({ store, leases }: StateData, key: BinaryString, previous: RecordRef, lease: bigint): void {
  if (leases.count === 0) return
  const before = previous === noRecord ? 0n : store.lease(previous)
  if (before === lease) return
  if (before !== 0n) leases.detach(before, key)
  if (lease !== 0n) leases.attach(lease, key)
}
