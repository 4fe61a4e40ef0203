/** From a connection string to a driver with sessions: what primitives are made with. */
import { binaryString, utf8Bytes } from '../../base/index.ts'
import type { Runtime } from '../../runtime/index.ts'
import { createTlsNetwork } from '../../runtime/node/index.ts'
import type { PlaneContext } from '../context.ts'
import type { Driver } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { createSessions, type Sessions } from '../sessions/index.ts'
import { hostTracing } from '../tracing.ts'
import type { ConnectionTarget } from './connection-string.ts'
import type { ConnectOptions } from './options.ts'

export interface OpenContext {
  readonly context: PlaneContext
  /** Ends the sessions, then the driver. */
  close(): Promise<void>
}

/** Opens `target`, which is not `redis`, on `runtime` (see {@link withTls}). Rejects with a SynodError that says what to do. */
export async function openContext(
  target: ConnectionTarget,
  runtime: Runtime,
  options: ConnectOptions = {},
): Promise<OpenContext> {
  const driver = await openDriver(target, runtime, options)
  const sessions = await sessionsOf(driver, options.sessionTtlMs ?? target.sessionTtlMs)
  const namespace = binaryString(utf8Bytes(options.namespace ?? target.namespace))
  return {
    context: { driver, sessions, tracing: hostTracing(driver.engine), namespace },
    async close() {
      try {
        await sessions.close()
      } finally {
        await driver.close()
      }
    },
  }
}

/** A time to live that is refused leaves nothing open: no sockets, no directory. */
async function sessionsOf(driver: Driver, ttlMs: number | undefined): Promise<Sessions> {
  try {
    return createSessions(driver, { ttlMs })
  } catch (error) {
    await driver.close()
    throw error
  }
}

/** TLS where it is asked for: the drivers see an ordinary network. */
export function withTls(runtime: Runtime, target: ConnectionTarget, options: ConnectOptions): Runtime {
  if (!target.tls && options.tls === undefined) return runtime
  return { ...runtime, network: createTlsNetwork(options.tls ?? {}) }
}

/** Loads the driver that is asked for and no other: a program pays for one engine. */
async function openDriver(target: ConnectionTarget, runtime: Runtime, options: ConnectOptions): Promise<Driver> {
  const requestTimeoutMs = options.requestTimeoutMs ?? target.requestTimeoutMs
  const auth = credentialsOf(target, options)
  switch (target.scheme) {
    case 'embedded': {
      const { openEmbeddedDriver } = await import('../drivers/embedded/index.ts')
      return openEmbeddedDriver({ directory: target.path, nodes: target.nodes, requestTimeoutMs }, runtime)
    }
    case 'synod':
    case 'etcd': {
      const { openEtcdDriver } = await import('../drivers/etcd/index.ts')
      return openEtcdDriver({ engine: target.scheme, endpoints: target.addresses, requestTimeoutMs, auth }, runtime)
    }
    case 'zookeeper': {
      const { openZooKeeperDriver } = await import('../drivers/zookeeper/index.ts')
      return openZooKeeperDriver(
        {
          servers: target.addresses,
          root: target.path,
          requestTimeoutMs,
          auth: auth && { scheme: 'digest', user: auth.username, password: auth.password },
        },
        runtime,
      )
    }
    case 'redis':
      throw new SynodError('NOT_SUPPORTED', 'Redis keeps no key space with versions and leases: use connect().')
  }
}

/** Who to sign in as: the options first, then the connection string. */
export function credentialsOf(target: ConnectionTarget, options: ConnectOptions) {
  if (options.auth !== undefined) return options.auth
  if (target.user === undefined) return undefined
  return { username: target.user, password: target.password ?? '' }
}
