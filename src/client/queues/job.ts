import type { PlaneContext } from '../context.ts'
import type { Entry, Key, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { CallLimits } from '../limits.ts'
import { callOptions } from '../limits.ts'
import type { Session } from '../sessions/index.ts'
import { isStill, type LeasedKey, persist } from '../turns/index.ts'
import { awaitGone } from '../watching/index.ts'

/** A job that a worker claimed. Nobody else gets it until the claim ends. */
export interface Job {
  readonly id: string
  readonly value: Uint8Array
  /** {@link Job.value} as UTF-8. */
  text(): string
  /** {@link Job.value} as JSON. */
  json<T>(): T
  /** Its place in the order of the queue. */
  readonly createRevision: Revision
  /** Rises with each claim of this job. Guards what the work changes elsewhere. */
  readonly fencingToken: number
  /** Fires when the claim ends: another worker may get the job. */
  readonly signal: AbortSignal
  /** Milliseconds for which the claim certainly goes on, by the clock now; 0 when it is over. */
  remainingMs(): number
  /** Throws `LOCK_LOST` when the claim is over by the clock now. */
  assertHeld(): void
  /**
   * Removes the job: it is done. Exactly one worker removes a job. Rejects with `LOCK_LOST` when the claim ended before
   * (`not-applied`: somebody else will do, or has done, the job again; `unknown`: an attempt's answer was lost as well).
   * Safe to repeat.
   */
  ack(limits?: CallLimits): Promise<void>
  /** Gives the job back, to be claimed again at its old place. Safe to repeat, and after `ack`. */
  release(): Promise<void>
  /** {@link Job.release}: a job that was not acknowledged goes back. */
  [Symbol.asyncDispose](): Promise<void>
}

export interface JobParts {
  readonly id: string
  readonly entry: Entry
  readonly claim: LeasedKey
  readonly session: Session
  readonly floor: number
}

/**
 * - J1  `ack` deletes job and claim in one transaction that holds only while the claim is the one this object made, so a
 *       job is removed once, by the worker that the engine last gave it to.
 * - J2  Once `signal` has fired, this object never says that it holds the job.
 */
export class ClaimedJob implements Job {
  readonly id: string
  readonly value: Uint8Array
  readonly createRevision: Revision
  readonly fencingToken: number
  readonly signal: AbortSignal
  private readonly context: PlaneContext
  private readonly key: Key
  private readonly claim: LeasedKey
  private readonly session: Session
  private readonly over = new AbortController()
  private readonly onSessionEnd: () => void
  private acknowledged = false
  /** Whether an attempt to acknowledge may have been applied. */
  private uncertain = false

  constructor(context: PlaneContext, { id, entry, claim, session, floor }: JobParts) {
    this.context = context
    this.id = id
    this.key = entry.key
    this.value = entry.value
    this.createRevision = entry.createRevision
    this.claim = claim
    this.session = session
    this.fencingToken = floor + claim.createRevision
    this.signal = this.over.signal
    this.onSessionEnd = () => this.end('its session was lost', session.signal.reason)
    if (session.signal.aborted) this.onSessionEnd()
    else session.signal.addEventListener('abort', this.onSessionEnd)
    awaitGone(context.driver, claim.key, claim.createRevision, { signal: this.signal }).then(
      () => this.end('its key was deleted'),
      () => {},
    )
  }

  text(): string {
    return new TextDecoder().decode(this.value)
  }

  json<T>(): T {
    return JSON.parse(this.text()) as T
  }

  remainingMs(): number {
    return this.signal.aborted ? 0 : this.session.remainingMs()
  }

  assertHeld(): void {
    if (this.remainingMs() > 0) return
    throw this.signal.aborted ? this.signal.reason : this.lost('its session has run out')
  }

  async ack(limits: CallLimits = {}): Promise<void> {
    if (this.acknowledged) return
    const { driver } = this.context
    const options = callOptions(this.context, limits)
    // Not ended by the session: the guard tells, and a session that ran out here may live on there.
    await persist(driver.outside, options, async (call) => {
      const { succeeded, results } = await driver.transact(this.removal(), call).catch((error: unknown) => {
        if ((error as { outcome?: unknown }).outcome === 'unknown') this.uncertain = true
        throw error
      })
      if (!succeeded) this.judge(results[0]?.type === 'get' ? results[0].entry : undefined)
    })
    this.acknowledged = true
    this.end('it was acknowledged')
  }

  async release(): Promise<void> {
    this.end('it was given back')
    if (!this.acknowledged) await this.claim.withdraw()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  private removal(): Parameters<PlaneContext['driver']['transact']>[0] {
    const { key, claim } = this
    return {
      compares: [isStill(claim.key, claim.createRevision), isStill(key, this.createRevision)],
      success: [
        { type: 'delete', key },
        { type: 'delete', key: claim.key },
      ],
      failure: [{ type: 'get', key }],
    }
  }

  /** The claim is not there any more. By the attempt before, or by its end? */
  private judge(job: Entry | undefined): void {
    const isThere = job?.createRevision === this.createRevision
    // Nothing but an end of the session or this object's removal ends a claim while the session goes on.
    if (!isThere && this.uncertain && this.session.remainingMs() > 0) return
    this.end('its session was lost, or somebody deleted its key')
    const outcome = !isThere && this.uncertain ? 'unknown' : 'not-applied'
    throw new SynodError('LOCK_LOST', String((this.signal.reason as Error).message), {
      outcome,
      cause: this.signal.reason,
    })
  }

  private end(why: string, cause?: unknown): void {
    if (this.signal.aborted) return
    this.session.signal.removeEventListener('abort', this.onSessionEnd)
    this.over.abort(this.lost(why, cause))
  }

  private lost(why: string, cause?: unknown): SynodError {
    const message = `the claim of the job '${this.id}' is over: ${why}; another worker may do it now`
    return new SynodError('LOCK_LOST', message, { cause })
  }
}
