import type { PlaneContext } from '../context.ts'
import { cancelledError } from '../limits.ts'
import { Backoff, pause } from '../watching/index.ts'
import type { CampaignOptions, Election } from './election.ts'
import type { Leadership } from './leadership.ts'

/** How {@link Election.runWhileLeader} stands. */
export interface RunWhileLeaderOptions extends Omit<CampaignOptions, 'waitMs'> {
  /**
   * Ends it all: the candidacy is taken back or leadership resigned, `leadership.signal` fires, `work` is waited for, and
   * the call rejects with `CANCELLED`.
   */
  readonly signal?: AbortSignal | undefined
}

/** What the loop goes by: leadership ended with a result, with a failure of the work, or was lost. */
type Reign<T> = { readonly ended: 'done'; readonly result: T } | { readonly ended: 'lost' }

/** Campaigns, runs `work`, and campaigns again as long as leadership is lost before `work` is done. */
export async function runWhileLeader<T>(
  context: PlaneContext,
  election: Election,
  options: RunWhileLeaderOptions,
  work: (leadership: Leadership) => Promise<T> | T,
): Promise<T> {
  const { logger } = context.driver.outside
  for (;;) {
    const leadership = await campaignPersistently(context, election, options)
    const reign = await reignWith(leadership, options.signal, work, (error) =>
      logger.warn('work that leadership was lost under failed', { election: election.name, cause: String(error) }),
    )
    if (reign.ended === 'done') return reign.result
    if (options.signal?.aborted === true) throw cancelledError(options.signal)
    // A session that the caller brought is over with the leadership: campaign says so.
    logger.info('leadership was lost; standing again', { election: election.name })
  }
}

/** A session that is shared is made anew after a loss; one that the caller brought is not. */
async function campaignPersistently(
  context: PlaneContext,
  election: Election,
  options: RunWhileLeaderOptions,
): Promise<Leadership> {
  const { outside } = context.driver
  const backoff = new Backoff(outside)
  for (;;) {
    try {
      return await election.campaign(options)
    } catch (error) {
      const { code } = error as { code?: unknown }
      const again = code === 'NOT_LEADER' || (code === 'SESSION_LOST' && options.session === undefined)
      if (!again) throw error
    }
    // The engine may have ended a session that does not know it yet, and is still the shared one.
    await pause(outside, backoff.next(), { signal: options.signal })
  }
}

async function reignWith<T>(
  leadership: Leadership,
  signal: AbortSignal | undefined,
  work: (leadership: Leadership) => Promise<T> | T,
  onLateError: (error: unknown) => void,
): Promise<Reign<T>> {
  const onAbort = (): void => {
    // Fires `leadership.signal` at once; the deletion is waited for below.
    leadership.resign().catch(() => {})
  }
  if (signal?.aborted === true) onAbort()
  else signal?.addEventListener('abort', onAbort)
  try {
    if (leadership.signal.aborted) return { ended: 'lost' }
    const result = await work(leadership)
    if (leadership.remainingMs() > 0) return { ended: 'done', result }
    return { ended: 'lost' }
  } catch (error) {
    if (leadership.remainingMs() > 0) throw error
    onLateError(error)
    return { ended: 'lost' }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    await leadership.resign()
  }
}
