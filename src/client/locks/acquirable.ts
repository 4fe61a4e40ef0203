/** The three ways of taking any kind of lock, made of one: a grant that waits or does not. */
import type { PlaneContext } from '../context.ts'
import type { CallOptions, Driver } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { endingWith, lastingAsLongAs } from '../turns/index.ts'
import type { Acquirable, AcquireOptions, Held, TryOptions } from './held.ts'

/** What a grant is made with. */
export interface GrantRequest {
  readonly session: Session
  /** The caller's, and the session's end. */
  readonly limits: CallOptions
  /** Whether to wait for others; otherwise the grant is `undefined` when there are any. */
  readonly waits: boolean
}

/** What is needed of a plane to take locks on it, whatever they are made of. */
export interface AcquirableContext extends Pick<PlaneContext, 'sessions' | 'tracing'> {
  readonly driver: Pick<Driver, 'outside'>
}

export interface AcquirableParts<H extends Held> {
  readonly context: AcquirableContext
  /** As spans and errors call it: `lock`. */
  readonly kind: string
  readonly name: string
  readonly session: Session | undefined
  /** Either holds, or has left nothing behind that would not go by itself. */
  grant(request: GrantRequest): Promise<H | undefined>
}

const waitMsMax = 2 ** 40

export function createAcquirable<H extends Held>(parts: AcquirableParts<H>): Acquirable<H> {
  const acquire = (options: AcquireOptions = {}): Promise<H> =>
    traced(parts, 'acquire', async () => {
      const deadlineMs = deadlineOf(parts, options.waitMs)
      const held = await granted(parts, options, options.waitMs !== 0, deadlineMs)
      if (held === undefined) throw timeoutError(parts, 0)
      return held
    })
  return {
    acquire,
    tryAcquire: (options = {}) =>
      traced(parts, 'try_acquire', () => granted(parts, options, false, Number.POSITIVE_INFINITY)),
    run: async (options, work) => runHolding(await acquire(options), work),
  }
}

/** Runs `work` and lets go of `held` in any case. See {@link Acquirable.run}. */
async function runHolding<H extends Held, T>(held: H, work: (held: H) => T | Promise<T>): Promise<T> {
  let result: T
  try {
    result = await work(held)
    assertWasHeld(held)
  } catch (error) {
    // What went wrong first is what the caller must hear of; the key ends with the session at the latest.
    await held.release().catch(() => {})
    throw error
  }
  await held.release()
  return result
}

function assertWasHeld(held: Held): void {
  try {
    held.assertHeld()
  } catch (error) {
    const { message } = error as SynodError
    const details = { cause: error, outcome: 'unknown' } as const
    throw new SynodError('LOCK_LOST', `the work ended, but not all of it under the lock: ${message}`, details)
  }
}

async function granted<H extends Held>(
  parts: AcquirableParts<H>,
  options: TryOptions & { readonly waitMs?: number | undefined },
  waits: boolean,
  deadlineMs: number,
): Promise<H | undefined> {
  const { context } = parts
  const own: CallOptions = { signal: options.signal, deadlineMs }
  try {
    const given = options.session ?? parts.session
    const session = given ?? (await context.sessions.shared(own))
    session.assertAlive()
    return await endingWith(session, own, async () => {
      const held = await parts.grant({ session, limits: lastingAsLongAs(session, own), waits })
      try {
        // The answer may have taken so long that the session ended meanwhile.
        held?.assertHeld()
      } catch (error) {
        // Of several locks only one may be lost: nothing is left behind of the others.
        held?.release().catch(() => {})
        throw error
      }
      return held
    })
  } catch (error) {
    throw toldOf(parts, options, deadlineMs, error)
  }
}

/** Nothing is held after a rejection, and what may be left of the attempt is being deleted: so no fate is unknown. */
function toldOf<H extends Held>(
  parts: AcquirableParts<H>,
  options: AcquireOptions,
  deadlineMs: number,
  error: unknown,
): unknown {
  const { clock } = parts.context.driver.outside
  const code = error instanceof SynodError ? error.code : undefined
  if (code === 'CANCELLED' && options.signal?.aborted === true) {
    const message = `${described(parts)} was not acquired: the signal of the call fired`
    return new SynodError('CANCELLED', message, { cause: options.signal.reason })
  }
  if (code === 'TIMEOUT' && clock.monotonicMs() >= deadlineMs) return timeoutError(parts, options.waitMs ?? 0, error)
  if (!(error instanceof SynodError) || error.outcome === 'not-applied') return error
  const message = `${described(parts)} was not acquired: ${error.message}`
  return new SynodError(error.code, message, { retryable: error.retryable, cause: error })
}

function timeoutError<H extends Held>(parts: AcquirableParts<H>, waitMs: number, cause?: unknown): SynodError {
  const message = `${described(parts)} was not free within ${waitMs} ms; wait longer, or find out who holds it`
  return new SynodError('TIMEOUT', message, { cause })
}

function deadlineOf<H extends Held>(parts: AcquirableParts<H>, waitMs: number | undefined): number {
  if (waitMs === undefined || waitMs === 0) return Number.POSITIVE_INFINITY
  if (!(waitMs > 0 && waitMs <= waitMsMax))
    throw new SynodError('INVALID_ARGUMENT', `waitMs is ${waitMs}; give milliseconds from 0, or nothing to wait on`)
  return parts.context.driver.outside.clock.monotonicMs() + waitMs
}

function described<H extends Held>(parts: Pick<AcquirableParts<H>, 'kind' | 'name'>): string {
  return `${parts.kind} ${JSON.stringify(parts.name)}`
}

function traced<H extends Held, T>(parts: AcquirableParts<H>, verb: string, work: () => Promise<T>): Promise<T> {
  const span = `${parts.kind.replaceAll(' ', '_')}.${verb}`
  return parts.context.tracing.span(span, { 'synod.name': parts.name }, work)
}
