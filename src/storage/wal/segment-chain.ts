import { type Disk, DiskError, type Logger, type Random } from '../../runtime/index.ts'
import type { HardStateFile } from './hard-state-file.ts'
import { segmentHeaderBytes, segmentName } from './layout.ts'
import { prepareSegment, type Segment } from './segment-file.ts'
import type { NodeTag } from './types.ts'

export interface SegmentChainOptions {
  readonly disk: Disk
  readonly directory: string
  readonly logger: Logger
  readonly random: Random
  readonly nodeTag: NodeTag
  readonly segmentBytes: number
  /** A write or sync in the background failed. */
  readonly onFailure: (error: unknown) => void
}

/**
 * The next segment is zeroed at so many times the speed at which the current one fills: fast enough to be ready long before
 * it is needed, slow enough that the zeros do not stand in the way of the frames.
 */
const preparationLead = 4

/** Where the chain starts: what recovery found, or one empty segment. */
export interface ChainStart {
  readonly segments: Segment[]
  readonly active: number
  readonly sequence: number
  readonly syncedSegment: number
  readonly syncedOffset: number
}

/**
 * The segment files: where the next frame goes, the next segment made ahead of need, old ones removed. Owned by the log's
 * writer, which calls `roll` and `advance` one at a time; `release` and the preparation run beside them.
 *
 * Invariants:
 * - I1  Segment numbers have no gaps, on disk too: only the oldest is removed, only the next number is made.
 * - I2  A segment is used only after the hard state file names it, so that its loss is noticed.
 * - I3  A segment is removed only after the hard state file has the new first segment and the floors, and only when a
 *       later one holds a durable frame.
 */
export class SegmentChain {
  /** The sequence of the next frame. */
  sequence: number
  /** Where the last durable frame ended; what the next frame records as synced. */
  syncedSegment: number
  syncedOffset: number
  private readonly options: SegmentChainOptions
  private readonly state: HardStateFile
  private readonly segments: Segment[]
  private active: number
  private offset: number
  private readonly released = new Map<number, number>()
  private preparing: Promise<void> | undefined
  /** The newest segment that the hard state file names durably. */
  private lastNamed: number
  /** The last preparation found no space. Kept from trying again until `retry`. */
  private spaceShort = false
  /** It was logged, and space has not returned since. */
  private shortageLogged = false
  private stopping = false
  /** A frame waits for the next segment: it is made at full speed. */
  private hurried = false
  /** Bytes of frames written since the preparation began. */
  private sincePreparation = 0
  private pacedWaiter: { readonly atBytes: number; readonly resume: () => void } | undefined
  private lastTrim: Promise<void> = Promise.resolve()

  constructor(options: SegmentChainOptions, state: HardStateFile, start: ChainStart) {
    this.options = options
    this.state = state
    this.segments = start.segments
    this.active = start.active
    this.sequence = start.sequence
    this.syncedSegment = start.syncedSegment
    this.syncedOffset = start.syncedOffset
    this.offset = start.syncedSegment === this.current.number ? start.syncedOffset : segmentHeaderBytes
    this.lastNamed = state.lastSegment
  }

  /** The segment that takes the next frame, at `writeOffset`. */
  get current(): Segment {
    return this.segments[this.active]!
  }

  get writeOffset(): number {
    return this.offset
  }

  get segmentCount(): number {
    return this.segments.length
  }

  hasRoom(length: number): boolean {
    return this.offset + length <= this.current.header.sizeBytes
  }

  /** Moves on to a segment with room for `length`. Rejects with a {@link DiskError}; `NO_SPACE` may be tried again. */
  async roll(length: number): Promise<void> {
    while (!this.hasRoom(length)) {
      const next = this.segments[this.active + 1]
      if (next === undefined || next.number > this.lastNamed) {
        this.hurried = true
        this.resumePreparation()
        await this.prepareNext().finally(() => {
          this.hurried = false
        })
        continue
      }
      this.active++
      this.offset = segmentHeaderBytes
    }
  }

  /** A frame of `length` bytes, padding included, is durable at `writeOffset`. */
  advance(length: number, maxima: ReadonlyMap<number, number>): void {
    const segment = this.current
    for (const [group, index] of maxima) {
      if (index > (segment.maxima.get(group) ?? 0)) segment.maxima.set(group, index)
    }
    this.offset += length
    this.sincePreparation += length
    this.resumePreparation()
    this.sequence++
    this.syncedSegment = segment.number
    this.syncedOffset = this.offset
    this.prepareAhead()
  }

