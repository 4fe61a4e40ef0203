/**
 * The once rule of a session: an operation is applied once, however often it is sent. Counters, limiters and whoever
 * else computes a key's next value from its last one give their operations here; those of one turn of the event loop
 * travel as one batch, and many operations on one key as one write.
 *
 * The marker key (see `marker.ts`) is what makes a second sending safe: every writing transaction compares the marker
 * with what the batch before left, and leaves its own. So of all attempts at a batch, and of all their sendings, at most
 * one applies, and the marker tells which.
 *
 * - I1  At most one batch of a session is under way. Batches and the operations in them keep the order of the calls.
 * - I2  A batch is sent again only under its own sequence, until its fate is known, the session is over, or nobody waits
 *       for it any more. What is given up with an unknown fate is told as `unknown`; whether it was applied in the end,
 *       or never will be, the next batch learns from its compare of the marker.
 * - I3  `uncertain`: a writing attempt at the current batch may have applied. While it is set every attempt writes the
 *       marker, also one that would change nothing else: otherwise a late sending could apply after it was told.
 * - I4  An operation told as not applied is in no attempt that is under way or will be sent. One whose time is up while
 *       its attempt is under way or `uncertain` is told as `unknown`.
 * - I5  The lease is the marker's: where the marker is gone with the session, nothing of the session can apply any more.
 */
import { assert } from '../../base/index.ts'
import type { Timer } from '../../runtime/index.ts'
import { type PlaneContext, roomKey } from '../context.ts'
import type { CallOptions, Entry, Key, OperationResult, Transaction, TransactionResult } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { cancelledError } from '../limits.ts'
import type { Session } from '../sessions/index.ts'
import { Backoff, pause } from '../watching/index.ts'
import { Attempt, attemptTransaction, type KeyState, readTransaction, stateOf } from './attempt.ts'
import { expiredError, markerGoneError, sessionLostError, unsettledError } from './endings.ts'
import { decodeMarker, type Marker } from './marker.ts'
import { type Apply, Operation } from './operation.ts'

/** Engines take 128 steps in a transaction; besides the keys there is the marker. */
const keysInBatchMax = 64
const operationsInBatchMax = 10_000
const operationsWaitingMax = 100_000
const statesKeptMax = 4096
const timeoutMsDefault = 10_000
const expiryGrainMs = 5

export class OnceWriter {
  private readonly context: PlaneContext
  private readonly session: Session
  private readonly markerKey: Key
  private readonly waiting: Operation[] = []
  /** Those of the batch under way. */
  private current: ReadonlySet<Operation> = new Set()
  private isRunning = false
  /** The last batch begun; 0 before the first. */
  private sequence = 0
  /** Of the next attempt at the batch under way. */
  private attemptNumber = 0
  /** Of the marker as it was last seen or written; 0 when it was not there. */
  private markerRevision = 0
  /** What is known of keys, the longest unused first. May be out of date: every attempt compares. */
  private readonly states = new Map<Key, KeyState>()
  /** A writing attempt is under way. */
  private isSending = false
  /** I3 */
  private uncertain = false
  private expiryTimer: Timer | undefined
  private expiryAtMs = Number.POSITIVE_INFINITY

  constructor(context: PlaneContext, session: Session) {
    this.context = context
    this.session = session
    this.markerKey = roomKey(context, 'once', session.id)
  }

