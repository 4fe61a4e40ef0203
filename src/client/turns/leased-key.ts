/**
 * A key that hangs on a session and that is made at most once, whatever answers are lost: a candidacy, a place in a
 * line, a claim, a membership. Made by {@link LeasedKey.make}, ended by {@link LeasedKey.withdraw} or by the session.
 *
 * - K1  However many attempts to make it are under way, at most one is applied: each is guarded by the key's absence,
 *       and an answer that was lost is found out by reading the key, whose value nobody else writes.
 * - K2  Once `withdraw` has resolved, the key is gone and does not come back. When the fate of an attempt is open,
 *       `withdraw` leaves a mark beside the key which every attempt is guarded by, and which ends with the session.
 *
 * Differs from etcd's `concurrency` package, which puts the key once more after a lost answer and forgets the key when
 * the caller gives up in between.
 */
import { emptyBytes, equalBytes } from '../../base/index.ts'
import type {
  CallOptions,
  Compare,
  Driver,
  Entry,
  Key,
  Operation,
  OperationResult,
  Revision,
  Transaction,
  TransactionResult,
} from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { type PersistOptions, persist } from './persist.ts'

export interface LeasedKeyPlace {
  readonly key: Key
  /** Where K2's mark is left; outside any range that is listed. */
  readonly markKey: Key
  /** Written by this object only: either the key or the value is unique. */
  readonly value: Uint8Array
}

/** What else must hold, and what else is done, in the transaction that makes the key. */
export interface MakeMore {
  readonly compares?: readonly Compare[]
  readonly operations?: readonly Operation[]
}

export type MakeResult =
  | {
      readonly made: true
      readonly createRevision: Revision
      /** Of {@link MakeMore.operations}. Undefined when the answer was lost and the key's being there told of it. */
      readonly results: readonly OperationResult[] | undefined
    }
  /** A compare did not hold, or somebody else's key is there. */
  | { readonly made: false; readonly entry: Entry | undefined }

export class LeasedKey {
  readonly key: Key
  private readonly driver: Driver
  private readonly session: Session
  private readonly place: LeasedKeyPlace
  /** Of the key, once this object knows that it made it; 0 before and after. */
  private standsSince: Revision = 0
  /** Whether an attempt to make it may be under way, or have been applied unheard; also when another made the key. */
  private hasOpenAttempt = false
  private madeAtRevision: Revision = 0

  constructor(driver: Driver, session: Session, place: LeasedKeyPlace) {
    this.driver = driver
    this.session = session
    this.place = place
    this.key = place.key
  }

  /** Of the write that made it; 0 before. */
  get createRevision(): Revision {
    return this.madeAtRevision
  }

  /** Whether an attempt that was not heard of may still make it, also after somebody deleted it: until `withdraw`. */
  get mayComeBack(): boolean {
    return this.hasOpenAttempt
  }

  /**
   * Makes the key. After a rejection, call {@link withdraw}. Rejects with `SESSION_LOST` when the session is over.
   */
  async make(options: CallOptions, more: MakeMore = {}): Promise<MakeResult> {
    const { key, markKey, value } = this.place
    const { signal, deadlineMs = Number.POSITIVE_INFINITY } = lastingAsLongAs(this.session, options)
    const transaction = {
      compares: [absent(key), absent(markKey), ...(more.compares ?? [])],
      success: [{ type: 'put', key, value, leaseId: this.session.leaseId } as const, ...(more.operations ?? [])],
      failure: [{ type: 'get', key } as const],
    }
    return endingWith(this.session, options, () =>
      persist(this.driver.outside, { signal, deadlineMs }, async (call) => {
        const { succeeded, revision, results } = await this.attempt(transaction, call)
        if (succeeded) return this.isMade(revision, results.slice(1))
        const entry = results[0]?.type === 'get' ? results[0].entry : undefined
        if (entry !== undefined && this.isOurs(entry)) return this.isMade(entry.createRevision, undefined)
        return { made: false, entry }
      }),
    )
  }

  private async attempt(transaction: Transaction, call: CallOptions): Promise<TransactionResult> {
    try {
      return await this.driver.transact(transaction, call)
    } catch (error) {
      if (!(error instanceof SynodError) || error.outcome === 'unknown') this.hasOpenAttempt = true
      throw error
    }
  }

  /**
   * Ends the key. Goes on, past any failure, until it is certainly gone or the session is over; never rejects but with
   * what the engine refuses for good. Safe to repeat.
   */
  async withdraw(): Promise<void> {
    const { session } = this
    if ((this.standsSince === 0 && !this.hasOpenAttempt) || session.signal.aborted) return
    const limits: PersistOptions = { signal: session.signal, deadlineMs: Number.POSITIVE_INFINITY }
    try {
      await persist(this.driver.outside, limits, (call) => this.end(call))
      this.standsSince = 0
      this.hasOpenAttempt = false
    } catch (error) {
      // With the session the engine ends the key, and refuses every attempt to make it.
      if (!session.signal.aborted && !isLeaseGone(error)) throw error
    }
  }

  private async end(call: CallOptions): Promise<void> {
    const { key, markKey } = this.place
    let standsSince = this.standsSince
    if (this.hasOpenAttempt) {
      const mark = { type: 'put', key: markKey, value: emptyBytes, leaseId: this.session.leaseId } as const
      const { results } = await this.driver.transact({ compares: [], success: [mark, { type: 'get', key }] }, call)
      // From here on no attempt is applied any more: what is there now is all there is to end.
      const entry = results[1]?.type === 'get' ? results[1].entry : undefined
      if (entry === undefined || (entry.createRevision !== standsSince && !this.isOurs(entry))) return
      standsSince = entry.createRevision
    }
    await this.driver.transact({ compares: [isStill(key, standsSince)], success: [{ type: 'delete', key }] }, call)
  }

  private isMade(createRevision: Revision, results: readonly OperationResult[] | undefined): MakeResult {
    this.standsSince = createRevision
    this.madeAtRevision = createRevision
    return { made: true, createRevision, results }
  }

  private isOurs(entry: Entry): boolean {
    return entry.leaseId === this.session.leaseId && equalBytes(entry.value, this.place.value)
  }
}

/** Holds while the key is the one that `createRevision` made. */
export function isStill(key: Key, createRevision: Revision): Compare {
  return { key, target: 'createRevision', is: '=', value: createRevision }
}

/** Holds while the key is not there. */
export function absent(key: Key): Compare {
  return { key, target: 'exists', value: false }
}

/** The limits of what is done for a session: the caller's, and the session's end. */
export function lastingAsLongAs(session: Session, { signal, deadlineMs }: CallOptions): CallOptions {
  return { signal: signal === undefined ? session.signal : AbortSignal.any([session.signal, signal]), deadlineMs }
}

/** Tells an end of `work` that the session's end brought about as such. */
export async function endingWith<T>(session: Session, options: CallOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const asked = options.signal?.aborted === true
    if (!asked && (session.signal.aborted || isLeaseGone(error))) throw sessionLost(error)
    throw error
  }
}

export function isLeaseGone(error: unknown): boolean {
  return error instanceof SynodError && (error.code === 'LEASE_NOT_FOUND' || error.code === 'SESSION_LOST')
}

function sessionLost(cause: unknown): SynodError {
  return new SynodError(
    'SESSION_LOST',
    'the session ended, and with it all that hung on it; begin again on a new session',
    { cause, outcome: 'not-applied' },
  )
}