  /** Makes the next segment in the background, once the current one is half full. */
  prepareAhead(): void {
    if (this.spaceShort || this.preparing !== undefined || this.stopping) return
    if (this.active + 1 < this.segments.length || this.offset * 2 < this.current.header.sizeBytes) return
    this.prepareNext().catch((error: unknown) => {
      if (!(error instanceof DiskError && error.code === 'NO_SPACE')) this.options.onFailure(error)
    })
  }

  /** Space may have returned. */
  retry(): void {
    this.spaceShort = false
    this.prepareAhead()
  }

  /** Entries of `group` up to `index` are not needed any more. Resolves when the segments that freed are gone. */
  release(group: number, index: number): Promise<void> {
    if (index > (this.released.get(group) ?? 0)) this.released.set(group, index)
    const trimmed = this.lastTrim.then(() => this.trim())
    this.lastTrim = trimmed.catch(() => undefined)
    return trimmed
  }

  /** Ends background work and closes the files. */
  async close(): Promise<void> {
    this.stopping = true
    this.resumePreparation()
    await this.preparing?.catch(() => undefined)
    await this.lastTrim
    for (const segment of this.segments) await segment.file.close()
  }

  /** Holds the zeroing back until frames have earned it (see `preparationLead`). */
  private paced(doneBytes: number): Promise<void> {
    const atBytes = doneBytes / preparationLead
    if (this.hurried || this.stopping || this.sincePreparation >= atBytes) return Promise.resolve()
    return new Promise((resume) => {
      this.pacedWaiter = { atBytes, resume }
    })
  }

  private resumePreparation(): void {
    const waiter = this.pacedWaiter
    if (waiter === undefined || !(this.hurried || this.stopping || this.sincePreparation >= waiter.atBytes)) return
    this.pacedWaiter = undefined
    waiter.resume()
  }

  private prepareNext(): Promise<void> {
    this.preparing ??= this.makeNext().finally(() => {
      this.preparing = undefined
    })
    return this.preparing
  }

  private async makeNext(): Promise<void> {
    const { disk, directory, random, nodeTag, segmentBytes, logger } = this.options
    try {
      if (this.active + 1 >= this.segments.length) {
        const number = this.segments.at(-1)!.number + 1
        const stopped = () => this.stopping
        const paced = (doneBytes: number) => this.paced(doneBytes)
        this.sincePreparation = 0
        const options = { disk, directory, number, sizeBytes: segmentBytes, tag: nodeTag, random, stopped, paced }
        const segment = await prepareSegment(options)
        if (segment === undefined) return
        this.segments.push(segment)
      }
      const last = this.segments.at(-1)!.number
      this.state.lastSegment = last
      await this.state.save()
      this.lastNamed = last
      this.spaceShort = false
      this.shortageLogged = false
    } catch (error) {
      if (error instanceof DiskError && error.code === 'NO_SPACE') {
        this.spaceShort = true
        if (!this.shortageLogged) logger.warn('no space for the next log segment', { directory, segmentBytes })
        this.shortageLogged = true
      }
      throw error
    }
  }

  private async trim(): Promise<void> {
    const { disk, directory, logger } = this.options
    let count = 0
    while (this.segments[count]!.number < this.syncedSegment && this.isReleased(this.segments[count]!)) count++
    if (count === 0 || this.stopping) return
    const removed = this.segments.slice(0, count)
    for (const segment of removed) {
      for (const [group, index] of segment.maxima) {
        const state = this.state.group(group)
        state.floor = Math.max(state.floor, index)
      }
    }
    this.state.firstSegment = this.segments[count]!.number
    await this.state.save()
    this.segments.splice(0, count)
    this.active -= count
    try {
      for (const segment of removed) {
        await segment.file.close()
        await disk.remove(`${directory}/${segmentName(segment.number)}`)
      }
      await disk.syncDirectory(directory)
    } catch (error) {
      // Harmless: what is left below the first segment is removed at the next start.
      logger.warn('released log segments were not removed', { directory, reason: String(error) })
    }
  }

  private isReleased(segment: Segment): boolean {
    for (const [group, index] of segment.maxima) {
      if (index > (this.released.get(group) ?? 0)) return false
    }
    return true
  }
}
