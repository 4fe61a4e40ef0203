import type { Address } from '../../../runtime/index.ts'
import { defaultFrameBytesMax } from '../../../wire/zookeeper/index.ts'
import { SynodError } from '../../errors.ts'

export interface ZooKeeperDriverOptions {
  /** Servers of one ensemble; at least one. */
  readonly servers: readonly Address[]
  /** The node under which all keys lie, made when it is not there. Absolute, not `/`. Default `/synod`. */
  readonly root?: string | undefined
  /** How long a call may take that brings no deadline. Default 5 000. */
  readonly requestTimeoutMs?: number | undefined
  /** Of the session that reads and writes; leases have their own. The server may grant another. Default 10 000. */
  readonly sessionTimeoutMs?: number | undefined
  /** With it every node is made so that only this user can read or change it. */
  readonly auth?: { readonly scheme: 'digest'; readonly user: string; readonly password: string } | undefined
  /** What the servers take in one request (their `jute.maxbuffer`). Default 1 048 575. */
  readonly requestBytesMax?: number | undefined
}

export interface ZooKeeperSettings {
  readonly servers: readonly Address[]
  readonly root: string
  readonly requestTimeoutMs: number
  readonly sessionTimeoutMs: number
  /** `user:password`. */
  readonly digest: string | undefined
  readonly requestBytesMax: number
}

/** The options with their defaults. Throws `INVALID_ARGUMENT`. */
export function settingsOf(options: ZooKeeperDriverOptions): ZooKeeperSettings {
  if (options.servers.length === 0) throw new SynodError('INVALID_ARGUMENT', 'no ZooKeeper server is named')
  const root = options.root ?? '/synod'
  if (!/^(\/[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$/.test(root) || /^\/zookeeper(\/|$)/.test(root))
    throw new SynodError(
      'INVALID_ARGUMENT',
      `${JSON.stringify(root)} cannot be the root of the keys: give an absolute path of letters, digits, "_", "-" and "." that is neither "/" nor "/zookeeper", such as "/synod"`,
    )
  return {
    servers: options.servers,
    root,
    requestTimeoutMs: options.requestTimeoutMs ?? 5_000,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
    digest: options.auth === undefined ? undefined : `${options.auth.user}:${options.auth.password}`,
    requestBytesMax: options.requestBytesMax ?? defaultFrameBytesMax,
  }
}
