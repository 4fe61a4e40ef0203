/**
 * Leader-only schedules: many processes make the same schedule, one of them runs it. Used by `synod.schedule`.
 *
 * - S1  Work of one slot is begun at most once, over all processes: see C1 and C2 of `slot-claims.ts`.
 * - S2  One process runs at most one slot at a time, and waits for it also when leadership was lost.
 * - S3  The loop ends only by `close`: whatever fails is told, and tried again after a pause.
 */
import type { PlaneContext } from '../context.ts'
import { createElectionIn, type Election, type Leadership } from '../elections/index.ts'
import { SynodError } from '../errors.ts'
import { cancelledError } from '../limits.ts'
import type { Session } from '../sessions/index.ts'
import { isStill } from '../turns/index.ts'
import { Backoff, pause } from '../watching/index.ts'
import { readTakenSlot, type TakenSlot, takeSlot } from './slot-claims.ts'
import { type SlotGrid, slotAfter, slotAt } from './slots.ts'

/** Nobody sleeps longer, so that a wall clock that was set anew is noticed. */
const sleepMsMax = 60_000

/** When a schedule is due. */
export interface ScheduleOptions {
  /** From slot to slot, in milliseconds: an integer of at least 100. Every process must give the same. */
  readonly everyMs: number
  /** A moment that is a slot, in milliseconds since 1970 (UTC). Default 0: slots are multiples of `everyMs`. */
  readonly anchorMs?: number | undefined
  /** Whether a schedule that never ran is due at once. Default false: at its next slot. */
  readonly immediately?: boolean | undefined
  /**
   * What becomes of slots that passed while nobody led, for example while a failed leader's session ran out. `once`: the
   * last of them is run late, in place of all. `skip`: none is. Default `once`.
   */
  readonly missed?: 'once' | 'skip' | undefined
  /** Slots that come while the work of one before is still running are skipped. There is no other choice. */
  readonly overlap?: 'skip' | undefined
  /** Told of work that threw, and of failures of the engine, which are tried again. Default: they are logged. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** What leadership hangs on. Default: the session that all primitives of this connection share. */
  readonly session?: Session | undefined
}

/** One run of the work. */
export interface ScheduledRun {
  /** The slot, in milliseconds since 1970: an idempotency key for what the work does. */
  readonly scheduledAtMs: number
  /** Rises with each leader. Guards what the work changes elsewhere against one that stood still. */
  readonly fencingToken: number
  /** Fires when leadership is lost or the schedule closed: stop. */
  readonly signal: AbortSignal
}

/** A schedule this process takes part in. */
export interface Schedule {
  readonly name: string
  /** Whether this process runs it now. */
  readonly isLeader: boolean
  /** The slot that was run or skipped last, by any process; undefined when none was. */
  lastSlotMs(): Promise<number | undefined>
  /** Takes no further part. Resolves when work that was running has ended, and leadership is given up. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Takes part in the schedule `name`: at every slot one of the processes that do runs `work`.
 *
 * **At most once**: a slot is taken before its work begins, so work that fails, or whose process dies, is not run again
 * for that slot. To have it done at least once, let `work` look for what earlier slots left undone. A leader that stood
 * still may run on beside its successor, on another slot: `fencingToken` tells them apart.
 *
 * Slots are moments of the leader's wall clock. A clock that is set back delays slots, none is run again; one that is set
 * forward has slots missed.
 *
 * Throws `INVALID_ARGUMENT` for times that are none.
 *
 * @example
 * const schedule = synod.schedule('reports', { everyMs: 3_600_000 }, async ({ scheduledAtMs, signal }) => {
 *   await sendReports(scheduledAtMs, { signal })
 * })
 */
export function createSchedule(
  context: PlaneContext,
  name: string,
  options: ScheduleOptions,
  work: (run: ScheduledRun) => Promise<unknown> | unknown,
): Schedule {
  const { everyMs, anchorMs = 0 } = options
  if (!Number.isSafeInteger(everyMs) || everyMs < 100)
    throw new SynodError(
      'INVALID_ARGUMENT',
      `everyMs is ${everyMs}; it must be an integer of at least 100 milliseconds`,
    )
  if (!Number.isFinite(anchorMs))
    throw new SynodError('INVALID_ARGUMENT', `anchorMs is ${anchorMs}; it must be a moment in milliseconds since 1970`)
  return new RunningSchedule(context, name, options, work)
}

class RunningSchedule implements Schedule {
  readonly name: string
  private readonly context: PlaneContext
  private readonly options: ScheduleOptions
  private readonly grid: SlotGrid
  private readonly work: (run: ScheduledRun) => Promise<unknown> | unknown
  private readonly election: Election
  private readonly closing = new AbortController()
  private readonly finished: Promise<void>
  private leadership: Leadership | undefined

