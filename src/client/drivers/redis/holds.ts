/** What this plane holds, by session: so that a renewal looks after all of it, and an end passes all of it on. */
import type { CallOptions, LeaseId } from '../../driver/index.ts'

export interface Hold {
  /** Finds out whether it was taken away behind the session's back. Never rejects. */
  check(options: CallOptions): Promise<void>
  /** Gives what the session held to the next in line. */
  passOn(options: CallOptions): Promise<void>
}

export class Holds {
  private readonly byLease = new Map<LeaseId, Set<Hold>>()

  add(leaseId: LeaseId, hold: Hold): void {
    const holds = this.byLease.get(leaseId)
    if (holds === undefined) this.byLease.set(leaseId, new Set([hold]))
    else holds.add(hold)
  }

  remove(leaseId: LeaseId, hold: Hold): void {
    const holds = this.byLease.get(leaseId)
    if (holds?.delete(hold) === true && holds.size === 0) this.byLease.delete(leaseId)
  }

  /** Whoever waits for it finds out by itself. */
  forget(leaseId: LeaseId): void {
    this.byLease.delete(leaseId)
  }

  /** In the same turn as the renewal, so that all of it travels together. */
  check(leaseId: LeaseId, options: CallOptions = {}): void {
    for (const hold of this.byLease.get(leaseId) ?? []) void hold.check(options)
  }

  async passOn(leaseId: LeaseId, options: CallOptions = {}): Promise<void> {
    const holds = [...(this.byLease.get(leaseId) ?? [])]
    await Promise.all(holds.map((hold) => hold.passOn(options)))
    this.byLease.delete(leaseId)
  }
}
