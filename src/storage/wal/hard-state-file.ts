import { type HardState, noMember } from '../../core/index.ts'
import type { Disk } from '../../runtime/index.ts'
import { corrupt } from './errors.ts'
import { formatVersion, getUint53, setUint53, viewOf } from './layout.ts'
import { checkTag } from './segment-header.ts'
import { openTwinFile, type TwinFile } from './twin-file.ts'
import type { NodeTag } from './types.ts'

/**
 * `hard-state.a` and `hard-state.b`: what is not a log. The body of the twin file:
 *
 * ```
 *   0  u64  cluster id
 *   8  u64  member id
 *  16  u64  first segment: the oldest one that must exist
 *  24  u64  last segment: the newest one known to exist; 0 before the first was made
 *  32  u32  number of groups, then for each
 *       0  u32  group
 *       4  u64  term
 *      12  u64  voted for
 *      20  u64  floor: the highest index that was in a segment since removed; 0 for none
 * ```
 *
 * Called by the log's writer (hard states), its segment preparation (last segment) and its release (first segment,
 * floors). One file for all groups: a change costs two syncs, whatever changed.
 *
 * Invariants:
 * - I1  The fields in memory are at least as new as those on disk. What is on disk early is harmless: a vote is sent and a
 *       segment is used or removed only after `save` resolved.
 */
export class HardStateFile {
  readonly twin: TwinFile
  readonly path: string
  private readonly tag: NodeTag
  firstSegment = 1
  lastSegment = 0
  readonly groups = new Map<number, GroupState>()

  constructor(twin: TwinFile, path: string, tag: NodeTag) {
    this.twin = twin
    this.path = path
    this.tag = tag
    if (twin.found !== undefined) this.decode(twin.found)
  }

  /** The state of `group`, made when new. */
  group(group: number): GroupState {
    let state = this.groups.get(group)
    if (state === undefined) {
      state = { hardState: { term: 0, votedFor: noMember }, floor: 0 }
      this.groups.set(group, state)
    }
    return state
  }

  /** Makes the fields, as they are now, durable in both copies. */
  save(): Promise<void> {
    return this.twin.write(this.encode())
  }

  private encode(): Uint8Array {
    const bytes = Buffer.alloc(fixedBytes + this.groups.size * groupBytes)
    const view = viewOf(bytes)
    view.setBigUint64(0, this.tag.clusterId, true)
    view.setBigUint64(8, this.tag.memberId, true)
    setUint53(view, 16, this.firstSegment)
    setUint53(view, 24, this.lastSegment)
    view.setUint32(32, this.groups.size, true)
    let offset = fixedBytes
    for (const [group, { hardState, floor }] of this.groups) {
      view.setUint32(offset, group, true)
      setUint53(view, offset + 4, hardState.term)
      view.setBigUint64(offset + 12, hardState.votedFor, true)
      setUint53(view, offset + 20, floor)
      offset += groupBytes
    }
    return bytes
  }

  private decode(bytes: Uint8Array): void {
    const view = viewOf(bytes)
    const count = bytes.length < fixedBytes ? -1 : view.getUint32(32, true)
    if (bytes.length !== fixedBytes + count * groupBytes) throw corrupt(`${this.path} is intact but malformed`)
    const found = { clusterId: view.getBigUint64(0, true), memberId: view.getBigUint64(8, true) }
    checkTag(this.path, found, this.tag)
    this.firstSegment = getUint53(view, 16)
    this.lastSegment = getUint53(view, 24)
    for (let i = 0, offset = fixedBytes; i < count; i++, offset += groupBytes) {
      const hardState = { term: getUint53(view, offset + 4), votedFor: view.getBigUint64(offset + 12, true) }
      this.groups.set(view.getUint32(offset, true), { hardState, floor: getUint53(view, offset + 20) })
    }
  }
}

export interface GroupState {
  hardState: HardState
  floor: number
}

const fixedBytes = 36
const groupBytes = 28
const name = 'hard-state'

export async function openHardStateFile(disk: Disk, directory: string, tag: NodeTag): Promise<HardStateFile> {
  const twin = await openTwinFile({ disk, directory, name, magic: 'SYNODHST', formatVersion })
  return new HardStateFile(twin, `${directory}/${name}`, tag)
}
