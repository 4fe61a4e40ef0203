/** TLS over TCP: connections that look like any other to their owner. */
import * as net from 'node:net'
import * as tls from 'node:tls'
import { type Address, type Connection, type Listener, type Logger, type Network, silentLogger } from '../index.ts'
import { highWaterMarkBytes, NodeConnection, socketOptions } from './connection.ts'
import { addressText, connectTimeoutMsDefault, startListening } from './network.ts'

/** Whom a TLS client trusts, and as whom it appears. PEM. */
export interface TlsOptions {
  /** Certificates of the authorities to trust. Default: those that Node brings along. */
  readonly ca?: string | Uint8Array | undefined
  /** The client's own certificate chain, for servers that ask for one. With `key`. */
  readonly cert?: string | Uint8Array | undefined
  readonly key?: string | Uint8Array | undefined
  /** The name that the server's certificate must carry. Default: the host that is connected to. */
  readonly serverName?: string | undefined
  /** False accepts any certificate, and with it anyone in between. Default true. */
  readonly rejectUnauthorized?: boolean | undefined
  /** Where it listens: only clients with a certificate of `ca` are let in. Default false: they are not asked for any. */
  readonly clientCertificates?: boolean | undefined
  /** Protocols offered by ALPN. Default `h2`; empty offers none, for protocols without a name. */
  readonly alpnProtocols?: readonly string[] | undefined
}

/** A handshake that takes longer is given up by whoever listens. */
const handshakeTimeoutMs = 10_000

/**
 * A network whose connections are TLS. `onOpen` comes once the server is authenticated and the protocol agreed on; a
 * refused certificate or protocol closes the connection as `reset`, with the reason in `closeDetail`.
 *
 * To listen it needs `cert` and `key`. A connection is handed on after its handshake.
 */
export function createTlsNetwork(options: TlsOptions, logger: Logger = silentLogger): Network {
  return new TlsNetwork(options, logger)
}

class TlsNetwork implements Network {
  private readonly options: TlsOptions
  private readonly logger: Logger
  private readonly context: tls.SecureContext

  constructor(options: TlsOptions, logger: Logger) {
    this.options = options
    this.logger = logger
    this.context = tls.createSecureContext(this.credentials)
  }

  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    const asksClients = this.options.clientCertificates === true
    const how = {
      ...socketOptions,
      ...this.credentials,
      ...this.protocols,
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: asksClients,
      rejectUnauthorized: asksClients,
    }
    const server = tls.createServer(how, (socket) => {
      const connection = new NodeConnection(
        socket,
        addressText(socket.remoteAddress ?? '', socket.remotePort ?? 0),
        false,
      )
      onConnection(connection)
      connection.dropWithoutHandler()
    })
    server.on('tlsClientError', (error, socket) => {
      const peer = addressText(socket.remoteAddress ?? '', socket.remotePort ?? 0)
      this.logger.debug('a TLS handshake failed', { peer, error: error.message })
    })
    return startListening(server, address, this.logger)
  }

  connect(address: Address, options?: { timeoutMs?: number }): Connection {
    const { serverName, rejectUnauthorized } = this.options
    // A server is never asked for by its address (RFC 6066 §3); its certificate is checked against the host all the same.
    const servername = serverName ?? (net.isIP(address.host) === 0 ? address.host : undefined)
    const how = {
      host: address.host,
      port: address.port,
      secureContext: this.context,
      rejectUnauthorized: rejectUnauthorized ?? true,
      allowHalfOpen: socketOptions.allowHalfOpen,
      highWaterMark: highWaterMarkBytes,
      ...this.protocols,
      ...(servername === undefined ? {} : { servername }),
    }
    const socket = tls.connect(how)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, socketOptions.keepAliveInitialDelay)
    if (this.protocols.ALPNProtocols !== undefined) refuseOtherProtocols(socket, this.protocols.ALPNProtocols)
    const connection = new NodeConnection(socket, addressText(address.host, address.port), false)
    connection.expectOpen('secureConnect', options?.timeoutMs ?? connectTimeoutMsDefault)
    return connection
  }

  private get credentials(): tls.SecureContextOptions {
    const { ca, cert, key } = this.options
    return {
      ...(ca === undefined ? {} : { ca: asPem(ca) }),
      ...(cert === undefined ? {} : { cert: asPem(cert) }),
      ...(key === undefined ? {} : { key: asPem(key) }),
      minVersion: 'TLSv1.2',
    }
  }

  private get protocols(): { readonly ALPNProtocols?: string[] } {
    const { alpnProtocols = ['h2'] } = this.options
    return alpnProtocols.length === 0 ? {} : { ALPNProtocols: [...alpnProtocols] }
  }
}

/** Registered before the connection's own listener: what is destroyed here never opens. */
function refuseOtherProtocols(socket: tls.TLSSocket, offered: readonly string[]): void {
  socket.once('secureConnect', () => {
    if (offered.includes(socket.alpnProtocol || '')) return
    socket.destroy(new Error(`the server speaks none of ${offered.join(', ')} (ALPN)`))
  })
}

function asPem(bytes: string | Uint8Array): string | Buffer {
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes)
}
