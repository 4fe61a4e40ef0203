/**
 * The keys on Redis, for people with `redis-cli`. `PREFIX` is the connection's namespace, usually empty.
 *
 *     synod/sessions/LEASE            when the session ends, in ms by Redis's clock; the key stays a minute longer
 *     synod/sessions/LEASE/once       hash: number of an operation under way -> its result
 *     synod/locks/NAME/holders        hash: 0 -> LEASE REQUEST TOKEN DELAY_MS
 *     synod/locks/NAME/queue          sorted set: LEASE REQUEST DELAY_MS by arrival
 *     synod/locks/NAME/token          the last token given; never expires
 *     synod/semaphores/NAME/…         the same, a field a slot; and permits, on which all agree
 *     synod/counters/NAME             the value, as decimal text
 *     synod/rate-limits/NAME          when the bucket is full again, in µs; expires then
 *     synod/ids/NAME/last             the last block of 4 096 ids given: (ms since 2025) * 1024 + n
 *     synod/floors/tokens, …/ids      below which no token or id is given; absent unless somebody sets them
 *
 * Messages that wake a waiter go through the channel `synod/wake/PLANE`.
 */
import type { BinaryString } from '../../../base/index.ts'
import { type PlaneContext, roomKey, roomPrefix } from '../../context.ts'
import type { LeaseId } from '../../driver/index.ts'

export type Rooms = Pick<PlaneContext, 'namespace'>

export function leaseText(leaseId: LeaseId): string {
  return leaseId.toString(16).padStart(16, '0')
}

export function sessionKey(rooms: Rooms, leaseId: LeaseId): BinaryString {
  return roomKey(rooms, 'sessions', leaseText(leaseId))
}

export function onceKey(rooms: Rooms, leaseId: LeaseId): BinaryString {
  return roomKey(rooms, 'sessions', leaseText(leaseId), 'once')
}

/** Before the lease's text in the key of a session. */
export function sessionPrefix(rooms: Rooms): BinaryString {
  return roomPrefix(rooms, 'sessions')
}

/** Before the plane's id in the name of a channel. */
export function wakePrefix({ namespace }: Rooms): BinaryString {
  return `${namespace}synod/wake/`
}
