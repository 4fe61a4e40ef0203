/**
 * Sessions on Redis: a key that says when the session ends, by the server's clock. Whatever a session holds names it, so
 * that one renewal renews all of it.
 *
 * - I1  The end only moves on while it has not come. A session that is over stays over, whoever asks later.
 * - I2  The key stays `keptMs` after the end: what depends on when that was (lock-delay), or whether an operation was
 *       applied before, can be told until then.
 */
import type { CallOptions, LeaseAnswer, LeaseId } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { LeaseDriver } from '../../sessions/index.ts'
import type { RedisConnection } from './connection.ts'
import type { Holds } from './holds.ts'
import { onceKey, type Rooms, sessionKey } from './rooms.ts'
import { script } from './script.ts'

/** Above the longest lock-delay. */
const keptMs = 61_000

// KEYS session; ARGV ttl, kept
const grantScript = script(
  'the script that opens a session',
  `redis.call('SET', KEYS[1], whole(now + ARGV[1]), 'PX', ARGV[1] + ARGV[2])
return 1`,
)

// KEYS session, once; ARGV ttl, kept
const renewScript = script(
  'the script that renews a session',
  `local ends = number_at(KEYS[1], 0)
if ends <= now then return 0 end
ends = math.max(ends, now + ARGV[1])
redis.call('SET', KEYS[1], whole(ends), 'PX', whole(ends - now + ARGV[2]))
redis.call('PEXPIRE', KEYS[2], whole(ends - now + ARGV[2]))
return 1`,
)

// KEYS session; ARGV kept
const endScript = script(
  'the script that ends a session',
  `local ends = number_at(KEYS[1], 0)
if ends > now then redis.call('SET', KEYS[1], whole(now), 'PX', ARGV[1]) end
return 1`,
)

export class RedisLeases implements LeaseDriver {
  readonly outside: LeaseDriver['outside']
  private readonly connection: RedisConnection
  private readonly rooms: Rooms
  private readonly holds: Holds
  /** What each lease was granted for. */
  private readonly ttls = new Map<LeaseId, number>()

  constructor(connection: RedisConnection, rooms: Rooms, holds: Holds) {
    this.outside = connection.outside
    this.connection = connection
    this.rooms = rooms
    this.holds = holds
  }

  async grantLease(ttlMs: number, options?: CallOptions): Promise<LeaseAnswer> {
    const leaseId = Buffer.from(this.outside.random.bytes(8)).readBigUInt64BE()
    const wholeMs = Math.ceil(ttlMs)
    const sentAtMs = this.outside.clock.monotonicMs()
    const keys = [sessionKey(this.rooms, leaseId)]
    await this.connection.run({ script: grantScript, keys, args: [wholeMs, keptMs] }, options)
    this.ttls.set(leaseId, wholeMs)
    return { leaseId, ttlMs: wholeMs, sentAtMs }
  }

  async renewLease(leaseId: LeaseId, options?: CallOptions): Promise<LeaseAnswer> {
    const ttlMs = this.ttls.get(leaseId)
    if (ttlMs === undefined) throw leaseGone()
    const sentAtMs = this.outside.clock.monotonicMs()
    const keys = [sessionKey(this.rooms, leaseId), onceKey(this.rooms, leaseId)]
    const renewed = this.connection.run({ script: renewScript, keys, args: [ttlMs, keptMs] }, options)
    this.holds.check(leaseId, options)
    if ((await renewed) === 1) return { leaseId, ttlMs, sentAtMs }
    this.ttls.delete(leaseId)
    this.holds.forget(leaseId)
    throw leaseGone()
  }

  async revokeLease(leaseId: LeaseId, options?: CallOptions): Promise<void> {
    const keys = [sessionKey(this.rooms, leaseId)]
    await this.connection.run({ script: endScript, keys, args: [keptMs] }, options)
    this.ttls.delete(leaseId)
    await this.holds.passOn(leaseId, options)
  }
}

function leaseGone(): SynodError {
  return new SynodError('LEASE_NOT_FOUND', 'the session has ended by the clock of Redis, or its key was deleted')
}
