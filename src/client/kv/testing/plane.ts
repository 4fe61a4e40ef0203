import type { PlaneContext } from '../../context.ts'
import type { Driver } from '../../driver/index.ts'
import { createSessions } from '../../sessions/index.ts'
import { hostTracing } from '../../tracing.ts'

/** What a primitive is made with, on a driver. */
export function planeOn(driver: Driver, namespace = ''): PlaneContext {
  return { driver, sessions: createSessions(driver), tracing: hostTracing(driver.engine), namespace }
}

/** An engine with only what ZooKeeper has, over a real one: no history, no old revisions, no ranges in transactions. */
export function leastDriver(inner: Driver): Driver {
  const can = { history: false, atRevision: false, rangeInTransaction: false, leaseChangeKeepsVersion: false }
  return {
    engine: 'zookeeper',
    can,
    outside: inner.outside,
    get: (key, options) => inner.get(key, options),
    list: (range, options) => inner.list(range, options),
    transact: (transaction, options) => inner.transact(transaction, options),
    grantLease: (ttlMs, options) => inner.grantLease(ttlMs, options),
    renewLease: (leaseId, options) => inner.renewLease(leaseId, options),
    revokeLease: (leaseId, options) => inner.revokeLease(leaseId, options),
    observe: (range, sink, options) => inner.observe(range, sink, options),
    close: () => inner.close(),
  }
}
