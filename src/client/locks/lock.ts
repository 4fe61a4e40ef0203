/** The mutex: first in line holds it, with createRevision and the floor as its token. */
import { type PlaneContext, roomKey } from '../context.ts'
import type { Key } from '../driver/index.ts'
import type { Session } from '../sessions/index.ts'
import { type AcquirableParts, createAcquirable, type GrantRequest } from './acquirable.ts'
import type { Acquirable, HeldLock } from './held.ts'
import { checkedLockDelayMs, type DelayParts, leaveWithMarker, leaveWithMarkerLater, passDelay } from './lock-delay.ts'
import { LockHolding } from './lock-holding.ts'
import { entryAt } from './read-together.ts'
import { tokenFloorKey, tokenIn } from './token-floor.ts'
import { PlaceInLine } from './waiting-line.ts'

/** A fair mutex over all processes that use its name. */
export type Lock = Acquirable<HeldLock>

/** What may be said of a lock when it is made. */
export interface LockOptions {
  /** What grants hang on. Default: the connection's shared session. */
  readonly session?: Session | undefined
  /**
   * For how long the lock stays taken after this holder's session ended without a release, in milliseconds up to
   * 60 000 (Chubby §2.4). For resources that cannot check fencing tokens. Costs a round trip more. Default 0.
   */
  readonly lockDelayMs?: number | undefined
}

/**
 * A fair mutex. At most one session holds it by the engine's order; a holder that stands still past its session cannot
 * know that it lost it, which is why every grant carries a fencing token. Uncontended: one round trip where the engine
 * lists inside transactions. A release wakes one waiter.
 *
 * @example
 * await using held = await createLock(context, 'invoice/42').acquire({ waitMs: 5_000 })
 * await ledger.post(entry, { fencingToken: held.fencingToken, signal: held.signal })
 */
export function createLock(context: PlaneContext, name: string, options: LockOptions = {}): Lock {
  return createAcquirable(lockParts(context, name, options))
}

/** What {@link createLock} makes a lock of. */
export function lockParts(context: PlaneContext, name: string, options: LockOptions): AcquirableParts<HeldLock> {
  const delayMs = checkedLockDelayMs(options.lockDelayMs ?? 0)
  const markerKey = roomKey(context, 'locks', name, 'holder')
  return {
    context,
    kind: 'lock',
    name,
    session: options.session,
    grant: (request) => grantLock(context, name, { markerKey, delayMs }, request),
  }
}

const floorAt = 0
const markerAt = 1

async function grantLock(
  context: PlaneContext,
  name: string,
  delay: { readonly markerKey: Key; readonly delayMs: number },
  { session, limits, waits }: GrantRequest,
): Promise<HeldLock | undefined> {
  const { driver } = context
  const what = `lock ${JSON.stringify(name)}`
  const reads = [
    { type: 'get', key: tokenFloorKey(context) },
    { type: 'get', key: delay.markerKey },
  ] as const
  const place = new PlaceInLine({ context, room: 'locks', name, session, what, reads })
  const parts: DelayParts = { driver, place, markerAt, ...delay }
  // Who only tries disturbs nobody's turn when it is taken.
  try {
    if (!waits && (await place.look(limits)).line.length > 0) {
      place.leaveLater()
      return undefined
    }
    await place.enter(limits)
    if (!waits && place.ahead() !== 'first') {
      place.leaveLater()
      return undefined
    }
    const { results } = await place.awaitFirst(limits)
    if (!(await passDelay(parts, limits, waits, results))) {
      place.leaveLater()
      return undefined
    }
    const { key, createRevision } = place
    const fencingToken = tokenIn(entryAt(results, floorAt)) + createRevision
    const letGo = () => (delay.delayMs > 0 ? leaveWithMarker(parts, session.signal) : place.leave())
    return new LockHolding({ driver, what, session, key, createRevision, letGo }, name, fencingToken)
  } catch (error) {
    leaveWithMarkerLater(parts, session.signal)
    throw error
  }
}
