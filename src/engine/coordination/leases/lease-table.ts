import { assert, assertDefined, type BinaryString } from '../../../base/index.ts'
import type { StateRestorer, StateSnapshot } from '../../replication/index.ts'
import type { LeaseTable } from '../api.ts'
import { LeaseTableRestorer, LeaseTableSnapshot } from './lease-table-snapshot.ts'

interface Lease {
  readonly ttlSeconds: number
  /** Its keys; undefined until the first, since most leases have none or one. */
  keys: Set<BinaryString> | undefined
}

const noKeys: readonly BinaryString[] = []

/**
 * The leases as the log knows them: which exist, for how long each was granted, and which keys are tied to it. Owned and
 * changed by the coordination state machine alone. It knows no time: when a lease ends is the leader's business
 * (`lessor.ts`), and reaches this table as a command.
 *
 * - I1  A key is tied to at most one lease, and only while that lease exists. (The caller detaches from the old lease,
 *       which the replaced version names, before it attaches to the new one.)
 */
export class MemoryLeaseTable implements LeaseTable {
  private leases = new Map<bigint, Lease>()

  get count(): number {
    return this.leases.size
  }

  has(id: bigint): boolean {
    return this.leases.has(id)
  }

  ttlSeconds(id: bigint): number | undefined {
    return this.leases.get(id)?.ttlSeconds
  }

  ids(): Iterable<bigint> {
    return this.leases.keys()
  }

  grant(id: bigint, ttlSeconds: number): void {
    assert(!this.leases.has(id), 'a lease is granted once')
    this.leases.set(id, { ttlSeconds, keys: undefined })
  }

  revoke(id: bigint): readonly BinaryString[] | undefined {
    const lease = this.leases.get(id)
    if (lease === undefined) return undefined
    this.leases.delete(id)
    return sorted(lease.keys)
  }

  attach(id: bigint, key: BinaryString): void {
    const lease = assertDefined(this.leases.get(id), 'a key is attached to a lease that exists')
    if (lease.keys === undefined) lease.keys = new Set([key])
    else lease.keys.add(key)
  }

  detach(id: bigint, key: BinaryString): void {
    this.leases.get(id)?.keys?.delete(key)
  }

  keys(id: bigint): readonly BinaryString[] {
    return sorted(this.leases.get(id)?.keys)
  }

  snapshot(): StateSnapshot {
    return new LeaseTableSnapshot(this.leases.size, this.leases.keys(), (id) => this.leases.get(id)?.ttlSeconds ?? 0)
  }

  restore(): StateRestorer {
    return new LeaseTableRestorer((entries) => {
      this.leases = new Map()
      for (const [id, ttlSeconds] of entries) this.leases.set(id, { ttlSeconds, keys: undefined })
    })
  }
}

/** In byte order: the order in which every node deletes the keys of a revoked lease. */
function sorted(keys: Set<BinaryString> | undefined): readonly BinaryString[] {
  return keys === undefined ? noKeys : [...keys].sort()
}
