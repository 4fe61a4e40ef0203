import type { StateObserver } from '../api.ts'

/** Those who watch the state machine, called in the order in which they came. */
export class Observers {
  private list: readonly StateObserver[] = []

  add(observer: StateObserver): () => void {
    this.list = [...this.list, observer]
    return () => {
      this.list = this.list.filter((other) => other !== observer)
    }
  }

  revision(revision: number): void {
    for (const observer of this.list) observer.onRevision?.(revision)
  }

  compacting(revision: number): void {
    for (const observer of this.list) observer.onCompacting?.(revision)
  }

  compacted(revision: number): void {
    for (const observer of this.list) observer.onCompacted?.(revision)
  }

  leaseGranted(id: bigint, ttlSeconds: number): void {
    for (const observer of this.list) observer.onLeaseGranted?.(id, ttlSeconds)
  }

  leaseRevoked(id: bigint): void {
    for (const observer of this.list) observer.onLeaseRevoked?.(id)
  }

  membersChanged(): void {
    for (const observer of this.list) observer.onMembersChanged?.()
  }

  unpinned(): void {
    for (const observer of this.list) observer.onUnpinned?.()
  }

  restored(): void {
    for (const observer of this.list) observer.onRestored?.()
  }
}
