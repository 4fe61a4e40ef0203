import type { Connection, ConnectionHandler } from '../../runtime/index.ts'

/** A connection that a protocol has taken over. */
export interface ServedConnection extends ConnectionHandler {
  /** Finishes what is in flight, for at most `drainMs`, then closes. */
  shutdown(drainMs: number): void
}

/** Speaks one protocol on connections accepted elsewhere. */
export interface ProtocolServer {
  /**
   * Takes over `connection`, of which `firstBytes` have already arrived. The caller passes every later event of the
   * transport on to the result.
   */
  accept(connection: Connection, firstBytes: Uint8Array): ServedConnection
}
