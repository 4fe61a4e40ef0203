import type { Redis, RedisOptions } from 'ioredis'
import { binaryString, utf8Bytes } from '../../../base/index.ts'
import type { TlsOptions } from '../../../runtime/node/index.ts'
import type { ClientRuntime } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { RedisPlane } from '../../plane/index.ts'
import { createSessions, type Sessions } from '../../sessions/index.ts'
import { hostTracing } from '../../tracing.ts'
import { freshId } from '../../turns/index.ts'
import { RedisConnection } from './connection.ts'
import { RedisCounter, type ValueContext } from './counter.ts'
import { durabilityOf, warnOfRisks } from './durability.ts'
import { Holds } from './holds.ts'
import { RedisIds } from './ids.ts'
import { RedisLeases } from './leases.ts'
import { loadIoredis } from './load-ioredis.ts'
import { createRedisLock, createRedisSemaphore, type LockContext } from './lock.ts'
import { OnceRunner } from './once.ts'
import { createRedisRateLimiter } from './rate-limiter.ts'
import { wakePrefix } from './rooms.ts'
import { Wakes } from './wakes.ts'

export interface RedisPlaneOptions {
  readonly host: string
  readonly port: number
  /** A number, as text. Default 0. */
  readonly db?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tls?: TlsOptions | undefined
  /** Before every key. Default none. */
  readonly prefix?: string | undefined
  /** How long a call without limits of its own may take, and the opening. Default 5 000. */
  readonly requestTimeoutMs?: number | undefined
  /** The time to live of the session that everything shares. Default 10 000. */
  readonly ttlMs?: number | undefined
  /** Called once, when the plane is closed. */
  readonly onClosed?: (() => void) | undefined
}

const requestTimeoutMsDefault = 5_000
const reconnectMsMax = 1_000

/**
 * Connects to one Redis server, 6.2 or newer, with the package ioredis. Rejects with `NOT_SUPPORTED` when ioredis is not
 * installed, or the server is a replica, part of a Redis Cluster, a Sentinel, older, or deletes keys when memory is short;
 * `UNAUTHENTICATED`, `PERMISSION_DENIED`; `UNAVAILABLE` when none answers in time. The user needs `INFO`, `CLIENT ID`,
 * `CLIENT KILL` and the scripts' commands on keys and channels under `PREFIXsynod/`.
 */
export async function openRedisPlane(options: RedisPlaneOptions, outside: ClientRuntime): Promise<RedisPlane> {
  const { Redis } = await loadIoredis()
  const requestTimeoutMs = options.requestTimeoutMs ?? requestTimeoutMsDefault
  const make = (): Redis => new Redis(ioredisOptions(options, requestTimeoutMs, outside))
  const redis = make()
  const connection = new RedisConnection({ redis, outside, requestTimeoutMs })
  try {
    const info = await connection.open()
    const durability = durabilityOf(info, await appendFsyncOf(redis))
    warnOfRisks(outside.logger, durability)
    const parts = assemble(connection, make, options)
    return planeOf(parts, durability, options.onClosed)
  } catch (error) {
    connection.close()
    throw error
  }
}

interface PlaneParts {
  readonly context: LockContext & ValueContext
  readonly sessions: Sessions
  close(): Promise<void>
}

function assemble(connection: RedisConnection, make: () => Redis, options: RedisPlaneOptions): PlaneParts {
  const { outside } = connection
  const rooms = { namespace: binaryString(utf8Bytes(options.prefix ?? '')) }
  const holds = new Holds()
  const leases = new RedisLeases(connection, rooms, holds)
  const sessions = createSessions(leases, { ttlMs: options.ttlMs })
  const id = freshId(outside)
  const wakes = new Wakes(make, `${wakePrefix(rooms)}${id}`)
  const once = new OnceRunner(connection, rooms, sessions)
  let requests = 0
  const newRequest = (): string => `${id}.${++requests}`
  const tracing = hostTracing('redis')
  const context = { connection, rooms, holds, wakes, sessions, once, tracing, driver: leases, newRequest }
  return {
    context,
    sessions,
    async close() {
      await sessions.close()
      wakes.close()
      connection.close()
    },
  }
}

function planeOf(
  { context, close }: PlaneParts,
  durability: RedisPlane['durability'],
  onClosed?: () => void,
): RedisPlane {
  let closed: Promise<void> | undefined
  const closeOnce = (): Promise<void> => {
    closed ??= close().finally(onClosed)
    return closed
  }
  return {
    engine: 'redis',
    durability,
    lock: (name, options) => createRedisLock(context, name, options),
    semaphore: (name, permits) => createRedisSemaphore(context, name, permits),
    counter: (name) => new RedisCounter(context, name),
    ids: (name) => new RedisIds(context, name),
    rateLimiter: (name, limit) => createRedisRateLimiter(context, name, limit),
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  }
}

/** Nothing is queued or sent again by ioredis itself: who knows whether that is safe is `RedisConnection`. */
function ioredisOptions(
  { host, port, db, username, password, tls }: RedisPlaneOptions,
  requestTimeoutMs: number,
  { random }: ClientRuntime,
): Omit<RedisOptions, 'replyMapping'> {
  return {
    host,
    port,
    db: numberOf(db),
    ...(username === undefined || username === '' ? {} : { username }),
    ...(password === undefined || password === '' ? {} : { password }),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
    protocol: 2,
    connectionName: 'synod',
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(reconnectMsMax, 20 * 2 ** Math.min(times, 10)) * (0.5 + random.float() / 2),
    connectTimeout: requestTimeoutMs,
    // A connection on which nothing comes back is given up early enough to try another within a call's time.
    socketTimeout: Math.max(200, Math.floor(requestTimeoutMs / 3)),
  }
}

function numberOf(db: string | undefined): number {
  if (db === undefined || db === '') return 0
  if (/^\d{1,5}$/.test(db)) return Number(db)
  throw new SynodError('INVALID_ARGUMENT', `${JSON.stringify(db)} is no database: give its number, as redis://host/0`)
}

function tlsOptions({ ca, cert, key, serverName, rejectUnauthorized }: TlsOptions): NonNullable<RedisOptions['tls']> {
  const pem = (value: string | Uint8Array): string | Buffer => (typeof value === 'string' ? value : Buffer.from(value))
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  }
}

/** Undefined where the user may not ask, as on most hosted servers. */
async function appendFsyncOf(redis: Redis): Promise<string | undefined> {
  try {
    const answer = (await redis.call('CONFIG', 'GET', 'appendfsync')) as string[]
    return answer[1]
  } catch {
    return undefined
  }
}
