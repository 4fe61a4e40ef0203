/** What the acceptor and its workers say to each other. Sent by structured clone, which knows RegExp and undefined. */
import type { Address, LogLevel } from '../../runtime/index.ts'
import type { HealthSnapshot } from '../../traffic/index.ts'
import type { ProxyConfig } from '../config/index.ts'
import type { RateLimitGrant, RateLimitLease } from '../limits/index.ts'
import type { ActiveCounts, WorkerView } from '../worker/index.ts'

/** Each `request` is answered by one `answer` of the same id. */
export type ToWorker =
  /** A listening socket comes along; before the configuration that needs it. */
  | { readonly type: 'socket'; readonly key: string; readonly address: Address }
  /** Is not needed any more, or was for a configuration that is not taken. */
  | { readonly type: 'forget-socket'; readonly key: string }
  | { readonly type: 'request'; readonly id: number; readonly request: WorkerRequest }
  | { readonly type: 'ticket-keys'; readonly keys: Uint8Array }
  | { readonly type: 'health'; readonly snapshots: readonly HealthSnapshot[] }
  | { readonly type: 'foreign-active'; readonly active: ActiveCounts }
  | { readonly type: 'grant'; readonly grant: RateLimitGrant }

export type WorkerRequest =
  | {
      readonly type: 'start'
      readonly config: ProxyConfig
      readonly ticketKeys: Uint8Array
      readonly callerId: string
      readonly logLevel: LogLevel
      readonly logFormat: 'text' | 'json'
      readonly registry: string | undefined
    }
  /** Sends each of its sockets back: to the acceptor that is a descriptor of its own. */
  | { readonly type: 'return-sockets' }
  | { readonly type: 'reconfigure'; readonly config: ProxyConfig }
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'view' }
  | { readonly type: 'endpoint'; readonly upstream: string; readonly endpoint: string; readonly draining: boolean }
  | { readonly type: 'drain'; readonly timeoutMs: number }

export type FromWorker =
  | {
      readonly type: 'answer'
      readonly id: number
      /** Undefined: it went well. */
      readonly error: string | undefined
      readonly view?: WorkerView | undefined
      readonly found?: boolean | undefined
    }
  /** The socket comes along. */
  | { readonly type: 'socket'; readonly key: string; readonly address: Address }
  | { readonly type: 'active'; readonly active: ActiveCounts }
  /** It is not stuck. */
  | { readonly type: 'beat' }
  | { readonly type: 'lease'; readonly lease: RateLimitLease }
