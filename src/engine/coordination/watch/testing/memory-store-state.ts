import type { BinaryString } from '../../../../base/index.ts'
import { MemoryStore } from '../../../../storage/mvcc/index.ts'
import { FakeStore } from './fake-store.ts'

/** A `FakeStore` whose face is a real `MemoryStore`; the list of changes stays, to compare with. */
export class MemoryStoreState extends FakeStore {
  private readonly memory = new MemoryStore()

  override asStore(): MemoryStore {
    return this.memory
  }

  protected override append(changes: readonly (readonly [BinaryString, string | undefined])[]): boolean {
    const real = this.memory.write((transaction) => {
      return changes.filter(([key, value]) => {
        if (value === undefined) return transaction.delete({ key, end: undefined }).length > 0
        transaction.put(key, Buffer.from(value), 0n)
        return true
      })
    })
    return real.length > 0 && super.append(real)
  }

  override compact(atRevision: number): void {
    super.compact(atRevision)
    this.memory.compact(atRevision)
    while (this.memory.reclaim(1000, () => 0));
  }
}
