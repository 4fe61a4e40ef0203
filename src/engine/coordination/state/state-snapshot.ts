import { concatBytes, emptyBytes } from '../../../base/index.ts'
import type { StoreSnapshot } from '../../../storage/mvcc/index.ts'
import type { CommandPosition, StateSnapshot } from '../../replication/index.ts'
import type { StateData } from './data.ts'
import { encodeAlarms, encodeBookkeeping, encodeSection, imageHead, sections } from './image-format.ts'

/** Reads out the state as of its construction, in chunks (`image-format.ts`), while the state goes on changing. */
export class StateImage implements StateSnapshot {
  private readonly store: StoreSnapshot
  private readonly leases: StateSnapshot
  private readonly unpin: () => void
  /** The sections that come before the store's, and after the leases'. */
  private readonly opening: Uint8Array
  private readonly closing: Uint8Array
  private stage: 'opening' | 'store' | 'leases' | 'closing' | 'done' = 'opening'
  private open = true

  constructor(data: StateData, applied: CommandPosition, unpin: () => void) {
    this.store = data.store.snapshot()
    this.leases = data.leases.snapshot()
    this.unpin = unpin
    this.opening = concatBytes([
      imageHead,
      encodeSection(sections.bookkeeping, encodeBookkeeping(applied)),
      encodeSection(sections.alarms, encodeAlarms(data.alarms.list())),
      encodeSection(sections.members, data.members.encode()),
    ])
    this.closing = encodeSection(sections.end, emptyBytes)
  }

  next(chunkBytes: number): Uint8Array | undefined {
    switch (this.stage) {
      case 'opening':
        this.stage = 'store'
        return this.opening
      case 'store': {
        const chunk = this.store.next(chunkBytes)
        if (chunk !== undefined) return encodeSection(sections.store, chunk)
        this.stage = 'leases'
        return this.next(chunkBytes)
      }
      case 'leases': {
        const chunk = this.leases.next(chunkBytes)
        if (chunk !== undefined) return encodeSection(sections.leases, chunk)
        this.stage = 'closing'
        return this.next(chunkBytes)
      }
      case 'closing':
        this.stage = 'done'
        return this.closing
      case 'done':
        return undefined
    }
  }

  close(): void {
    if (!this.open) return
    this.open = false
    this.store.close()
    this.leases.close()
    this.unpin()
  }
}
