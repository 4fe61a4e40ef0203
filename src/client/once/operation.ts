/**
 * One operation that waits for its result: what it makes of its key, and how its caller hears of the end.
 *
 * - I1  It is settled exactly once. Once settled it is in no attempt that is sent from then on.
 */
import type { Key } from '../driver/index.ts'

/** What an operation makes of the state of its key. Without `value` the key stays as it is. */
export interface Step<T> {
  readonly value?: Uint8Array
  readonly result: T
}

/**
 * Computes the step from the key's value, `undefined` when it is not there. Runs again for each attempt, so it must have
 * no effects; what it throws is the operation's end.
 */
export type Apply<T> = (current: Uint8Array | undefined) => Step<T>

export class Operation {
  readonly key: Key
  readonly apply: Apply<unknown>
  /** On the monotonic clock. */
  readonly deadlineMs: number
  private readonly resolve: (result: unknown) => void
  private readonly reject: (error: unknown) => void
  private unlisten: () => void = () => {}
  private settled = false

  constructor(
    key: Key,
    apply: Apply<unknown>,
    deadlineMs: number,
    settle: { resolve: (result: unknown) => void; reject: (error: unknown) => void },
  ) {
    this.key = key
    this.apply = apply
    this.deadlineMs = deadlineMs
    this.resolve = settle.resolve
    this.reject = settle.reject
  }

  get isSettled(): boolean {
    return this.settled
  }

  /** Calls `onAbort` when `signal` fires before this is settled. */
  listen(signal: AbortSignal, onAbort: () => void): void {
    signal.addEventListener('abort', onAbort, { once: true })
    this.unlisten = () => signal.removeEventListener('abort', onAbort)
  }

  succeed(result: unknown): void {
    if (this.end()) this.resolve(result)
  }

  fail(error: unknown): void {
    if (this.end()) this.reject(error)
  }

  private end(): boolean {
    if (this.settled) return false
    this.settled = true
    this.unlisten()
    return true
  }
}
