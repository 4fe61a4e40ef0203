/** `synod`: coordination for TypeScript programs, on the engine they choose. Begin with {@link connect}. */
export type { Barrier, BarrierHoldOptions, DoubleBarrier, DoubleBarrierOptions } from './barriers/index.ts'
export type { Config, ConfigChange, ConfigOptions } from './config/index.ts'
export { type ConnectOptions, connect, type PlaneEngine } from './connect/index.ts'
export type { Counter, CounterBounds, CounterOptions, ShardedCounter, ShardedCounterOptions } from './counters/index.ts'
export type { LeaseId, Revision } from './driver/index.ts'
export type { RedisDurability } from './drivers/redis/index.ts'
export type { CampaignOptions, Election, Leader, Leadership, RunWhileLeaderOptions } from './elections/index.ts'
export { type Outcome, SynodError, type SynodErrorCode, type SynodErrorDetails } from './errors.ts'
export type { FailoverPair, FailoverPairOptions, FailoverView, Primary } from './failover/index.ts'
export type { IdGenerator } from './ids/index.ts'
export type {
  AnyKeyOperation,
  AnyOperation,
  AtRevision,
  Change,
  Condition,
  Consistency,
  DeleteAllResult,
  DeleteResult,
  Expected,
  GetOptions,
  HistoryWatchOptions,
  KeyConditions,
  KeyInput,
  KeyOperation,
  KvBase,
  KvEntry,
  KvListOptions,
  KvRange,
  KvSelection,
  KvWithHistory,
  LatestWatchOptions,
  PutOptions,
  PutResult,
  SwapResult,
  Txn,
  TxnOperation,
  TxnResult,
  TxnResults,
  TypedChange,
  TypedEntry,
  TypedExpected,
  TypedKv,
  TypedKvWithHistory,
  TypedSwapResult,
  ValueConditions,
} from './kv/index.ts'
export { absent, del, delAll, exists, get, key, list, put, value } from './kv/index.ts'
export type { CallLimits } from './limits.ts'
export type {
  Acquirable,
  AcquireOptions,
  Fence,
  FencedWrite,
  Held,
  HeldLock,
  HeldLocks,
  HeldPermit,
  HeldReadLock,
  Lock,
  LockOptions,
  MultiLock,
  MultiLockOptions,
  RwLock,
  RwLockOptions,
  Semaphore,
  SemaphoreOptions,
  TryOptions,
} from './locks/index.ts'
export type {
  AnyPlane,
  CommonPlane,
  CoordinationPlane,
  EngineOf,
  HistoryPlane,
  PlaneByEngine,
  PlaneOf,
  PlaneOfEngines,
  RedisPlane,
} from './plane/index.ts'
export type { DequeueOptions, Enqueued, EnqueueOptions, Job, Queue } from './queues/index.ts'
export type { RateLimit, RateLimiter, TakeResult } from './rate-limits/index.ts'
export type {
  HealthCheck,
  Instance,
  InstancesOptions,
  ProbeOptions,
  ProbeTarget,
  RegisterOptions,
  Registration,
  Registry,
} from './registry/index.ts'
export type { Schedule, ScheduledRun, ScheduleOptions } from './schedules/index.ts'
export {
  type SchemaInput,
  type SchemaIssue,
  type SchemaOutput,
  type StandardSchema,
  ValidationError,
} from './schema/index.ts'
export type { Session, SessionEvent, SessionOptions } from './sessions/index.ts'
export {
  ConflictError,
  type HistoryItem,
  type Versioned,
  type VersionedValue,
  type VersionedWithHistory,
  type Written,
} from './versioned/index.ts'
export { CompactedError } from './watching/index.ts'
