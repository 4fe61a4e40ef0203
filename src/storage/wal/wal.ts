import { assert } from '../../base/index.ts'
import type { Entry } from '../../core/index.ts'
import { DiskError, type Logger } from '../../runtime/index.ts'
import { WalError } from './errors.ts'
import { frameHeaderBytes } from './frame.ts'
import { FrameBuilder, type Waiter } from './frame-builder.ts'
import type { HardStateFile } from './hard-state-file.ts'
import { frameBytesMax, segmentHeaderBytes } from './layout.ts'
import { recordHeaderBytes, recordType } from './record.ts'
import type { SegmentChain } from './segment-chain.ts'
import type { GroupWrite, WalState } from './types.ts'

export interface WalOptions {
  readonly logger: Logger
  readonly segmentBytes: number
  readonly queuedBytesMax: number
  readonly onStateChange: ((state: WalState) => void) | undefined
  readonly onFailure: ((error: unknown) => void) | undefined
}

/**
 * The write-ahead log of a node: one sequence of frames that holds the entries of all its consensus groups, and the hard
 * state of each beside it. Made by `openWal`; called by `engine/replication`.
 *
 * Invariants:
 * - I1  One frame is on its way to the disk at a time: none is written before the sync of the one before it returned.
 * - I2  Frames are written in the order of the appends they hold, and their promises settle in that order.
 * - I3  A hard state is durable before the frame that it came with is written.
 * - I4  After a failed write or sync nothing is written any more. `NO_SPACE` alone is tried again, by writing all bytes
 *       that the failed call covered anew.
 */
export class Wal {
  private readonly chain: SegmentChain
  private readonly hardState: HardStateFile
  private readonly options: WalOptions
  private readonly entryBytesMax: number
  private readonly frameBytesSoftMax: number
  private currentState: WalState = 'open'
  /** Frames that wait, oldest first; the last one still takes records. */
  private readonly pending: FrameBuilder[] = []
  /** The frame being written, or, when full, the one to be written first. */
  private inFlight: FrameBuilder | undefined
  private readonly idle: FrameBuilder[] = []
  private isWriting = false
  /** Ends when the latest run of `writeAll` has. */
  private written: Promise<void> = Promise.resolve()
  private closing: Promise<void> | undefined
  private bytesQueued = 0
  /** Frames written since the log was opened; without any there is nothing to seal. */
  private framesWritten = 0
  /** Mode `log`: the highest index that may come next, where known. */
  private readonly nextIndexes: Map<number, number>

  constructor(chain: SegmentChain, hardState: HardStateFile, nextIndexes: Map<number, number>, options: WalOptions) {
    this.chain = chain
    this.hardState = hardState
    this.nextIndexes = nextIndexes
    this.options = options
    const room = options.segmentBytes - segmentHeaderBytes
    this.entryBytesMax = room - frameHeaderBytes - recordHeaderBytes
    this.frameBytesSoftMax = Math.min(room, frameBytesMax)
  }

  get state(): WalState {
    return this.currentState
  }

  /** Bytes appended and not yet durable. */
  get queuedBytes(): number {
    return this.bytesQueued
  }

  /** Segment files in use, the one prepared ahead included. */
  get segmentCount(): number {
    return this.chain.segmentCount
  }

  /**
   * Makes `writes` durable. Resolves when all of them are, and everything appended before. May be called while earlier
   * calls are under way: what waits goes into the next frame together, with one sync. Payloads are copied before it
   * returns. An entry that would leave a gap in a log is a bug of the caller: InvariantError. Not atomic: after a crash any prefix of the entries can be found.
   *
   * Rejects with a {@link WalError}: `FAILED` (outcome unknown; end the node), `CLOSED`, and, before anything is queued,
   * `TOO_LARGE` and `OVERLOADED` (retryable; later entries of these groups must not be appended before these are). While
   * the disk is full it neither resolves nor rejects.
   */
  append(writes: readonly GroupWrite[]): Promise<void> {
    const refusal = this.refuse(writes)
    if (refusal !== undefined) return Promise.reject(refusal)
    for (const write of writes) this.enqueue(write)
    const frame = this.openFrame()
    const durable = new Promise<void>((resolve, reject) => frame.waiters.push({ resolve, reject }))
    if (this.currentState === 'open') this.startWriting()
    return durable
  }

