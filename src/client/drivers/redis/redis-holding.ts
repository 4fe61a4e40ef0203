/**
 * A slot that is held.
 *
 * - I1  `controller` is aborted exactly when it is not held any more, and before Redis is asked to let it go.
 * - I2  While it is not, it is among the plane's holds: each renewal of its session looks whether it is still there.
 */
import type { CallOptions } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { Held, HeldPermit } from '../../locks/index.ts'
import type { Session } from '../../sessions/index.ts'
import type { Hold, Holds } from './holds.ts'
import type { Claim, Line } from './line.ts'

export interface HoldingParts {
  readonly name: string
  /** As errors call it: `lock "x"`. */
  readonly what: string
  readonly session: Session
  readonly line: Line
  readonly claim: Claim
  readonly holds: Holds
  readonly slot: number
  readonly fencingToken: number
}

export class RedisHolding implements Held, Hold, HeldPermit {
  readonly name: string
  readonly slot: number
  readonly fencingToken: number
  private readonly parts: HoldingParts
  private readonly controller = new AbortController()
  private released: Promise<void> | undefined

  constructor(parts: HoldingParts) {
    this.parts = parts
    this.name = parts.name
    this.slot = parts.slot
    this.fencingToken = parts.fencingToken
    parts.holds.add(parts.session.leaseId, this)
    parts.session.signal.addEventListener('abort', this.onSessionOver, { once: true })
    if (parts.session.signal.aborted) this.onSessionOver()
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
    const { session, line, claim, what } = this.parts
    this.end(`${what} is not held any more: this program released it`)
    if (session.signal.aborted) return Promise.resolve()
    const limits = { signal: session.signal, deadlineMs: Number.POSITIVE_INFINITY }
    this.released ??= line.leave(claim, limits).catch((error: unknown) => {
      this.released = undefined
      if (!session.signal.aborted) throw error
    })
    return this.released
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  async check(options: CallOptions): Promise<void> {
    const { line, claim, slot, what } = this.parts
    try {
      if (await line.isHeld(claim, slot, options)) return
    } catch {
      // Out of reach: the session tells when that lasts too long.
      return
    }
    this.end(`${what} is not held any more: it was deleted from Redis, or Redis lost it; stop the work under it`)
  }

  passOn(options: CallOptions): Promise<void> {
    return this.parts.line.settle(this.parts.claim, options)
  }

  private readonly onSessionOver = (): void => {
    // It stays among the holds until the session has ended on Redis too, and is passed on then.
    this.controller.abort(this.sessionOverError())
  }

  private sessionOverError(): SynodError {
    const { session, what } = this.parts
    const message = `${what} is not held any more, because its session ended; stop the work under it and acquire it anew`
    return new SynodError('LOCK_LOST', message, { cause: session.signal.reason })
  }

  private end(message: string): void {
    if (this.signal.aborted) return
    const { session, holds } = this.parts
    session.signal.removeEventListener('abort', this.onSessionOver)
    holds.remove(session.leaseId, this)
    this.controller.abort(new SynodError('LOCK_LOST', message))
  }
}
