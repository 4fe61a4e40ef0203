/** The semaphore: so many slots, and a line of those who want one. `slot-request.ts` is how a slot is taken. */
import type { PlaneContext } from '../context.ts'
import type { Session } from '../sessions/index.ts'
import { createAcquirable } from './acquirable.ts'
import type { Acquirable, HeldPermit } from './held.ts'
import { SemaphoreKeys } from './semaphore-keys.ts'
import { SlotRequest } from './slot-request.ts'

/** So many at once, fairly. */
export type Semaphore = Acquirable<HeldPermit>

/** What may be said of a semaphore when it is made. */
export interface SemaphoreOptions {
  /** What grants hang on. Default: the connection's shared session. */
  readonly session?: Session | undefined
}

/**
 * A fair semaphore of `permits` (1 to 10 000) slots. At most so many sessions hold one, by the engine's order; a holder
 * that stands still is stopped by its slot's fencing token only. All programs name the same number, or the later ones are
 * refused with `CONFLICT`. Uncontended: two round trips where the engine lists inside transactions.
 *
 * @example
 * const exports = createSemaphore(context, 'exports', 3)
 * await exports.run({ waitMs: 60_000 }, async (permit) => runExport({ signal: permit.signal }))
 */
export function createSemaphore(
  context: PlaneContext,
  name: string,
  permits: number,
  options: SemaphoreOptions = {},
): Semaphore {
  const keys = new SemaphoreKeys(context, name, permits)
  return createAcquirable({
    context,
    kind: 'semaphore',
    name,
    session: options.session,
    grant: (request) => new SlotRequest(context, keys, request).grant(),
  })
}
