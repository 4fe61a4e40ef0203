import type { Address } from '../../../runtime/index.ts'

/** Who the driver says it is; etcd's users. */
export interface EtcdCredentials {
  readonly username: string
  readonly password: string
}

/** How a driver reaches a cluster that speaks etcd v3. */
export interface EtcdDriverOptions {
  /** Which of the two it is; both are spoken to alike. Default `etcd`. */
  readonly engine?: 'synod' | 'etcd' | undefined
  /** The nodes to use, at least one. Only these are used, also when the cluster has more. */
  readonly endpoints: readonly Address[]
  /** How long a call may take when it brings no deadline of its own. Default 5000. */
  readonly requestTimeoutMs?: number | undefined
  /** How long an attempt to connect to one node, and to be greeted by it, may take. Default 2000. */
  readonly connectTimeoutMs?: number | undefined
  readonly auth?: EtcdCredentials | undefined
  /** Whether the network makes TLS connections: names the scheme of requests, no more. Default false. */
  readonly secure?: boolean | undefined
  /**
   * A read that one node has not answered after this long is asked of another node too. Default 50; it grows by itself
   * while most answers take longer. `off`: never.
   */
  readonly hedgeAfterMs?: number | 'off' | undefined
  /**
   * How long a connection may be silent while something is awaited before it is tested. Default 6000; etcd ends
   * connections that are tested more often than every 5000.
   */
  readonly keepAliveTimeMs?: number | undefined
  /** How long that test may take before the connection is given up. Default 3000. */
  readonly keepAliveTimeoutMs?: number | undefined
  /** How often a stream of watches asks where it stands, so that a quiet watch can be resumed from a recent revision. Default 30 000. */
  readonly watchProgressMs?: number | undefined
  /** The most operations in a branch of a transaction: the servers' `--max-txn-ops`. Default 128. */
  readonly maxTxnOperations?: number | undefined
  /** The largest answer taken, in bytes. Default 256 MiB. */
  readonly maxReceiveMessageBytes?: number | undefined
}

export interface EtcdDriverSettings {
  readonly engine: 'synod' | 'etcd'
  readonly endpoints: readonly Address[]
  readonly requestTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly auth: EtcdCredentials | undefined
  readonly secure: boolean
  /** Infinity: off. */
  readonly hedgeAfterMs: number
  readonly keepAliveTimeMs: number
  readonly keepAliveTimeoutMs: number
  readonly watchProgressMs: number
  readonly maxTxnOperations: number
  readonly maxReceiveMessageBytes: number
}

export function withDefaults(options: EtcdDriverOptions): EtcdDriverSettings {
  return {
    engine: options.engine ?? 'etcd',
    endpoints: options.endpoints,
    requestTimeoutMs: options.requestTimeoutMs ?? 5000,
    connectTimeoutMs: options.connectTimeoutMs ?? 2000,
    auth: options.auth,
    secure: options.secure ?? false,
    hedgeAfterMs: options.hedgeAfterMs === 'off' ? Number.POSITIVE_INFINITY : (options.hedgeAfterMs ?? 50),
    keepAliveTimeMs: options.keepAliveTimeMs ?? 6000,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? 3000,
    watchProgressMs: options.watchProgressMs ?? 30_000,
    maxTxnOperations: options.maxTxnOperations ?? 128,
    maxReceiveMessageBytes: options.maxReceiveMessageBytes ?? 256 << 20,
  }
}
