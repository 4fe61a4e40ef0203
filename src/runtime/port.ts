/**
 * Listening with more control than `Network.listen` gives: who is at both ends of each connection, what stands before its
 * first byte, TLS that changes while connections live on, and sockets bound in one process and served by others.
 */
import type { Address, Connection } from './network.ts'

/** What a TLS handshake agreed on. */
export interface TlsSession {
  /** `TLSv1.3`. */
  readonly version: string
  readonly cipher: string
  /** As the client named it; empty when it named none. */
  readonly serverName: string
  /** The protocol agreed on by ALPN; empty when none. */
  readonly alpnProtocol: string
  readonly isResumed: boolean
  /** The client's, verified by `clientCa`; undefined when none was asked for, or shown. */
  readonly clientCertificate?: ClientCertificate | undefined
}

/** Who a client is, as an authority says. */
export interface ClientCertificate {
  /** RFC 2253: `CN=alice,O=Shop`. ASCII; other characters as `\XX` for each byte. */
  readonly subject: string
  /** SHA-1 of the certificate, in lower case hexadecimal digits. */
  readonly fingerprint: string
}

/** The ends of an accepted connection. */
export interface ConnectionOrigin {
  /** The peer's, or what a preamble said instead. */
  readonly remote: Address
  readonly local: Address
  readonly tls: TlsSession | undefined
}

/** What stands before the first byte of every connection, for example a PROXY header. */
export interface Preamble {
  /** More than this without a verdict other than `more` is refused. */
  readonly bytesMax: number
  /** All must have arrived in this time. */
  readonly timeoutMs: number
  /** Whether a peer of this address may send one; the connections of others are closed. */
  isFrom(host: string): boolean
  /** Looks at all the bytes that arrived so far, and keeps none. */
  read(bytes: Uint8Array): PreambleVerdict
}

export type PreambleVerdict =
  | { readonly type: 'more' }
  | {
      readonly type: 'done'
      readonly lengthBytes: number
      /** Instead of the socket's own addresses, where given. */
      readonly source: Address | undefined
      readonly destination: Address | undefined
    }
  | { readonly type: 'refuse'; readonly reason: string }

/** How TLS is terminated. PEM throughout. */
export interface TlsServerSettings {
  /** One at least. */
  readonly certificates: readonly { readonly cert: string; readonly key: string }[]
  /** Which of `certificates` a client gets that named `serverName` (empty: none). */
  choose(serverName: string): number
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Clients' certificates must be signed by one of these. */
  readonly clientCa: string | undefined
  /** `optional`: a client without one is served, one with a bad one is not. */
  readonly clientCertificate: 'none' | 'optional' | 'required'
  /** Offered in this order; a client that offers others only is refused. */
  readonly alpnProtocols: readonly string[]
  /** 48 bytes that encrypt session tickets; the same in every process that serves the port. */
  readonly ticketKeys: Uint8Array
  readonly handshakeTimeoutMs: number
}

/** Why an accepted connection never reached `onConnection`. */
export type PortRefusal = 'too-many' | 'preamble' | 'handshake'

export interface PortSettings {
  /** Open connections, handshakes and preambles included. One more is closed at once. */
  readonly connectionsMax: number
  readonly preamble: Preamble | undefined
  readonly tls: TlsServerSettings | undefined
  /** Must set the connection's handler in the same turn. */
  onConnection(connection: Connection, origin: ConnectionOrigin): void
  onRefused(refusal: PortRefusal, remote: Address, detail: string): void
}

/** A port that accepts. */
export interface Port {
  readonly address: Address
  /** Open connections, handshakes and preambles included. */
  readonly connections: number
  /**
   * For connections accepted from now on. Throws a {@link TlsSettingsError}, and changes nothing, when a certificate or key
   * cannot be used.
   */
  reconfigure(settings: PortSettings): void
  /** Stops accepting. Connections that reached `onConnection` live on; others are closed. */
  close(): void
}

/** A socket that is bound, and accepts nothing itself: processes are handed it and serve it. */
export interface BoundSocket {
  readonly address: Address
  /** What `node:child_process` sends along with a message. */
  readonly handle: unknown
  /** This process needs it no more. Where others serve it, they go on. */
  close(): void
}

/** Opens ports. */
export interface PortOpener {
  /** Reserves an address. Rejects with a `ListenError`. */
  bind(address: Address): Promise<BoundSocket>
  /** Accepts at an address, or from what `bind` of another process gave. Rejects with a `ListenError` or {@link TlsSettingsError}. */
  open(where: Address | BoundSocket, settings: PortSettings): Promise<Port>
  /** What arrived with a message as a socket of `bind`. */
  received(address: Address, handle: unknown): BoundSocket
}

/** A certificate, key or authority that TLS cannot use. */
export class TlsSettingsError extends Error {
  override readonly name = 'TlsSettingsError'
}
