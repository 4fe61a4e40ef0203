import { SynodError } from '../../errors.ts'
import { createAcquirable, type Lock, type LockOptions, type Semaphore } from '../../locks/index.ts'
import type { RedisConnection } from './connection.ts'
import { type GrantContext, grantSlot } from './grant.ts'
import { Line } from './line.ts'
import type { Rooms } from './rooms.ts'

/** Chubby's own bound. */
const lockDelayMsMax = 60_000
const permitsMax = 10_000

export interface LockContext extends GrantContext {
  readonly connection: RedisConnection
  readonly rooms: Rooms
}

/** A fair mutex: one slot. Uncontended, one round trip to take it and one to let it go. */
export function createRedisLock(context: LockContext, name: string, options: LockOptions = {}): Lock {
  const { lockDelayMs: delayMs = 0 } = options
  if (!(Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= lockDelayMsMax))
    throw new SynodError(
      'INVALID_ARGUMENT',
      `lockDelayMs is ${delayMs}; give whole milliseconds from 0 to ${lockDelayMsMax}`,
    )
  const { connection, rooms } = context
  const line = new Line({ connection, rooms, room: 'locks', name, permits: 1 })
  const what = `lock ${JSON.stringify(name)}`
  return createAcquirable({
    context,
    kind: 'lock',
    name,
    session: options.session,
    grant: (request) => grantSlot({ context, line, name, what, delayMs }, request),
  })
}

/** A fair semaphore: so many slots. */
export function createRedisSemaphore(context: LockContext, name: string, permits: number): Semaphore {
  if (!(Number.isInteger(permits) && permits >= 1 && permits <= permitsMax))
    throw new SynodError('INVALID_ARGUMENT', `a semaphore has 1 to ${permitsMax} permits, not ${permits}`)
  const { connection, rooms } = context
  const line = new Line({ connection, rooms, room: 'semaphores', name, permits })
  const what = `semaphore ${JSON.stringify(name)}`
  return createAcquirable({
    context,
    kind: 'semaphore',
    name,
    session: undefined,
    grant: (request) => grantSlot({ context, line, name, what, delayMs: 0 }, request),
  })
}