  constructor(
    context: PlaneContext,
    name: string,
    options: ScheduleOptions,
    work: (run: ScheduledRun) => Promise<unknown> | unknown,
  ) {
    this.context = context
    this.name = name
    this.options = options
    this.grid = { everyMs: options.everyMs, anchorMs: options.anchorMs ?? 0 }
    this.work = work
    this.election = createElectionIn(context, 'schedules', name)
    this.finished = this.takePart()
  }

  get isLeader(): boolean {
    return this.leadership !== undefined && this.leadership.remainingMs() > 0
  }

  async lastSlotMs(): Promise<number | undefined> {
    return (await readTakenSlot(this.context, this.name, {})).slotMs
  }

  async close(): Promise<void> {
    this.closing.abort()
    await this.finished
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async takePart(): Promise<void> {
    const { outside } = this.context.driver
    const { signal } = this.closing
    const backoff = new Backoff(outside, { firstMs: 100, longestMs: 10_000 })
    while (!signal.aborted) {
      try {
        await this.election.runWhileLeader({ signal, session: this.options.session }, (leadership) =>
          this.lead(leadership),
        )
      } catch (error) {
        if (signal.aborted) return
        this.tell(error)
        // With the session that the program brought, or the connection, its part is over.
        if (this.options.session?.signal.aborted === true || isClosed(error)) return
        await pause(outside, backoff.next(), { signal }).catch(() => {})
      }
    }
  }

  /** Runs slot after slot, until leadership ends. */
  private async lead(leadership: Leadership): Promise<void> {
    this.leadership = leadership
    try {
      let last = await this.catchUp(leadership)
      for (;;) {
        const slotMs = await this.nextSlot(last, leadership)
        last = await this.runSlot(slotMs, last, leadership)
        // What came while the work ran is skipped, for later leaders too.
        const passedMs = slotAt(this.grid, this.wallMs())
        if (passedMs > (last.slotMs ?? passedMs)) last = (await this.take(passedMs, last, leadership)).taken
      }
    } catch (error) {
      if (leadership.remainingMs() > 0) throw error
    } finally {
      this.leadership = undefined
    }
  }

  /** Decides about the slots before this leadership. */
  private async catchUp(leadership: Leadership): Promise<TakenSlot> {
    const last = await readTakenSlot(this.context, this.name, { signal: leadership.signal })
    const passedMs = slotAt(this.grid, this.wallMs())
    if (last.slotMs !== undefined && passedMs <= last.slotMs) return last
    const isDue = last.slotMs === undefined ? this.options.immediately === true : this.options.missed !== 'skip'
    if (isDue) return this.runSlot(passedMs, last, leadership)
    return (await this.take(passedMs, last, leadership)).taken
  }

  private async runSlot(slotMs: number, last: TakenSlot, leadership: Leadership): Promise<TakenSlot> {
    const { isOurs, taken } = await this.take(slotMs, last, leadership)
    if (!isOurs) return taken
    const { fencingToken, signal } = leadership
    const { tracing } = this.context
    try {
      await tracing.span('schedule.run', { 'synod.name': this.name }, async () => {
        leadership.assertLeader()
        await this.work({ scheduledAtMs: slotMs, fencingToken, signal })
      })
    } catch (error) {
      this.tell(error)
    }
    return taken
  }

  private async take(
    slotMs: number,
    before: TakenSlot,
    leadership: Leadership,
  ): Promise<{ readonly isOurs: boolean; readonly taken: TakenSlot }> {
    const { fencingToken, signal } = leadership
    const holds = isStill(leadership.key, leadership.createRevision)
    const claim = { before, holds, fencingToken }
    const result = await takeSlot(this.context, this.name, slotMs, claim, {
      signal,
      deadlineMs: Number.POSITIVE_INFINITY,
    })
    // Only a leader takes slots: if nothing was taken since, leadership is what did not hold.
    if (!result.isOurs && result.taken.modRevision === before.modRevision) await leadership.resign()
    leadership.assertLeader()
    return result
  }

  /** Sleeps until the first slot after the last one. */
  private async nextSlot({ slotMs: lastMs }: TakenSlot, { signal }: Leadership): Promise<number> {
    const { outside } = this.context.driver
    let wallMs = this.wallMs()
    const dueMs = slotAfter(this.grid, Math.max(wallMs, lastMs ?? wallMs))
    while (wallMs < dueMs) {
      await pause(outside, Math.min(dueMs - wallMs, sleepMsMax), { signal })
      wallMs = this.wallMs()
    }
    if (signal.aborted) throw cancelledError(signal)
    return dueMs
  }

  private wallMs(): number {
    return this.context.driver.outside.clock.wallMs()
  }

  private tell(error: unknown): void {
    const { logger } = this.context.driver.outside
    try {
      if (this.options.onError !== undefined) this.options.onError(error)
      else logger.warn('a schedule failed', { schedule: this.name, error: String(error) })
    } catch (thrown) {
      // A listener that throws ends nothing.
      logger.error('an onError threw', { schedule: this.name, error: String(thrown) })
    }
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof SynodError && (error.code === 'CLOSED' || error.code === 'ENGINE_FAILED')
}
