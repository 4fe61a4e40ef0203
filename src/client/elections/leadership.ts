import { equalBytes, utf8Bytes } from '../../base/index.ts'
import type { PlaneContext } from '../context.ts'
import type { Key, Revision } from '../driver/index.ts'
import { type Outcome, SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import type { Session } from '../sessions/index.ts'
import { endingWith, isStill, type LeasedKey, lastingAsLongAs, persist } from '../turns/index.ts'
import { awaitGone } from '../watching/index.ts'

/** Leadership that was won. Ends when its session does, by {@link Leadership.resign}, or when its key is deleted. */
export interface Leadership {
  readonly electionName: string
  /** Greater than that of every leadership of this election before. Guards what the leader changes elsewhere. */
  readonly fencingToken: number
  /** What observers see, as last proclaimed. */
  readonly value: Uint8Array
  /**
   * The candidacy's key in the engine, its bytes as a binary string. While its create revision is `createRevision`, this
   * leadership stands: a transaction that compares it is one that only this leader can make.
   */
  readonly key: Key
  /** Of {@link Leadership.key}. */
  readonly createRevision: Revision
  /** Fires with a `NOT_LEADER` error when it is over, as soon as this process runs. */
  readonly signal: AbortSignal
  /** Milliseconds for which it certainly goes on, by the clock now; 0 when it is over. Read without waiting. */
  remainingMs(): number
  /** Throws `NOT_LEADER` when it is over by the clock now. Read without waiting. */
  assertLeader(): void
  /**
   * Changes the value that observers see. Calls take effect in the order in which they were made, each at most once.
   * Rejects with `NOT_LEADER` when leadership was lost before (`outcome: 'unknown'` when it was lost meanwhile).
   */
  proclaim(value: string | Uint8Array, limits?: CallLimits): Promise<void>
  /**
   * Ends it, so that the next candidate leads. Resolves when it has certainly ended in the engine, or its session has:
   * while the engine cannot be reached, it goes on trying. Safe to repeat.
   */
  resign(): Promise<void>
  /** {@link Leadership.resign}. */
  [Symbol.asyncDispose](): Promise<void>
}

interface LeadershipParts {
  readonly electionName: string
  readonly session: Session
  readonly candidacy: LeasedKey
  readonly value: Uint8Array
  readonly floor: number
}

/**
 * - L1  Once `signal` has fired, this object never says that it leads.
 * - L2  `signal` fires before `resign` asks anything of the engine, so before anyone else can lead.
 * - L3  Each proclamation is guarded by the revision of the one before it, so one whose fate was unknown can be made
 *       again, and never comes after a later one.
 */
export class HeldLeadership implements Leadership {
  readonly electionName: string
  readonly fencingToken: number
  readonly signal: AbortSignal
  private readonly context: PlaneContext
  private readonly session: Session
  private readonly candidacy: LeasedKey
  private readonly over = new AbortController()
  private readonly onSessionEnd: () => void
  private proclaimed: Uint8Array
  /** Of the candidacy's key, as last known: writes of ours whose answer was lost may have moved it. */
  private modRevision: Revision
  /** The last proclamation that was asked for; settles after all before it. */
  private lastProclamation: Promise<void> = Promise.resolve()
  private resigning: Promise<void> | undefined

  constructor(context: PlaneContext, { electionName, session, candidacy, value, floor }: LeadershipParts) {
    this.context = context
    this.electionName = electionName
    this.session = session
    this.candidacy = candidacy
    this.proclaimed = value
    this.modRevision = candidacy.createRevision
    this.fencingToken = floor + candidacy.createRevision
    this.signal = this.over.signal
    this.onSessionEnd = () => this.end('its session was lost', session.signal.reason)
    if (session.signal.aborted) this.onSessionEnd()
    else session.signal.addEventListener('abort', this.onSessionEnd)
    this.noticeDeletion()
  }

  get value(): Uint8Array {
    return this.proclaimed
  }

  get key(): Key {
    return this.candidacy.key
  }

  get createRevision(): Revision {
    return this.candidacy.createRevision
  }

  remainingMs(): number {
    return this.signal.aborted ? 0 : this.session.remainingMs()
  }

  assertLeader(): void {
    if (this.remainingMs() > 0) return
    throw this.signal.aborted ? this.signal.reason : notLeader(this.electionName, 'its session has run out')
  }

  proclaim(value: string | Uint8Array, limits: CallLimits = {}): Promise<void> {
    const bytes = proclamationBytes(value)
    const proclamation = this.lastProclamation.then(() => this.write(bytes, limits))
    this.lastProclamation = proclamation.catch(() => {})
    return proclamation
  }

  resign(): Promise<void> {
    this.resigning ??= this.giveUp()
    return this.resigning
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resign()
  }

  private async giveUp(): Promise<void> {
    this.end('it was resigned', undefined)
    await this.lastProclamation
    await this.candidacy.withdraw()
  }

  private async write(value: Uint8Array, limits: CallLimits): Promise<void> {
    this.assertLeader()
    const { driver } = this.context
    const options = callOptions(this.context, limits)
    await endingWith(this.session, options, () =>
      persist(driver.outside, lastingAsLongAs(this.session, options), async (call) => {
        for (;;) {
          const result = await driver.transact(this.proclamation(value), call)
          if (result.succeeded) {
            this.modRevision = result.revision
            break
          }
          const [seen] = result.results
          const entry = seen?.type === 'get' ? seen.entry : undefined
          if (entry?.createRevision !== this.candidacy.createRevision) throw this.wasDeleted()
          this.modRevision = entry.modRevision
          if (equalBytes(entry.value, value)) break
        }
      }),
    ).catch((error: unknown) => {
      if (!(error instanceof SynodError && error.code === 'SESSION_LOST')) throw error
      // Observers may have seen it until the engine ended the session too.
      const { outcome } = (error.cause ?? error) as { outcome?: Outcome }
      throw notLeader(this.electionName, 'its session was lost', error, outcome)
    })
    this.proclaimed = value
  }

  private proclamation(value: Uint8Array): Parameters<PlaneContext['driver']['transact']>[0] {
    const { key, createRevision } = this.candidacy
    return {
      compares: [isStill(key, createRevision), { key, target: 'modRevision', is: '=', value: this.modRevision }],
      success: [{ type: 'put', key, value, leaseId: this.session.leaseId }],
      failure: [{ type: 'get', key }],
    }
  }

  private wasDeleted(): SynodError {
    this.end('its key was deleted', undefined)
    return this.signal.reason
  }

  private noticeDeletion(): void {
    const { driver } = this.context
    const limits = { signal: this.signal, deadlineMs: Number.POSITIVE_INFINITY }
    awaitGone(driver, this.candidacy.key, this.candidacy.createRevision, limits).then(
      () => this.end('its key was deleted', undefined),
      (error: unknown) => {
        if (this.signal.aborted) return
        driver.outside.logger.warn('a leader can no longer notice that its key is deleted', { cause: String(error) })
      },
    )
  }

  private end(why: string, cause: unknown): void {
    if (this.signal.aborted) return
    this.session.signal.removeEventListener('abort', this.onSessionEnd)
    this.over.abort(notLeader(this.electionName, why, cause))
  }
}

function notLeader(electionName: string, why: string, cause?: unknown, outcome?: Outcome): SynodError {
  const message = `this process does not lead '${electionName}' any more: ${why}; stop what only a leader may do, and campaign again`
  return new SynodError('NOT_LEADER', message, { cause, ...(outcome === undefined ? {} : { outcome }) })
}

/** A value as observers get it. */
export function proclamationBytes(value: string | Uint8Array | undefined): Uint8Array {
  return typeof value === 'string' ? utf8Bytes(value) : Uint8Array.from(value ?? [])
}
