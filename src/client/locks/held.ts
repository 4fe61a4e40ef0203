/** What is held, and how it is asked for: the shapes that all kinds of locks share. */
import type { Session } from '../sessions/index.ts'

/** Something that this program holds until it lets go or its session ends. */
export interface Held {
  /**
   * Fires with a `LOCK_LOST` error when it is not held any more: the session ended, somebody deleted its key, or it was
   * released. It fires before others can hold it, as long as this process runs; one that stands still cannot notice,
   * and then only the fencing token stops its late writes.
   */
  readonly signal: AbortSignal
  /** Milliseconds for which it is held without another renewal, by the clock now; 0 when it is lost or released. */
  remainingMs(): number
  /**
   * Throws `LOCK_LOST` unless it is held, by the clock now. Synchronous: call it right before what must not happen
   * without the lock, and bring the fencing token along, because time passes on the way there.
   */
  assertHeld(): void
  /**
   * Lets go. Resolves once it certainly is let go, or the session is over, whatever answers are lost meanwhile. Repeated
   * calls do nothing more. Rejects when the engine refuses it for good (`PERMISSION_DENIED`, `CLOSED`): then it ends
   * with the session.
   */
  release(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A lock that nobody else holds. */
export interface HeldLock extends Held {
  readonly name: string
  /**
   * Rises with each grant of this lock. Hand it to whatever the lock protects, and let that refuse any token that is
   * lower than the highest it has seen.
   */
  readonly fencingToken: number
}

/** A read lock: other readers may hold it too, writers not. */
export interface HeldReadLock extends Held {
  readonly name: string
  /** The fencing token of the last writer before; 0 when there was none. */
  readonly generation: number
}

/** One permit of a semaphore. */
export interface HeldPermit extends Held {
  readonly name: string
  /** 0 to `permits - 1`. Nobody else holds the same slot. */
  readonly slot: number
  /** Rises with each grant of this slot. Guard what a slot protects by slot, for example as resource `NAME#SLOT`. */
  readonly fencingToken: number
}

/** Several locks, all of them held. `signal` fires as soon as one is lost. */
export interface HeldLocks extends Held {
  /** In order of their names. */
  readonly locks: readonly HeldLock[]
  /** The fencing token of each, by its name. */
  readonly tokens: Readonly<Record<string, number>>
}

/** On what a grant hangs, and what ends the attempt to get one. */
export interface TryOptions {
  /** What it hangs on. Default: the session given when the lock was made, or else the connection's shared one. */
  readonly session?: Session | undefined
  /** Gives up with `CANCELLED`. */
  readonly signal?: AbortSignal | undefined
}

/** How a lock, semaphore or leadership is waited for. */
export interface AcquireOptions extends TryOptions {
  /** How long to wait in milliseconds; then `TIMEOUT`. Default: until it is granted or the session ends. */
  readonly waitMs?: number | undefined
}

/** How all kinds of locks are taken. */
export interface Acquirable<H extends Held> {
  /**
   * Waits until it is granted. Grants are fair: in the order in which the requests reached the engine.
   *
   * Rejects with `TIMEOUT`, `CANCELLED`, `SESSION_LOST` (the session ended while waiting), or what the engine refuses for
   * good. After a rejection it is not held and its place in the line is given up.
   */
  acquire(options?: AcquireOptions): Promise<H>
  /** Takes it if it is free at once; otherwise `undefined`. */
  tryAcquire(options?: TryOptions): Promise<H | undefined>
  /**
   * Runs `work` while holding it, and lets go in any case. What `work` throws is thrown. When it was lost before `work`
   * ended well, rejects with `LOCK_LOST` (`outcome: 'unknown'`): part of the work may have been done without it.
   *
   * @example
   * await lock.run({ waitMs: 5_000 }, async (held) => {
   *   await ledger.post(entry, { fencingToken: held.fencingToken, signal: held.signal })
   * })
   */
  run<T>(options: AcquireOptions, work: (held: H) => T | Promise<T>): Promise<T>
}
