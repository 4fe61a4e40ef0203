import { assert } from '../../base/index.ts'

/** A persist effect under way. */
interface PendingPersist {
  readonly id: number
  /** When it is durable, every slot up to `throughSlot` is durably accepted in `round`, or known chosen. */
  readonly round: number
  readonly throughSlot: number
  readonly bytes: number
}

/**
 * What of this acceptor's state is on its disk. Owned by `PaxosState`; every persist effect is registered here.
 *
 * Invariants:
 * - D1  `durablePersistId <= lastPersistId`, and `pending` holds the persists between the two by rising id.
 */
export class Durability {
  /** The id of the newest persist effect; 0 before the first. */
  lastPersistId = 0
  /** The highest id reported durable. */
  durablePersistId = 0
  /** The newest persist effect that carried the round and the promise. */
  hardStatePersistId = 0
  /** The bytes of values in persists under way. */
  pendingBytes = 0
  private pending: PendingPersist[] = []
  private throughRound = 0
  private throughSlot = 0

  /** What a message must wait for that may leave only when everything so far is durable; 0 when it already is. */
  get fence(): number {
    return this.durablePersistId < this.lastPersistId ? this.lastPersistId : 0
  }

  /** Whether the round and the promise, as they stand, are durable. */
  get hardStateIsDurable(): boolean {
    return this.hardStatePersistId <= this.durablePersistId
  }

  /** The slots accepted in `round`, without a gap, that are durable: up to here. 0 when none of that round is. */
  durableThrough(round: number): number {
    return round === this.throughRound ? this.throughSlot : 0
  }

  /** A new persist effect; see `PendingPersist`. Returns its id. */
  issued(round: number, throughSlot: number, bytes: number, hasHardState: boolean): number {
    const id = ++this.lastPersistId
    this.pendingBytes += bytes
    if (hasHardState) this.hardStatePersistId = id
    this.pending.push({ id, round, throughSlot, bytes })
    return id
  }

  persisted(id: number): void {
    assert(id <= this.lastPersistId, 'only an issued persist becomes durable (D1)')
    let done = 0
    for (const persist of this.pending) {
      if (persist.id > id) break
      this.throughRound = persist.round
      this.throughSlot = persist.throughSlot
      this.pendingBytes -= persist.bytes
      done++
    }
    if (done > 0) this.pending = this.pending.slice(done)
    this.durablePersistId = Math.max(this.durablePersistId, id)
  }

  validate(): void {
    assert(this.durablePersistId <= this.lastPersistId, 'only issued persists are durable (D1)')
    assert(this.pending.length === this.lastPersistId - this.durablePersistId, 'persists under way are known (D1)')
  }
}
