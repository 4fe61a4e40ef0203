import type { Runtime } from '../../runtime/index.ts'
import { createNodeRuntime, holdProcess } from '../../runtime/node/index.ts'
import { SynodError } from '../errors.ts'
import {
  type AnyPlane,
  type CommonPlane,
  createCoordinationPlane,
  type PlaneByEngine,
  type PlaneOf,
  type PlaneOfEngines,
} from '../plane/index.ts'
import { type ConnectionTarget, parseConnectionString } from './connection-string.ts'
import { credentialsOf, openContext, withTls } from './open-context.ts'
import type { ConnectOptions, PlaneEngine } from './options.ts'

/**
 * Connects to an engine, or starts one inside this process, and gives what coordinates.
 *
 * | connection string | engine |
 * |---|---|
 * | `embedded:./data` | in this process, durable in the directory; `?nodes=3` for a whole cluster |
 * | `memory:` | in this process, gone at its end |
 * | `synod://h1:2379,h2:2379` | a Synod cluster |
 * | `etcd://h1:2379,h2:2379` | an etcd cluster, 3.4 or newer |
 * | `zookeeper://h1:2181/root` | a ZooKeeper ensemble, 3.6 or newer |
 * | `redis://h1:6379/0` | one Redis, 6.2 or newer; needs `npm install ioredis` |
 *
 * Options in the string: `namespace`, `timeoutMs`, `ttlMs`, and with hosts `tls=true`. What the plane offers follows from
 * the string's type; a computed string gives the common subset until `engine` is tested. With the option `engine`, one or a
 * list, it gives what those have in common, and refuses any other.
 *
 * Resolves when the engine can be used. Rejects with a {@link SynodError}: `INVALID_ARGUMENT` for the string,
 * `UNAVAILABLE` when nothing answers, `UNAUTHENTICATED`, `NOT_SUPPORTED`, `ALREADY_EXISTS` when the directory is
 * open already, here or in another process. Close the plane when done: it holds sockets, and embedded the directory.
 *
 * @example
 * const synod = await connect('embedded:./data')
 * await synod.kv.put('config/theme', 'dark')
 * await synod.close()
 */
export function connect<Engine extends PlaneEngine>(
  url: string,
  options: ConnectOptions & { readonly engine: Engine },
): Promise<PlaneByEngine[Engine]>
export function connect<Engine extends PlaneEngine>(
  url: string,
  options: ConnectOptions & { readonly engine: readonly Engine[] },
): Promise<PlaneOfEngines<Engine>>
export function connect<const Url extends string>(url: Url, options?: ConnectOptions): Promise<PlaneOf<Url>>
export async function connect(url: string, options: ConnectOptions = {}): Promise<CommonPlane | AnyPlane> {
  const target = parseConnectionString(url)
  const { engine, logger } = options
  const wanted = engine === undefined ? [] : [engine].flat()
  if (wanted.length > 0 && !wanted.includes(target.scheme))
    throw new SynodError(
      'INVALID_ARGUMENT',
      `the program asks for ${wanted.join(' or ')}, and the connection string names ${target.scheme}: change one of them`,
    )
  const here = createNodeRuntime({ logLevel: 'error' })
  const runtime = withTls(logger === undefined ? here : { ...here, logger }, target, options)
  // Also embedded, or while it reconnects, a connection keeps the process alive until it is closed.
  const letGo = holdProcess()
  try {
    return await openPlane(target, runtime, options, letGo)
  } catch (error) {
    letGo()
    throw error
  }
}

async function openPlane(
  target: ConnectionTarget,
  runtime: Runtime,
  options: ConnectOptions,
  onClosed: () => void,
): Promise<CommonPlane> {
  if (target.scheme !== 'redis') {
    const { context, close } = await openContext(target, runtime, options)
    return createCoordinationPlane({ context, close: () => close().finally(onClosed) })
  }
  const { openRedisPlane } = await import('../drivers/redis/index.ts')
  const [address] = target.addresses
  const auth = credentialsOf(target, options)
  return openRedisPlane(
    {
      host: address!.host,
      port: address!.port,
      db: target.path?.slice(1),
      username: auth?.username,
      password: auth?.password,
      tls: target.tls ? (options.tls ?? {}) : options.tls,
      prefix: options.namespace ?? target.namespace,
      requestTimeoutMs: options.requestTimeoutMs ?? target.requestTimeoutMs,
      ttlMs: options.sessionTtlMs ?? target.sessionTtlMs,
      onClosed,
    },
    runtime,
  )
}
