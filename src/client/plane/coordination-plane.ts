/** Puts a plane together from its primitives. */
import { createBarrier, createDoubleBarrier } from '../barriers/index.ts'
import { createConfig } from '../config/index.ts'
import type { OpenContext } from '../connect/index.ts'
import { createCounter, createShardedCounter } from '../counters/index.ts'
import { createElection } from '../elections/index.ts'
import { createFailoverPair, createFailoverView } from '../failover/index.ts'
import { sharedIds } from '../ids/index.ts'
import { createKv } from '../kv/index.ts'
import { createFence, createLock, createMultiLock, createRwLock, createSemaphore } from '../locks/index.ts'
import { createQueue } from '../queues/index.ts'
import { createRateLimiter } from '../rate-limits/index.ts'
import { createRegistry } from '../registry/index.ts'
import { createSchedule } from '../schedules/index.ts'
import { createVersioned } from '../versioned/index.ts'
import type { HistoryPlane } from './plane.ts'

/** The whole plane. Whether the engine keeps history is for the types to say: `connect` hands out no more than it keeps. */
export function createCoordinationPlane({ context, close }: OpenContext): HistoryPlane {
  let closing: Promise<void> | undefined
  const closeOnce = (): Promise<void> => {
    closing ??= close()
    return closing
  }
  const plane: Omit<HistoryPlane, 'engine'> & { readonly engine: string } = {
    engine: context.driver.engine,
    kv: createKv(context),
    registry: createRegistry(context),
    session: (options) => context.sessions.open(options),
    lock: (name, options) => createLock(context, name, options),
    rwLock: (name, options) => createRwLock(context, name, options),
    semaphore: (name, permits, options) => createSemaphore(context, name, permits, options),
    multiLock: (names, options) => createMultiLock(context, names, options),
    fence: (resource) => createFence(context, resource),
    election: (name) => createElection(context, name),
    barrier: (name) => createBarrier(context, name),
    doubleBarrier: (name, count, options) => createDoubleBarrier(context, name, count, options),
    counter: (name, options) => createCounter(context, name, options),
    shardedCounter: (name, options) => createShardedCounter(context, name, options),
    ids: sharedIds(context),
    rateLimiter: (name, limit) => createRateLimiter(context, name, limit),
    schedule: (name, options, work) => createSchedule(context, name, options, work),
    queue: (name) => createQueue(context, name),
    versioned: (prefix) => createVersioned(context, prefix),
    config: (name, options) => createConfig(context, name, options),
    failover: (name, options) => createFailoverPair(context, name, options),
    failoverView: (name) => createFailoverView(context, name),
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  }
  return plane as HistoryPlane
}
