import { asBuffer, concatBytes, emptyBytes, equalBytes } from '../../../base/index.ts'
import { type MvccStore, type RecordRef, SnapshotError, type StoreLoader } from '../../../storage/mvcc/index.ts'
import { type CommandPosition, RestoreError, type StateRestorer } from '../../replication/index.ts'
import type { LeaseTable } from '../api.ts'
import { MemoryLeaseTable } from '../leases/index.ts'
import type { Alarm } from '../messages.ts'
import { AlarmSet } from './alarm-set.ts'
import type { StateData } from './data.ts'
import { decodeAlarms, decodeBookkeeping, imageHead, sectionHeadLength, sections } from './image-format.ts'
import { MemberDirectory } from './member-directory.ts'

/** Sections longer than this are damage: no writer makes them. */
const sectionBytesMax = 64 * 1024 * 1024
const attachBatch = 1000

/** Builds a state from an image's chunks, cut anywhere; `install` gets it once it is whole. */
export class StateImageRestorer implements StateRestorer {
  private readonly loader: StoreLoader
  private readonly install: (data: StateData, applied: CommandPosition) => void
  private readonly leases = new MemoryLeaseTable()
  private readonly leaseRestorer = this.leases.restore()
  private alarms: readonly Alarm[] | undefined
  private readonly members = new MemberDirectory()
  private applied: CommandPosition | undefined
  /** What came of a section (or of the head) that is not complete yet. */
  private rest: Uint8Array = emptyBytes
  private headSeen = false
  private ended = false

  constructor(loader: StoreLoader, install: (data: StateData, applied: CommandPosition) => void) {
    this.loader = loader
    this.install = install
  }

  write(chunk: Uint8Array): void {
    const bytes = asBuffer(this.rest.length === 0 ? chunk : concatBytes([this.rest, chunk]))
    let offset = 0
    if (!this.headSeen && bytes.length >= imageHead.length) {
      if (!equalBytes(bytes.subarray(0, imageHead.length), imageHead)) {
        throw new RestoreError('coordination image: not one, or of a version that this node does not know')
      }
      this.headSeen = true
      offset = imageHead.length
    }
    while (this.headSeen && bytes.length - offset >= sectionHeadLength) {
      const length = bytes.readUInt32LE(offset + 1)
      if (length > sectionBytesMax) throw new RestoreError('coordination image: a section is too long')
      const start = offset + sectionHeadLength
      if (bytes.length - start < length) break
      this.section(bytes.readUInt8(offset), bytes.subarray(start, start + length))
      offset = start + length
    }
    // A copy: the rest must not keep the caller's chunk alive, nor change with it.
    this.rest = Uint8Array.prototype.slice.call(bytes, offset)
  }

  finish(): void {
    const { applied, alarms } = this
    if (!this.ended || applied === undefined || alarms === undefined || this.rest.length > 0) {
      throw new RestoreError('coordination image: incomplete')
    }
    const store = refusingDamage(() => this.loader.finish())
    this.leaseRestorer.finish()
    attachKeys(store, this.leases)
    this.install({ store, leases: this.leases, alarms: new AlarmSet(alarms), members: this.members }, applied)
  }

  private section(kind: number, bytes: Buffer): void {
    if (this.ended) throw new RestoreError('coordination image: goes on after its end')
    switch (kind) {
      case sections.end:
        this.ended = true
        return
      case sections.bookkeeping:
        this.applied = decodeBookkeeping(bytes)
        return
      case sections.store:
        refusingDamage(() => this.loader.write(bytes))
        return
      case sections.leases:
        this.leaseRestorer.write(bytes)
        return
      case sections.alarms:
        this.alarms = decodeAlarms(bytes)
        return
      case sections.members:
        if (!this.members.decode(bytes)) throw new RestoreError('coordination image: damaged members')
        return
      default:
        throw new RestoreError(`coordination image: unknown section ${kind}`)
    }
  }
}

/** Runs a step of the store's loader; damage that it finds is damage of the whole image. */
function refusingDamage<T>(step: () => T): T {
  try {
    return step()
  } catch (error) {
    if (error instanceof SnapshotError) throw new RestoreError('coordination image: damaged store', { cause: error })
    throw error
  }
}

/** Ties every live key to the lease that its newest version names. */
function attachKeys(store: MvccStore, leases: LeaseTable): void {
  if (leases.count === 0) return
  const cursor = store.cursor({ key: '\0', end: '\0' }, store.revision)
  const refs: RecordRef[] = []
  for (let more = true; more; ) {
    refs.length = 0
    more = cursor.next(attachBatch, refs)
    for (const ref of refs) {
      const lease = store.lease(ref)
      if (lease === 0n) continue
      if (!leases.has(lease)) throw new RestoreError('coordination image: a key names a lease that is not there')
      leases.attach(lease, store.key(ref))
    }
  }
  cursor.close()
}
