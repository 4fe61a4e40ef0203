/** How a slot is waited for. */
import { SynodError } from '../../errors.ts'
import type { AcquirableContext, GrantRequest } from '../../locks/index.ts'
import type { Bell } from '../../watching/index.ts'
import type { Holds } from './holds.ts'
import type { Claim, Line, LineAnswer } from './line.ts'
import { RedisHolding } from './redis-holding.ts'
import type { Wakes } from './wakes.ts'

/** At the latest then a waiter looks again, for a message that was lost. */
const lookAgainMsMax = 2_000
/** After the moment at which a session could have ended. */
const lookAgainMsMin = 5

/** What locks and semaphores of a plane share. */
export interface GrantContext extends AcquirableContext {
  readonly wakes: Wakes
  readonly holds: Holds
  /** Unique among all requests of all planes: `PLANE.NUMBER`. */
  newRequest(): string
}

export interface GrantParts {
  readonly context: GrantContext
  readonly line: Line
  readonly name: string
  readonly what: string
  readonly delayMs: number
}

export async function grantSlot(parts: GrantParts, request: GrantRequest): Promise<RedisHolding | undefined> {
  const { context, line, name, what, delayMs } = parts
  const { session, limits, waits } = request
  const claim: Claim = { leaseId: session.leaseId, request: context.newRequest(), delayMs }
  const bell = waits ? context.wakes.listen(claim.request) : undefined
  try {
    let answer = await line.enter(claim, waits, limits)
    while (answer.state === 'waiting') {
      await heardOrDue(context, bell!, answer, request)
      answer = await line.enter(claim, waits, limits)
    }
    if (answer.state === 'busy') return undefined
    const { slot, fencingToken } = answer
    return new RedisHolding({ name, what, session, line, claim, holds: context.holds, slot, fencingToken })
  } catch (error) {
    const untilOver = { signal: session.signal, deadlineMs: Number.POSITIVE_INFINITY }
    line.leave(claim, untilOver).catch(() => {})
    throw error
  } finally {
    context.wakes.forget(claim.request)
  }
}

/** Until the plane is told, or there may be something that nobody tells. */
async function heardOrDue(
  { driver }: GrantContext,
  bell: Bell,
  { lookAgainInMs }: LineAnswer & { state: 'waiting' },
  { limits }: GrantRequest,
): Promise<void> {
  const nowMs = driver.outside.clock.monotonicMs()
  const dueMs = nowMs + Math.min(lookAgainMsMax, Math.max(lookAgainMsMin, lookAgainInMs))
  const { deadlineMs = Number.POSITIVE_INFINITY } = limits
  try {
    await bell.heard(driver.outside, { signal: limits.signal, deadlineMs: Math.min(dueMs, deadlineMs) })
  } catch (error) {
    const isDue = error instanceof SynodError && error.code === 'TIMEOUT' && dueMs < deadlineMs
    if (!isDue) throw error
  }
}
