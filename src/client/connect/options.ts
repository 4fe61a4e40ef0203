import type { Logger } from '../../runtime/index.ts'
import type { TlsOptions } from '../../runtime/node/index.ts'
import type { EngineName } from '../driver/index.ts'

/** The engines a plane can stand on. */
export type PlaneEngine = EngineName | 'redis'

/** What may be said of a connection beside its connection string; all of it can be left out. */
export interface ConnectOptions {
  /**
   * Only with this engine, or one of these: anything else throws `INVALID_ARGUMENT`. Gives a computed connection string
   * the type of what they have in common.
   */
  readonly engine?: PlaneEngine | readonly PlaneEngine[] | undefined
  /** Certificates for `tls=true`. Giving them switches TLS on. */
  readonly tls?: TlsOptions | undefined
  /** Takes the place of what the connection string says. */
  readonly auth?: { readonly username: string; readonly password: string } | undefined
  /** Before every key, the program's own and those of the primitives. Default none. */
  readonly namespace?: string | undefined
  /** How long a call without limits of its own may take, in milliseconds. Default 5 000. */
  readonly requestTimeoutMs?: number | undefined
  /** The time to live of the session that everything shares, in milliseconds. Default 10 000. */
  readonly sessionTtlMs?: number | undefined
  /** Where warnings of the client and, embedded, of the engine go. Default: errors on standard error. */
  readonly logger?: Logger | undefined
}
