/**
 * The TLS of one port: takes accepted sockets through their handshake. Owned by `NodePort`.
 *
 * I1. New settings touch handshakes that begin later; connections and handshakes under way keep what they began with.
 * I2. `reconfigure` builds every context before it changes anything: settings that cannot be used change nothing.
 */
import type * as net from 'node:net'
import * as tls from 'node:tls'
import { type TlsServerSettings, type TlsSession, TlsSettingsError } from '../index.ts'
import { highWaterMarkBytes } from './connection.ts'

export interface PortTlsOwner {
  secured(socket: tls.TLSSocket): void
  handshakeFailed(socket: net.Socket, detail: string): void
}

interface Built {
  readonly settings: TlsServerSettings
  readonly contexts: readonly tls.SecureContext[]
}

export class PortTls {
  private readonly server: tls.Server
  private readonly owner: PortTlsOwner
  private current: Built

  constructor(settings: TlsServerSettings, owner: PortTlsOwner) {
    this.owner = owner
    this.current = build(settings)
    this.server = tls.createServer({
      ...contextOptions(settings, settings.certificates[0]!),
      ...clientCheck(settings),
      ALPNProtocols: [...settings.alpnProtocols],
      handshakeTimeout: settings.handshakeTimeoutMs,
      ticketKeys: Buffer.from(settings.ticketKeys),
      highWaterMark: highWaterMarkBytes,
      SNICallback: (serverName, done) => done(null, this.contextFor(serverName)),
    })
    this.server.on('secureConnection', (socket) => this.secured(socket))
    this.server.on('tlsClientError', (error, socket) => owner.handshakeFailed(socket, error.message))
  }

  /** Whether `settings` differ from the present ones in nothing but what `reconfigure` can change. */
  canBecome(settings: TlsServerSettings): boolean {
    const now = this.current.settings
    return (
      now.clientCertificate === settings.clientCertificate &&
      now.handshakeTimeoutMs === settings.handshakeTimeoutMs &&
      now.alpnProtocols.join() === settings.alpnProtocols.join()
    )
  }

  reconfigure(settings: TlsServerSettings): void {
    this.current = build(settings)
    this.server.setSecureContext(contextOptions(settings, settings.certificates[0]!))
    // The new context came with keys of its own.
    this.server.setTicketKeys(Buffer.from(settings.ticketKeys))
  }

  /** Begins the handshake. Bytes of `socket` that were read and put back are part of it. */
  accept(socket: net.Socket): void {
    this.server.emit('connection', socket)
  }

  private contextFor(serverName: string): tls.SecureContext | undefined {
    const { settings, contexts } = this.current
    return contexts[settings.choose(serverName)]
  }

  private secured(socket: tls.TLSSocket): void {
    const { clientCertificate } = this.current.settings
    if (clientCertificate === 'optional' && !socket.authorized && socket.getPeerX509Certificate() !== undefined) {
      this.owner.handshakeFailed(socket, `the client's certificate is not accepted: ${socket.authorizationError}`)
      socket.destroy()
    } else this.owner.secured(socket)
  }
}

export function sessionOf(socket: tls.TLSSocket): TlsSession {
  const name: unknown = (socket as { readonly servername?: unknown }).servername
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher().name,
    serverName: typeof name === 'string' ? name : '',
    alpnProtocol: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : '',
    isResumed: socket.isSessionReused(),
  }
}

function build(settings: TlsServerSettings): Built {
  if (settings.certificates.length === 0) throw new TlsSettingsError('TLS needs a certificate: none is configured.')
  const contexts = settings.certificates.map((certificate, i) => {
    try {
      return tls.createSecureContext(contextOptions(settings, certificate))
    } catch (cause) {
      const message = `certificate ${i + 1} or its key cannot be used: ${(cause as Error).message}`
      throw new TlsSettingsError(message, { cause })
    }
  })
  return { settings, contexts }
}

function contextOptions(
  settings: TlsServerSettings,
  { cert, key }: { readonly cert: string; readonly key: string },
): tls.SecureContextOptions {
  const ca = settings.clientCa === undefined ? {} : { ca: settings.clientCa }
  return { cert, key, minVersion: settings.minVersion, ...ca }
}

function clientCheck({ clientCertificate }: TlsServerSettings): tls.TlsOptions {
  return { requestCert: clientCertificate !== 'none', rejectUnauthorized: clientCertificate === 'required' }
}
