import { assert } from '../../base/index.ts'

/**
 * What of this node's log is on its disk. Owned by `RaftState`; every persist effect is registered here.
 *
 * Invariants:
 * - D1  `durableIndex <= lastIndex`: it falls when the log is truncated.
 * - D2  A persist that was overtaken by a truncation vouches only for what the truncation left.
 */
export class Durability {
  /** The id of the newest persist effect; 0 before the first. */
  lastPersistId = 0
  /** The highest id reported durable. */
  durablePersistId = 0
  /** The own log is durable, as it stands in memory, at least up to here. */
  durableIndex: number
  /** The bytes of entries in persists under way. */
  pendingBytes = 0
  /** Persists under way, by rising id, and the log's end that each one vouches for. */
  private pending: { readonly id: number; lastIndex: number; readonly bytes: number }[] = []

  constructor(durableIndex: number) {
    this.durableIndex = durableIndex
  }

  /** What a message must wait for that may leave only when everything so far is durable; 0 when it already is. */
  get fence(): number {
    return this.durablePersistId < this.lastPersistId ? this.lastPersistId : 0
  }

  /** A new persist effect with so many bytes of entries, after which the log on disk ends at `lastIndex`. Returns its id. */
  issued(lastIndex: number, bytes: number): number {
    this.lastPersistId++
    this.pendingBytes += bytes
    this.pending.push({ id: this.lastPersistId, lastIndex, bytes })
    return this.lastPersistId
  }

  persisted(id: number): void {
    assert(id <= this.lastPersistId, 'only an issued persist becomes durable')
    let done = 0
    for (const persist of this.pending) {
      if (persist.id > id) break
      this.durableIndex = Math.max(this.durableIndex, persist.lastIndex)
      this.pendingBytes -= persist.bytes
      done++
    }
    if (done > 0) this.pending = this.pending.slice(done)
    this.durablePersistId = Math.max(this.durablePersistId, id)
  }

  truncatedFrom(index: number): void {
    this.durableIndex = Math.min(this.durableIndex, index - 1)
    for (const persist of this.pending) persist.lastIndex = Math.min(persist.lastIndex, index - 1)
  }

  /** The log was replaced by a durable snapshot up to `index`. */
  resetTo(index: number): void {
    this.durableIndex = index
    for (const persist of this.pending) persist.lastIndex = Math.min(persist.lastIndex, index)
  }

  validate(lastIndex: number): void {
    assert(this.durableIndex <= lastIndex, 'no more than the log is durable (D1)')
    assert(this.durablePersistId <= this.lastPersistId, 'only issued persists are durable')
    for (const persist of this.pending) assert(persist.lastIndex <= lastIndex, 'a persist vouches for the log (D2)')
  }
}