  /**
   * The host has a durable snapshot: entries of `group` up to `index` are not needed any more. Segments that no group needs
   * are removed; resolves when they are. Idempotent. Rejects with a {@link WalError} (`FAILED`).
   */
  async release(group: number, index: number): Promise<void> {
    if (this.currentState === 'failed' || this.closing !== undefined) return
    try {
      await this.chain.release(group, index)
    } catch (error) {
      if (isNoSpace(error)) return
      this.fail(error)
      throw failedError(error)
    }
  }

  /** Tries again when the disk was full. Called by the host's timer; does nothing otherwise. */
  retry(): void {
    if (this.currentState === 'failed' || this.closing !== undefined) return
    this.chain.retry()
    if (this.currentState === 'full') this.startWriting()
  }

  /** Writes what is queued (unless full or failed), seals the log, and closes its files. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce()
    return this.closing
  }

  /** A write or sync failed, here or in the background. */
  fail(error: unknown): void {
    if (this.currentState === 'failed') return
    this.options.logger.error('the log failed: a write or sync was lost', { reason: String(error) })
    this.changeState('failed')
    this.rejectAll(failedError(error))
    this.options.onFailure?.(error)
  }

  private refuse(writes: readonly GroupWrite[]): WalError | undefined {
    if (this.currentState === 'failed') return failedError(undefined, 'not-applied')
    if (this.closing !== undefined) return new WalError('CLOSED', 'The log is closed. Open it again.')
    let bytes = 0
    for (const { group, entries, mode, restartAfter } of writes) {
      const gapless = mode !== 'slots'
      assert(gapless || restartAfter === undefined, `group ${group}: only a log without gaps restarts`)
      let next = restartAfter === undefined ? this.nextIndexes.get(group) : restartAfter + 1
      for (const { index, payload } of entries) {
        if (gapless) {
          assert(
            next === undefined || index <= next,
            `group ${group}: entry ${index} would leave a gap in the log, whose next is ${next}`,
          )
          next = index + 1
        }
        bytes += recordHeaderBytes + payload.length
        if (payload.length <= this.entryBytesMax) continue
        return new WalError(
          'TOO_LARGE',
          `An entry of ${payload.length} bytes does not fit into a log segment; at most ${this.entryBytesMax} do. ` +
            'Propose smaller entries or open the log with larger segments.',
        )
      }
    }
    if (this.bytesQueued === 0 || this.bytesQueued + bytes <= this.options.queuedBytesMax) return undefined
    return new WalError(
      'OVERLOADED',
      `${this.bytesQueued} bytes wait for the disk. Append again when some are written.`,
    )
  }

  private enqueue(write: GroupWrite): void {
    const { group, entries, mode = 'log', restartAfter, hardState } = write
    if (hardState !== undefined) this.openFrame().hardStates.set(group, hardState)
    if (restartAfter !== undefined) {
      let frame = this.openFrame()
      if (!this.fits(frame, recordHeaderBytes)) frame = this.newFrame()
      frame.addRestart(group, restartAfter)
      this.bytesQueued += recordHeaderBytes
      this.nextIndexes.set(group, restartAfter + 1)
    }
    if (entries.length === 0) return
    this.enqueueEntries(group, mode === 'slots' ? recordType.slot : recordType.append, entries)
    if (mode === 'log') this.nextIndexes.set(group, entries.at(-1)!.index + 1)
  }

  private enqueueEntries(group: number, type: 1 | 2, entries: readonly Entry[]): void {
    let frame = this.openFrame()
    let from = 0
    let runBytes = 0
    for (let i = 0; i < entries.length; i++) {
      const recordBytes = recordHeaderBytes + entries[i]!.payload.length
      if (!this.fits(frame, runBytes + recordBytes)) {
        if (i > from) frame.addEntries(type, group, entries, from, i)
        if (frame.recordCount > 0) frame = this.newFrame()
        from = i
        runBytes = 0
      }
      runBytes += recordBytes
      this.bytesQueued += recordBytes
    }
    frame.addEntries(type, group, entries, from, entries.length)
  }

