import type { PlaneContext } from '../context.ts'
import type { CallOptions, Key } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import type { Session } from '../sessions/index.ts'
import { Backoff, mayPass, pause } from '../watching/index.ts'
import { onceWriter } from './once-writer.ts'
import type { Apply } from './operation.ts'
import { within } from './within.ts'

const timeoutMsDefault = 10_000

/**
 * Applies `apply` to the key once, under `session`, or, without one, under the shared session; what certainly was not
 * applied when that is lost is tried under the next. Default time: 10 s.
 */
export async function updateOnce<T>(
  context: PlaneContext,
  session: Session | undefined,
  key: Key,
  apply: Apply<T>,
  limits?: CallLimits,
): Promise<T> {
  const { clock } = context.driver.outside
  const { signal, deadlineMs = clock.monotonicMs() + timeoutMsDefault } = callOptions(context, limits)
  const options = { signal, deadlineMs }
  if (session !== undefined) return onceWriter(context, session).update(key, apply, options)
  const backoff = new Backoff(context.driver.outside)
  for (;;) {
    const shared = await sharedSession(context, options)
    try {
      return await onceWriter(context, shared).update(key, apply, options)
    } catch (error) {
      if (!isSafeToRepeat(error) || clock.monotonicMs() >= deadlineMs) throw error
    }
    // The engine may have ended a session that does not know it yet, and is still the shared one.
    await pause(context.driver.outside, backoff.next(), options)
  }
}

/** Whatever became of the session's lease, nothing of the operation was applied. */
async function sharedSession(context: PlaneContext, options: CallOptions): Promise<Session> {
  const { outside } = context.driver
  for (;;) {
    try {
      return await within(outside, context.sessions.shared({ signal: options.signal }), options)
    } catch (error) {
      const isOver = outside.clock.monotonicMs() >= options.deadlineMs!
      if (mayPass(error) && !isOver) continue
      if (!(error instanceof SynodError) || error.outcome === 'not-applied') throw error
      throw new SynodError(error.code, `there is no session to do this under: ${error.message}`, { cause: error })
    }
  }
}

function isSafeToRepeat(error: unknown): boolean {
  return error instanceof SynodError && error.code === 'SESSION_LOST' && error.outcome === 'not-applied'
}
