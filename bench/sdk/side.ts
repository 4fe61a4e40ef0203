// What is measured: one client library on one engine.

/** One client on one engine, in a process of its own. What the library does not offer is left out. */
export interface Side {
  /** Waits until it holds the lock. Resolves with what lets go of it. */
  lock?(name: string): Promise<() => Promise<unknown>>
  increment?(name: string): Promise<unknown>
  put?(key: string, value: string): Promise<unknown>
  /** The cheapest read: it may be out of date. */
  get?(key: string): Promise<unknown>
  /** `onValue` hears of every value that the key gets from when this resolves; of fast ones perhaps only the last. */
  watch?(key: string, onValue: (value: string) => void): Promise<void>
  close(): Promise<void> | void
}

export const clientNames = ['synod', 'etcd3', 'grpc-js', 'redlock+ioredis', 'node-zookeeper-client'] as const
export type ClientName = (typeof clientNames)[number]

export const serverNames = ['synod', 'etcd', 'etcd-3', 'embedded', 'zookeeper', 'redis'] as const
export type ServerName = (typeof serverNames)[number]

/** Which client, and where to. */
export interface SideName {
  readonly server: ServerName
  readonly client: ClientName
}

/** What is asked of a client's process. */
export interface Order {
  readonly workload: string
  readonly warmUpMs: number
  readonly measuredMs: number
}

/** What it answers. */
export interface Measured {
  readonly perSecond: number
  readonly p50Micros: number
  readonly p99Micros: number
  /** CPU of the client's process for one operation. */
  readonly cpuMicros: number
  readonly errors: number
  /** What the first error said. */
  readonly firstError?: string | undefined
  /** The library does not do this. */
  readonly missing?: boolean | undefined
}