  /**
   * Applies `apply` to the key's value once, together with other operations of the same turn. Without a deadline it waits
   * 10 s. Rejects with what `apply` threw, or `SESSION_LOST`, `TIMEOUT`, `CANCELLED` or what the engine said; `outcome`
   * tells whether it may have been applied.
   */
  update<T>(key: Key, apply: Apply<T>, options: CallOptions = {}): Promise<T> {
    const { signal } = options
    if (signal?.aborted === true) return Promise.reject(cancelledError(signal))
    if (this.waiting.length >= operationsWaitingMax)
      return Promise.reject(
        new SynodError('RESOURCE_EXHAUSTED', `${operationsWaitingMax} operations wait already; let some end first`),
      )
    const deadlineMs = options.deadlineMs ?? this.nowMs() + timeoutMsDefault
    return new Promise<T>((resolve, reject) => {
      const settle = { resolve: resolve as (result: unknown) => void, reject }
      const operation = new Operation(key, apply, deadlineMs, settle)
      if (signal !== undefined) operation.listen(signal, () => this.abandon(operation, cancelledError(signal)))
      this.waiting.push(operation)
      this.expireAt(deadlineMs)
      if (!this.isRunning) {
        this.isRunning = true
        this.context.driver.outside.scheduler.endOfTurn(() => void this.run())
      }
    })
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const operations = this.takeBatch()
      this.current = new Set(operations)
      try {
        if (operations.length > 0) await this.settleBatch(operations)
      } catch (error) {
        for (const operation of operations) operation.fail(error)
      }
    }
    this.current = new Set()
    this.isRunning = false
  }

  /** The operations that come next, in order, as many as fit. */
  private takeBatch(): readonly Operation[] {
    const keys = new Set<Key>()
    let taken = 0
    for (const { key, isSettled } of this.waiting) {
      if (!isSettled) {
        if (!keys.has(key) && keys.size === keysInBatchMax) break
        keys.add(key)
      }
      taken++
      if (taken === operationsInBatchMax) break
    }
    return this.waiting.splice(0, taken).filter((operation) => !operation.isSettled)
  }

  private async settleBatch(operations: readonly Operation[]): Promise<void> {
    this.sequence++
    this.attemptNumber = 0
    this.uncertain = false
    const keys = [...new Set(operations.map((operation) => operation.key))]
    /** Those that may have applied, and the last. */
    const attempts = new Map<number, Attempt>()
    const failures = new Backoff(this.context.driver.outside, { firstMs: 20, longestMs: 1000 })
    const conflicts = new Backoff(this.context.driver.outside, { firstMs: 2, longestMs: 200 })
    let attempt: Attempt | undefined
    let hasConflicted = false
    for (;;) {
      // Nobody waits any more (I2).
      if (operations.every((operation) => operation.isSettled)) return
      if (this.session.remainingMs() === 0) return this.fail(operations, sessionLostError(this.session, this.uncertain))
      if (attempt?.isOutdated === true) attempt = undefined
      if (keys.every((key) => this.states.has(key))) attempt ??= this.nextAttempt(operations, attempts)
      const reply = await this.send(attempt, keys)
      if (reply instanceof SynodError) {
        if (reply.code === 'LEASE_NOT_FOUND')
          return this.fail(operations, sessionLostError(this.session, this.uncertain, reply))
        if (!reply.retryable) return this.fail(operations, this.uncertain ? unsettledError(reply) : reply)
        await pause(this.context.driver.outside, failures.next())
        continue
      }
      if (attempt !== undefined && reply.succeeded) {
        this.learnWritten(attempt, keys, reply)
        return attempt.conclude()
      }
      const marker = this.learnRead(reply.results, keys)
      if (marker === 'gone') return this.fail(operations, markerGoneError())
      if (marker?.sequence === this.sequence) {
        const applied = attempts.get(marker.attempt)
        assert(applied !== undefined, 'the marker names an attempt that was made')
        return applied.conclude()
      }
      // At first at once, on what the answer told. After a pause that is too old to win with: it is read anew.
      if (attempt !== undefined && hasConflicted) {
        await pause(this.context.driver.outside, conflicts.next())
        for (const key of keys) this.states.delete(key)
      }
      hasConflicted ||= attempt !== undefined
      attempt = undefined
    }
  }

  private nextAttempt(operations: readonly Operation[], attempts: Map<number, Attempt>): Attempt {
    const number = this.attemptNumber++
    if (!this.uncertain) attempts.clear()
    const open = operations.filter((operation) => !operation.isSettled)
    const attempt = new Attempt(number, open, this.states)
    attempts.set(number, attempt)
    return attempt
  }

  /** Sends the attempt, or the reads that the first one needs. */
  private async send(attempt: Attempt | undefined, keys: readonly Key[]): Promise<TransactionResult | SynodError> {
    if (attempt === undefined) return this.transact(readTransaction(this.markerKey, keys))
    const writesMarker = attempt.written.size > 0 || this.uncertain
    const marker = {
      key: this.markerKey,
      modRevision: this.markerRevision,
      leaseId: this.session.leaseId,
      next: { sequence: this.sequence, attempt: attempt.number },
    }
    this.isSending = writesMarker
    const reply = await this.transact(attemptTransaction(attempt, keys, this.states, marker, writesMarker))
    this.isSending = false
    if (writesMarker && reply instanceof SynodError && reply.outcome === 'unknown') this.uncertain = true
    return reply
  }

  private async transact(transaction: Transaction): Promise<TransactionResult | SynodError> {
    try {
      return await this.context.driver.transact(transaction)
    } catch (error) {
      if (error instanceof SynodError) return error
      return new SynodError('ENGINE_FAILED', 'the driver broke while it wrote', { outcome: 'unknown', cause: error })
    }
  }

  private learnWritten(attempt: Attempt, keys: readonly Key[], { revision }: TransactionResult): void {
    for (const [key, value] of attempt.written) this.learn(key, { modRevision: revision, value })
    if (attempt.written.size > 0 || this.uncertain) this.markerRevision = revision
    this.forgetLongestUnused(keys)
  }

  /** Takes in what {@link readTransaction} reads. `gone`: what the marker was to tell can no longer be told. */
  private learnRead(results: readonly OperationResult[], keys: readonly Key[]): Marker | 'gone' | undefined {
    const [markerEntry, ...entries] = results.map(entryOf)
    keys.forEach((key, index) => {
      this.learn(key, stateOf(entries[index]))
    })
    this.forgetLongestUnused(keys)
    const before = this.markerRevision
    this.markerRevision = markerEntry?.modRevision ?? 0
    if (markerEntry !== undefined) return decodeMarker(markerEntry.value)
    return this.uncertain && before !== 0 ? 'gone' : undefined
  }

  private learn(key: Key, state: KeyState): void {
    this.states.delete(key)
    this.states.set(key, state)
  }

  private forgetLongestUnused(inUse: readonly Key[]): void {
    assert(inUse.length <= statesKeptMax, 'the keys of a batch are known while it lasts')
    for (const key of this.states.keys()) {
      if (this.states.size <= statesKeptMax) return
      this.states.delete(key)
    }
  }

  private fail(operations: readonly Operation[], error: SynodError): void {
    for (const operation of operations) operation.fail(error)
  }

  /** Ends an operation before its time (I4). */
  private abandon(operation: Operation, error: SynodError): void {
    const exposed = (this.isSending || this.uncertain) && this.current.has(operation)
    operation.fail(exposed ? unsettledError(error) : error)
  }

  private expireAt(deadlineMs: number): void {
    if (deadlineMs >= this.expiryAtMs || deadlineMs === Number.POSITIVE_INFINITY) return
    this.expiryTimer?.cancel()
    this.expiryAtMs = deadlineMs
    const delayMs = Math.max(expiryGrainMs, deadlineMs - this.nowMs())
    this.expiryTimer = this.context.driver.outside.scheduler.setTimer(delayMs, () => this.expire())
  }

  private expire(): void {
    this.expiryAtMs = Number.POSITIVE_INFINITY
    const nowMs = this.nowMs()
    for (const operation of [...this.current, ...this.waiting]) {
      if (operation.isSettled) continue
      if (operation.deadlineMs <= nowMs) this.abandon(operation, expiredError())
      else this.expireAt(operation.deadlineMs)
    }
  }

  private nowMs(): number {
    return this.context.driver.outside.clock.monotonicMs()
  }
}

function entryOf(result: OperationResult): Entry | undefined {
  assert(result.type === 'get', 'these transactions read keys')
  return result.entry
}

/** A session's writers, by namespace. */
const writers = new WeakMap<Session, Map<Key, OnceWriter>>()

/** The one writer of `session`: two would not know of each other's markers. */
export function onceWriter(context: PlaneContext, session: Session): OnceWriter {
  const ofSession = writers.get(session) ?? new Map<Key, OnceWriter>()
  writers.set(session, ofSession)
  const writer = ofSession.get(context.namespace) ?? new OnceWriter(context, session)
  ofSession.set(context.namespace, writer)
  return writer
}
