/**
 * What a connection gives, by engine. Capabilities are types: a plane has no member that its engine cannot keep.
 *
 *     CommonPlane            every engine, Redis too
 *       RedisPlane           and what Redis adds
 *       CoordinationPlane    engines with a key space, leases and transactions: ZooKeeper
 *         HistoryPlane       and those that keep history: embedded, Synod, etcd
 */
import type { Barrier, DoubleBarrier, DoubleBarrierOptions } from '../barriers/index.ts'
import type { Config, ConfigOptions } from '../config/index.ts'
import type { PlaneEngine } from '../connect/index.ts'
import type { Counter, CounterOptions, ShardedCounter, ShardedCounterOptions } from '../counters/index.ts'
import type { RedisDurability } from '../drivers/redis/index.ts'
import type { Election } from '../elections/index.ts'
import type { FailoverPair, FailoverPairOptions, FailoverView } from '../failover/index.ts'
import type { IdGenerator } from '../ids/index.ts'
import type { KvBase, KvWithHistory } from '../kv/index.ts'
import type {
  Fence,
  Lock,
  LockOptions,
  MultiLock,
  MultiLockOptions,
  RwLock,
  RwLockOptions,
  Semaphore,
  SemaphoreOptions,
} from '../locks/index.ts'
import type { Queue } from '../queues/index.ts'
import type { RateLimit, RateLimiter } from '../rate-limits/index.ts'
import type { Registry } from '../registry/index.ts'
import type { Schedule, ScheduledRun, ScheduleOptions } from '../schedules/index.ts'
import type { StandardSchema } from '../schema/index.ts'
import type { Session, SessionOptions } from '../sessions/index.ts'
import type { Versioned, VersionedWithHistory } from '../versioned/index.ts'

/** What every engine gives. */
export interface CommonPlane {
  readonly engine: PlaneEngine
  /** A fair mutex, with a fencing token for each grant. */
  lock(name: string, options?: Pick<LockOptions, 'lockDelayMs'>): Lock
  /** Slots of which at most `permits` are held at a time. All who use a name must say the same number. */
  semaphore(name: string, permits: number): Semaphore
  /** One number for all, exact under retries. */
  counter(name: string): Counter
  /** Ids that no other process ever gets, in the order of time, roughly. May be asked for anew for each id. */
  ids(name: string): IdGenerator
  /** At most `limit` in `intervalMs`, over all processes. */
  rateLimiter(name: string, limit: RateLimit): RateLimiter
  /**
   * Lets go of everything that is held, ends the sessions and the connection. Calls under way reject with `CLOSED`,
   * and those that wait on a session with `SESSION_LOST`. An engine that cannot be reached is asked for some seconds; then
   * what is held ends there by itself. Repeated calls do nothing more.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What Redis gives: `docs/engines.md` tells why not more. */
export interface RedisPlane extends CommonPlane {
  readonly engine: 'redis'
  /** What the server said when the connection was made about what it keeps. Warnings of it go to the logger. */
  readonly durability: RedisDurability
}

/** What engines with a key space, leases and transactions give. */
export interface CoordinationPlane extends CommonPlane {
  readonly engine: Exclude<PlaneEngine, 'redis'>
  /** Keys and values. */
  readonly kv: KvBase
  /** A session of its own, for handles that shall end together. */
  session(options?: SessionOptions): Promise<Session>
  lock(name: string, options?: LockOptions): Lock
  semaphore(name: string, permits: number, options?: SemaphoreOptions): Semaphore
  counter(name: string, options?: CounterOptions): Counter
  /** Many readers or one writer. */
  rwLock(name: string, options?: RwLockOptions): RwLock
  /** Several locks at once, or none. */
  multiLock(names: readonly string[], options?: MultiLockOptions): MultiLock
  /** Refuses writes that carry a fencing token older than one it has seen. */
  fence(resource: string): Fence
  /** One leader among many candidates. */
  election(name: string): Election
  /** Holds everyone up until it is released. */
  barrier(name: string): Barrier
  /** Lets `count` members begin together, and end together. */
  doubleBarrier(name: string, count: number, options?: DoubleBarrierOptions): DoubleBarrier
  /** A counter for high rates: adds go to one of several keys. */
  shardedCounter(name: string, options?: ShardedCounterOptions): ShardedCounter
  /** Runs work at fixed times, on whoever leads. */
  schedule(name: string, options: ScheduleOptions, work: (run: ScheduledRun) => Promise<void> | void): Schedule
  /** A small queue: each job is removed exactly once. */
  queue(name: string): Queue
  /** Values with versions: write only what you have read. Every key gets `prefix`. */
  versioned(prefix?: string): Versioned
  /** Settings, typed, watched and kept near. */
  config<Schema extends StandardSchema>(name: string, options: ConfigOptions<Schema>): Promise<Config<Schema>>
  /** Who offers which service, and is healthy. */
  readonly registry: Registry
  /** A primary and its standbys. */
  failover(name: string, options: FailoverPairOptions): FailoverPair
  /** Who is the primary, for those that are no candidates. */
  failoverView(name: string): FailoverView
}

/** What engines give that keep history. */
export interface HistoryPlane extends CoordinationPlane {
  readonly engine: 'embedded' | 'synod' | 'etcd'
  readonly kv: KvWithHistory
  versioned(prefix?: string): VersionedWithHistory
}

/** The plane of each engine. */
export interface PlaneByEngine {
  readonly embedded: HistoryPlane & { readonly engine: 'embedded' }
  readonly synod: HistoryPlane & { readonly engine: 'synod' }
  readonly etcd: HistoryPlane & { readonly engine: 'etcd' }
  readonly zookeeper: CoordinationPlane & { readonly engine: 'zookeeper' }
  readonly redis: RedisPlane
}

/** The engine that a connection string names, as far as its type tells. */
export type EngineOf<Url extends string> = string extends Url
  ? PlaneEngine
  : Url extends `embedded:${string}` | `memory:${string}`
    ? 'embedded'
    : Url extends `synod:${string}`
      ? 'synod'
      : Url extends `etcd:${string}`
        ? 'etcd'
        : Url extends `zookeeper:${string}`
          ? 'zookeeper'
          : Url extends `redis:${string}`
            ? 'redis'
            : never

/** Any plane: test `engine` to tell which. `plane.engine !== 'redis'` leaves what has keys, sessions and elections. */
export type AnyPlane = HistoryPlane | PlaneByEngine['zookeeper'] | RedisPlane

/** What `connect` gives for a connection string. A computed one gives what all engines have, until `engine` is tested. */
export type PlaneOf<Url extends string> = string extends Url ? AnyPlane : PlaneByEngine[EngineOf<Url>]

/** What the engines of a list have in common: `AnyPlane` with Redis, `CoordinationPlane` with ZooKeeper. */
export type PlaneOfEngines<Engine extends PlaneEngine> = 'redis' extends Engine
  ? AnyPlane
  : 'zookeeper' extends Engine
    ? CoordinationPlane
    : HistoryPlane
