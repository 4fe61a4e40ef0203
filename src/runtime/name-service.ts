/** A record of a service's SRV answer (RFC 2782). */
export interface ServiceRecord {
  /** The name of a host, to be looked up in its turn. */
  readonly host: string
  readonly port: number
  /** Lower is used first. */
  readonly priority: number
  /** Relative to the others of the same priority; 0 where the choice does not matter. */
  readonly weight: number
}

/** What went wrong with a lookup. `NOT_FOUND`: the name service answered that there is nothing of that name and kind. */
export type NameErrorCode = 'NOT_FOUND' | 'TIMEOUT' | 'FAILED'

/** The error every {@link NameService} method rejects with. */
export class NameError extends Error {
  override readonly name = 'NameError'
  readonly code: NameErrorCode

  constructor(code: NameErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Turns names into addresses. Rejects with a {@link NameError}; never resolves with an empty list. */
export interface NameService {
  /** The numeric addresses, IPv4 and IPv6, of a host. */
  addresses(name: string): Promise<readonly string[]>
  /** The SRV records of a service, for example `_grpc._tcp.orders.example`. */
  services(name: string): Promise<readonly ServiceRecord[]>
}
