/**
 * Several locks at once: taken one after the other in the order of their names, so that no two who want some of the same
 * wait for each other in a circle. When one cannot be had, those before it are let go.
 */
import type { PlaneContext } from '../context.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { createAcquirable, type GrantRequest } from './acquirable.ts'
import type { Acquirable, Held, HeldLock, HeldLocks } from './held.ts'
import { type LockOptions, lockParts } from './lock.ts'

/** All of several locks, or none. */
export type MultiLock = Acquirable<HeldLocks>

const namesMax = 1_000

/** What may be said of several locks that are taken as one. */
export interface MultiLockOptions {
  /** What grants hang on. Default: the connection's shared session. All locks of one grant hang on the same. */
  readonly session?: Session | undefined
}

/**
 * A lock over all of `names` (1 to 1 000, repetitions counted once), all or nothing: they are the mutexes of
 * `createLock`, and exclude whoever takes one of them alone. The locks that it already has are held while it waits for
 * the next one.
 *
 * @example
 * await using both = await createMultiLock(context, ['account/7', 'account/9']).acquire({ waitMs: 5_000 })
 * await transfer(both.tokens)
 */
export function createMultiLock(
  context: PlaneContext,
  names: readonly string[],
  options: MultiLockOptions = {},
): MultiLock {
  const sorted = [...new Set(names)].sort()
  if (sorted.length === 0 || sorted.length > namesMax)
    throw new SynodError('INVALID_ARGUMENT', `a multi-lock is over 1 to ${namesMax} names, not ${sorted.length}`)
  const lockOptions: LockOptions = { session: options.session }
  const parts = sorted.map((name) => lockParts(context, name, lockOptions))
  return createAcquirable({
    context,
    kind: 'multi-lock',
    name: sorted.join(', '),
    session: options.session,
    grant: async (request) => {
      const held = await grantAll(parts, request)
      return held && new AllHeld(held, request.session)
    },
  })
}

async function grantAll(
  parts: readonly ReturnType<typeof lockParts>[],
  request: GrantRequest,
): Promise<HeldLock[] | undefined> {
  const held: HeldLock[] = []
  try {
    for (const part of parts) {
      const lock = await part.grant(request)
      if (lock === undefined) {
        releaseLater(held)
        return undefined
      }
      held.push(lock)
    }
    return held
  } catch (error) {
    releaseLater(held)
    throw error
  }
}

/** Without keeping the caller waiting. What the engine refuses for good ends with the session. */
function releaseLater(held: readonly HeldLock[]): void {
  for (const lock of held) lock.release().catch(() => {})
}

class AllHeld implements HeldLocks {
  readonly locks: readonly HeldLock[]
  readonly tokens: Readonly<Record<string, number>>
  private readonly session: Session
  private readonly controller = new AbortController()

  constructor(locks: readonly HeldLock[], session: Session) {
    this.locks = locks
    this.session = session
    this.tokens = Object.fromEntries(locks.map((lock) => [lock.name, lock.fencingToken]))
    for (const lock of locks) {
      const onLost = (): void => this.controller.abort(lock.signal.reason)
      if (lock.signal.aborted) onLost()
      else lock.signal.addEventListener('abort', onLost, { once: true })
    }
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  remainingMs(): number {
    return this.signal.aborted ? 0 : this.session.remainingMs()
  }

  assertHeld(): void {
    for (const lock of this.locks) lock.assertHeld()
  }

  async release(): Promise<void> {
    await settleAll(this.locks)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}

/** Releases all, whatever becomes of one; then throws the first failure. */
async function settleAll(held: readonly Held[]): Promise<void> {
  const outcomes = await Promise.allSettled(held.map((one) => one.release()))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
