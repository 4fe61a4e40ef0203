/**
 * One call of the driver: its attempts, and how it ends.
 *
 * - K1  It ends once: by an answer, by its signal, by its deadline, or with the driver (D3).
 * - K2  A write is attempted again only after a refusal that says that it was not carried out (D1).
 * - K3  The attempt that a call ended before may still answer; that answer is dropped.
 */
import type { Failure } from '../../../engine/coordination/index.ts'
import type { RunningNode } from '../../../node/index.ts'
import type { Clock, Scheduler, Timer } from '../../../runtime/index.ts'
import type { CallOptions } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import { errorOf, isPassing } from './errors.ts'

/** `harmless`: reads, and what may be done twice. `write`: what must not. */
export type CallKind = 'harmless' | 'write'
export type Answer<T> = { readonly ok: true; readonly value: T } | Failure

/** Asks a node. `settle` is called once. */
export type Attempt<T> = (node: RunningNode, settle: (answer: Answer<T>) => void) => void

/** What calls are made on. */
export interface CallGround {
  readonly clock: Clock
  readonly scheduler: Scheduler
  serving(): RunningNode | undefined
  avoid(node: RunningNode): void
  /** Those under way. */
  readonly calls: Set<{ end(reason: EndReason): void }>
}

/** Makes the error that ends a call, which by then may have taken effect or certainly did not. */
export type EndReason = (outcome: 'not-applied' | 'unknown') => SynodError

/** Between two attempts while there is no leader, or no node. */
const retryMs = 10

export function call<T>(
  ground: CallGround,
  kind: CallKind,
  options: CallOptions,
  deadlineMs: number,
  attempt: Attempt<T>,
): Promise<T> {
  return new Promise((resolve, reject) => new Call(ground, kind, options, deadlineMs, attempt, resolve, reject).begin())
}

class Call<T> {
  private readonly ground: CallGround
  private readonly kind: CallKind
  private readonly signal: AbortSignal | undefined
  private readonly deadlineMs: number
  private readonly attempt: Attempt<T>
  private readonly resolve: (value: T) => void
  private readonly reject: (error: SynodError) => void
  private over = false
  /** An attempt is under way whose effect the caller could not undo. */
  private atRisk = false
  private deadlineTimer: Timer | undefined
  private retryTimer: Timer | undefined

  constructor(
    ground: CallGround,
    kind: CallKind,
    { signal }: CallOptions,
    deadlineMs: number,
    attempt: Attempt<T>,
    resolve: (value: T) => void,
    reject: (error: SynodError) => void,
  ) {
    this.ground = ground
    this.kind = kind
    this.signal = signal
    this.deadlineMs = deadlineMs
    this.attempt = attempt
    this.resolve = resolve
    this.reject = reject
  }

  begin(): void {
    const { signal, ground } = this
    if (signal?.aborted === true) return this.end(cancelled(signal))
    const remainingMs = this.deadlineMs - ground.clock.monotonicMs()
    if (remainingMs <= 0) return this.end(timedOut)
    ground.calls.add(this)
    signal?.addEventListener('abort', this.onAbort)
    this.deadlineTimer = ground.scheduler.setTimer(remainingMs, () => this.end(timedOut))
    this.next()
  }

  end(reason: EndReason): void {
    if (this.over) return
    this.finish()
    this.reject(reason(this.atRisk ? 'unknown' : 'not-applied'))
  }

  private readonly onAbort = (): void => this.end(cancelled(this.signal!))

  private next(): void {
    if (this.over) return
    const node = this.ground.serving()
    if (node === undefined) {
      this.again()
      return
    }
    this.atRisk = this.kind === 'write'
    this.attempt(node, (answer) => {
      // A node that gives up answers before it says why: the driver then ends the call with the reason.
      if (!answer.ok && answer.code === 'STOPPED') this.ground.scheduler.endOfTurn(() => this.settle(node, answer))
      else this.settle(node, answer)
    })
  }

  private settle(node: RunningNode, answer: Answer<T>): void {
    if (this.over) return
    this.atRisk = false
    if (answer.ok) {
      this.finish()
      this.resolve(answer.value)
    } else if (isPassing(answer) && (this.kind === 'harmless' || answer.outcome === 'not-applied')) {
      this.ground.avoid(node)
      this.again()
    } else {
      this.finish()
      this.reject(errorOf(this.kind === 'harmless' ? { ...answer, outcome: 'not-applied' } : answer))
    }
  }

  private again(): void {
    this.retryTimer = this.ground.scheduler.setTimer(retryMs, () => this.next())
  }

  private finish(): void {
    this.over = true
    this.ground.calls.delete(this)
    this.deadlineTimer?.cancel()
    this.retryTimer?.cancel()
    this.signal?.removeEventListener('abort', this.onAbort)
  }
}

const timedOut: EndReason = (outcome) =>
  new SynodError(
    'TIMEOUT',
    outcome === 'unknown'
      ? 'the deadline passed before the engine answered: the write may have been carried out, or may yet be'
      : 'the deadline passed before the engine answered: try again, with more time',
    { outcome },
  )

function cancelled(signal: AbortSignal): EndReason {
  return (outcome) =>
    new SynodError(
      'CANCELLED',
      outcome === 'unknown'
        ? 'the call was cancelled by its signal; the write may have been carried out, or may yet be'
        : 'the call was cancelled by its signal',
      { outcome, cause: signal.reason },
    )
}
