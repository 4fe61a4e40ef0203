/**
 * Something held: watches over the key it stands on, and lets go of it. Made at the grant; the kinds of locks add their
 * names and tokens.
 *
 * - I1  `controller` is aborted exactly when it is not held any more, and before the engine is asked to delete the key:
 *       work that follows the signal stops before the next one begins.
 * - I2  Until then `overseer` is set or the key is being watched.
 */
import type { Timer } from '../../runtime/index.ts'
import type { Driver, Key, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { awaitGone } from '../watching/index.ts'
import type { Held } from './held.ts'

/** What is let go sooner than this is not worth a watch on its key. */
const overseeAfterMs = 500

export interface HoldingParts {
  readonly driver: Driver
  /** As errors call it: `lock "x"`. */
  readonly what: string
  readonly session: Session
  /** It is held as long as this key is there, as `createRevision` made it. */
  readonly key: Key
  readonly createRevision: Revision
  /** Deletes the key for certain, or sees the session end. */
  readonly letGo: () => Promise<void>
}

export class Holding implements Held {
  private readonly parts: HoldingParts
  private readonly controller = new AbortController()
  private overseer: Timer | undefined
  private released: Promise<void> | undefined

  constructor(parts: HoldingParts) {
    this.parts = parts
    const { session, driver } = parts
    session.signal.addEventListener('abort', this.onSessionOver, { once: true })
    this.overseer = driver.outside.scheduler.setTimer(overseeAfterMs, () => {
      void this.oversee()
    })
    if (session.signal.aborted) this.onSessionOver()
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  remainingMs(): number {
    return this.signal.aborted ? 0 : this.parts.session.remainingMs()
  }

  assertHeld(): void {
    this.signal.throwIfAborted()
    if (this.parts.session.remainingMs() <= 0) throw this.sessionOverError()
  }

  release(): Promise<void> {
    const { session, what } = this.parts
    this.end(new SynodError('LOCK_LOST', `${what} is not held any more: this program released it`))
    if (session.signal.aborted) return Promise.resolve()
    this.released ??= this.parts.letGo().catch((error: unknown) => {
      this.released = undefined
      if (!session.signal.aborted) throw error
    })
    return this.released
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  private readonly onSessionOver = (): void => this.end(this.sessionOverError())

  private sessionOverError(): SynodError {
    const { session, what } = this.parts
    const message = `${what} is not held any more, because its session ended; stop the work under it and acquire it anew`
    return new SynodError('LOCK_LOST', message, { cause: session.signal.reason })
  }

  private end(reason: SynodError): void {
    if (this.signal.aborted) return
    this.overseer?.cancel()
    this.parts.session.signal.removeEventListener('abort', this.onSessionOver)
    this.controller.abort(reason)
  }

  /** An operator may have deleted the key, or the engine ended the lease before its time. */
  private async oversee(): Promise<void> {
    const { driver, key, createRevision, what } = this.parts
    try {
      await awaitGone(driver, key, createRevision, { signal: this.signal })
    } catch {
      // Released meanwhile, or not allowed to look: the session tells the rest.
      return
    }
    this.end(new SynodError('LOCK_LOST', `${what} is not held any more: its key was deleted; stop the work under it`))
  }
}
