import { asBuffer, concatBytes, emptyBytes, equalBytes } from '../../../base/index.ts'
import { type MvccStore, type RecordRef, SnapshotError, type StoreLoader } from '../../../storage/mvcc/index.ts'
import { type CommandPosition, RestoreError, type StateRestorer } from '../../replication/index.ts'
import type { LeaseTable } from '../api.ts'
import { MemoryLeaseTable } from '../leases/index.ts'
import type { Alarm, Member } from '../messages.ts'
import { AlarmSet } from './alarm-set.ts'
import type { StateData } from './data.ts'
import {
  decodeAlarms,
  decodeBookkeeping,
  imageHead,
  imageHeadOfVersion1,
  sectionHeadLength,
  sections,
} from './image-format.ts'
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
  private members: MemberDirectory | undefined
  private readonly founders: readonly Member[]
  private applied: CommandPosition | undefined
  /** What came of a section (or of the head) that is not complete yet. */
  private rest: Uint8Array = emptyBytes
  private version: 1 | 2 | undefined
  private ended = false

  /** `founders`: the members that images of version 1, which have none, are about. */
  constructor(
    loader: StoreLoader,
    founders: readonly Member[],
    install: (data: StateData, applied: CommandPosition) => void,
  ) {
    this.loader = loader
    this.founders = founders
    this.install = install
  }

  write(chunk: Uint8Array): void {
    const bytes = asBuffer(this.rest.length === 0 ? chunk : concatBytes([this.rest, chunk]))
    let offset = 0
    if (this.version === undefined && bytes.length >= imageHead.length) {
      this.version = versionOf(bytes.subarray(0, imageHead.length))
      offset = imageHead.length
    }
    while (this.version !== undefined && bytes.length - offset >= sectionHeadLength) {
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
    const { applied, alarms, members } = this
    const whole = this.ended && this.rest.length === 0
    if (!whole || applied === undefined || alarms === undefined || members === undefined) {
      throw new RestoreError('coordination image: incomplete')
    }
    const store = refusingDamage(() => this.loader.finish())
    this.leaseRestorer.finish()
    attachKeys(store, this.leases)
    this.install({ store, leases: this.leases, alarms: new AlarmSet(alarms), members }, applied)
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
      case sections.attributes:
      case sections.members:
        this.members = this.membersOf(kind, bytes)
        return
      default:
        throw new RestoreError(`coordination image: unknown section ${kind}`)
    }
  }

  private membersOf(kind: number, bytes: Buffer): MemberDirectory {
    if ((kind === sections.attributes) !== (this.version === 1))
      throw new RestoreError(`coordination image: section ${kind} has no place in version ${this.version}`)
    const published = new MemberDirectory(this.founders)
    const members = kind === sections.members ? MemberDirectory.decode(bytes) : published
    if (members === undefined || (kind === sections.attributes && !published.publishAll(bytes)))
      throw new RestoreError('coordination image: damaged members')
    return members
  }
}

function versionOf(head: Uint8Array): 1 | 2 {
  if (equalBytes(head, imageHead)) return 2
  if (equalBytes(head, imageHeadOfVersion1)) return 1
  throw new RestoreError('coordination image: not one, or of a version that this node does not know')
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
