/**
 * One call of the driver's caller: its deadline, its signal, and what is known of its write.
 *
 * - C1  `run` settles at the first of: the work's own end, the deadline, the signal, the driver's close. The work may go
 *       on for a while, but nobody hears of it.
 * - C2  `writeUnderWay` is true from before a write is handed to a connection until its fate is known.
 */
import type { Scheduler, Timer } from '../../../runtime/index.ts'
import type { CallOptions, ClientRuntime } from '../../driver/index.ts'
import { type Outcome, SynodError } from '../../errors.ts'
import { driverClosed } from './errors.ts'

/** What work is told about the call it is for. */
export class Call {
  readonly deadlineMs: number
  readonly outside: ClientRuntime
  /** C2. */
  writeUnderWay = false
  #failure: SynodError | undefined
  #onEnd: (() => void)[] = []

  constructor(deadlineMs: number, outside: ClientRuntime) {
    this.deadlineMs = deadlineMs
    this.outside = outside
  }

  get remainingMs(): number {
    return Math.max(0, this.deadlineMs - this.outside.clock.monotonicMs())
  }

  /** Throws once nobody waits any more: for loops. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  get hasEnded(): boolean {
    return this.#failure !== undefined
  }

  /** Runs `callback` when the call ends early; at once when it has. */
  onEnd(callback: () => void): void {
    if (this.hasEnded) callback()
    else this.#onEnd.push(callback)
  }

  end(failure: SynodError): void {
    this.#failure = failure
    for (const callback of this.#onEnd.splice(0)) callback()
  }

  pause(delayMs: number): Promise<void> {
    return pause(this.outside.scheduler, delayMs)
  }
}

export function pause(scheduler: Scheduler, delayMs: number): Promise<void> {
  return new Promise((resolve) => scheduler.setTimer(delayMs, resolve))
}

/** Makes calls that end with the driver. */
export class Calls {
  readonly #outside: ClientRuntime
  readonly #requestTimeoutMs: number
  readonly #underWay = new Set<() => void>()
  #closed = false

  constructor(outside: ClientRuntime, requestTimeoutMs: number) {
    this.#outside = outside
    this.#requestTimeoutMs = requestTimeoutMs
  }

  /** `what` completes "could not … in time". */
  run<T>(options: CallOptions | undefined, what: string, work: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(driverClosed())
    const signal = options?.signal
    if (signal?.aborted) return Promise.reject(cancelled(what, false, signal.reason))
    const now = this.#outside.clock.monotonicMs()
    const call = new Call(options?.deadlineMs ?? now + this.#requestTimeoutMs, this.#outside)
    if (call.deadlineMs <= now) return Promise.reject(timedOut(what, false))
    return new Promise<T>((resolve, reject) => {
      let timer: Timer | undefined
      const settle = (): void => {
        timer?.cancel()
        signal?.removeEventListener('abort', onAbort)
        this.#underWay.delete(closing)
      }
      const fail = (failure: SynodError): void => {
        settle()
        call.end(failure)
        reject(failure)
      }
      const onAbort = (): void => fail(cancelled(what, call.writeUnderWay, signal?.reason))
      signal?.addEventListener('abort', onAbort)
      const closing = (): void => fail(driverClosed(outcomeOf(call.writeUnderWay)))
      this.#underWay.add(closing)
      timer = this.#outside.scheduler.setTimer(call.deadlineMs - now, () => fail(timedOut(what, call.writeUnderWay)))
      work(call).then(
        (result) => {
          settle()
          resolve(result)
        },
        (error: unknown) => {
          settle()
          reject(error)
        },
      )
    })
  }

  close(): void {
    this.#closed = true
    for (const end of [...this.#underWay]) end()
  }
}

function outcomeOf(writeUnderWay: boolean): Outcome {
  return writeUnderWay ? 'unknown' : 'not-applied'
}

function timedOut(what: string, writeUnderWay: boolean): SynodError {
  return new SynodError(
    'TIMEOUT',
    `could not ${what} in time: no server of the ensemble answered before the deadline`,
    {
      outcome: outcomeOf(writeUnderWay),
    },
  )
}

function cancelled(what: string, writeUnderWay: boolean, cause: unknown): SynodError {
  return new SynodError('CANCELLED', `the signal fired before it could ${what}`, {
    outcome: outcomeOf(writeUnderWay),
    cause,
  })
}
