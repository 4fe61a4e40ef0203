/**
 * A session: the proof, renewed by one heartbeat, that this process is alive. Locks, candidacies, registrations and
 * once-markers hang on it and end with it.
 *
 * - S1  The local deadline counts from when the last renewal that succeeded was **sent**, on the monotonic clock, less a
 *       margin for drift: it passes before the engine may give anything of this session to others.
 * - S2  Once lost, a session stays lost, whatever the engine says later.
 * - S3  `signal` fires at the first turn of the loop after the deadline. A process that stands still cannot notice: only
 *       the fencing token stops its late writes.
 */
import type { CallOptions, Driver, LeaseId } from '../driver/index.ts'

/** What sessions take of a driver. */
export type LeaseDriver = Pick<Driver, 'outside' | 'grantLease' | 'renewLease' | 'revokeLease'>

/**
 * `jeopardy`: half of the time has passed without a renewal (Chubby §2.8). `recovered`: a renewal succeeded before the
 * deadline after all. `lost`: it is over.
 */
export type SessionEvent = 'jeopardy' | 'recovered' | 'lost'

/**
 * What locks, leaderships, memberships and ephemeral keys hang on: renewed in the background while this process
 * lives, and over for good once the engine has not heard of it for its time to live.
 */
export interface Session {
  /** Unique for all time in this engine. */
  readonly id: string
  readonly leaseId: LeaseId
  /** Fires with a `SESSION_LOST` error when the session is over, also when it was closed here. */
  readonly signal: AbortSignal
  /** Milliseconds until the local deadline, by the clock now; 0 when lost. */
  remainingMs(): number
  /** Throws `SESSION_LOST` once the deadline has passed, by the clock now. */
  assertAlive(): void
  on(event: SessionEvent, listener: () => void): () => void
  /** Ends it and everything that hangs on it. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** How a session is opened. */
export interface SessionOptions {
  /** How long the engine waits for a renewal before it ends the session. Default 10 000; at least 1 000. */
  readonly ttlMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Sessions {
  /**
   * The session that everything shares which brings none of its own: made when first needed, and anew after a loss. The
   * options limit this wait; what others wait for too goes on.
   */
  shared(options?: CallOptions): Promise<Session>
  open(options?: SessionOptions): Promise<Session>
  /**
   * Closes all, and refuses more. Resolves when the engine has ended them, or after some seconds in which it could not be
   * reached: then they end there by themselves.
   */
  close(): Promise<void>
}