  private fits(frame: FrameBuilder, bytes: number): boolean {
    return frame.length + bytes <= this.frameBytesSoftMax
  }

  /** The frame that takes records now. */
  private openFrame(): FrameBuilder {
    return this.pending.at(-1) ?? this.newFrame()
  }

  private newFrame(): FrameBuilder {
    const frame = this.idle.pop() ?? new FrameBuilder()
    this.pending.push(frame)
    return frame
  }

  private startWriting(): void {
    if (this.isWriting) return
    this.isWriting = true
    this.written = this.writeAll()
  }

  /** Writes frame after frame until none is left, the disk is full, or it fails. Never rejects. */
  private async writeAll(): Promise<void> {
    try {
      while (this.currentState !== 'failed') {
        const frame = (this.inFlight ??= this.pending.shift())
        if (frame === undefined) break
        await this.writeFrame(frame)
        // The background may have failed meanwhile, and rejected the frame already.
        if (this.inFlight !== frame) break
        this.inFlight = undefined
        if (this.currentState === 'full') this.changeState('open')
        this.settle(frame)
      }
    } catch (error) {
      if (!isNoSpace(error)) this.fail(error)
      else if (this.currentState === 'open') {
        this.options.logger.warn('the disk is full: appends wait', { queuedBytes: this.bytesQueued })
        this.changeState('full')
      }
    } finally {
      // In the turn in which the last frame was found written: an append from here on starts anew.
      this.isWriting = false
    }
  }

  private async writeFrame(frame: FrameBuilder): Promise<void> {
    if (frame.hardStates.size > 0) {
      for (const [group, hardState] of frame.hardStates) this.hardState.group(group).hardState = hardState
      await this.hardState.save()
    }
    if (frame.recordCount > 0) await this.writeRecords(frame)
  }

  private async writeRecords(frame: FrameBuilder): Promise<void> {
    const { chain } = this
    if (!chain.hasRoom(frame.length)) await chain.roll(frame.length)
    const segment = chain.current
    const bytes = frame.seal(chain, segment.crcSeed)
    await segment.file.writeDurably(chain.writeOffset, [bytes])
    chain.advance(bytes.length, frame.maxima)
    this.framesWritten++
  }

  private settle(frame: FrameBuilder): void {
    this.bytesQueued -= frame.length - frameHeaderBytes
    const waiters: Waiter[] = frame.waiters.splice(0)
    frame.reset()
    if (this.idle.length < 2) this.idle.push(frame)
    for (const waiter of waiters) waiter.resolve()
  }

  private rejectAll(error: WalError): void {
    const frames = this.inFlight === undefined ? this.pending.splice(0) : [this.inFlight, ...this.pending.splice(0)]
    this.inFlight = undefined
    this.bytesQueued = 0
    for (const frame of frames) for (const waiter of frame.waiters) waiter.reject(error)
  }

  private changeState(state: WalState): void {
    this.currentState = state
    this.options.onStateChange?.(state)
  }

  private async closeOnce(): Promise<void> {
    await this.written
    this.rejectAll(new WalError('CLOSED', 'The log was closed before this was written.', { outcome: 'unknown' }))
    if (this.currentState === 'open' && this.framesWritten > 0 && this.chain.hasRoom(frameHeaderBytes)) {
      await this.writeRecords(new FrameBuilder()).catch((error: unknown) => this.fail(error))
    }
    await this.chain.close()
    await this.hardState.twin.close()
    if (this.currentState !== 'failed') this.changeState('closed')
  }
}

function isNoSpace(error: unknown): boolean {
  return error instanceof DiskError && error.code === 'NO_SPACE'
}

function failedError(cause: unknown, outcome: 'not-applied' | 'unknown' = 'unknown'): WalError {
  return new WalError(
    'FAILED',
    'A write or sync of the log failed, and what is on disk is not known. End the node, check the disk, and start it again.',
    { cause, outcome },
  )
}
