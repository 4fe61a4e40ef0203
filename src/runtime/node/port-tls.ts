/**
 * The TLS of one port: takes accepted sockets through their handshake. Owned by `NodePort`.
 *
 * I1. New settings touch handshakes that begin later; connections and handshakes under way keep what they began with.
 * I2. `reconfigure` builds every context before it changes anything: settings that cannot be used change nothing.
 * I3. A session is resumed only where its client would have been asked for the same: ports share the keys of tickets, and
 *     OpenSSL checks no certificate again (as CVE-2025-23419 was in nginx).
 */
import { createHash } from 'node:crypto'
import type * as net from 'node:net'
import * as tls from 'node:tls'
import { type ClientCertificate, type TlsServerSettings, type TlsSession, TlsSettingsError } from '../index.ts'
import { portHighWaterMarkBytes } from './connection.ts'
import { distinguishedName } from './distinguished-name.ts'

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
      highWaterMark: portHighWaterMarkBytes,
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
    const isShown = clientCertificate !== 'none' && socket.getPeerX509Certificate() !== undefined
    if (isShown && !socket.authorized) {
      this.owner.handshakeFailed(socket, `the client's certificate is not accepted: ${socket.authorizationError}`)
      socket.destroy()
    } else if (clientCertificate === 'required' && !isShown) {
      this.owner.handshakeFailed(socket, 'the client showed no certificate')
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
    clientCertificate: clientCertificateOf(socket),
  }
}

/** Node asks for one, and verifies it, only where the settings say so. */
function clientCertificateOf(socket: tls.TLSSocket): ClientCertificate | undefined {
  const shown = socket.authorized ? socket.getPeerX509Certificate() : undefined
  if (shown === undefined) return undefined
  const { subject, fingerprint } = shown
  return { subject: distinguishedName(subject), fingerprint: fingerprint.replaceAll(':', '').toLowerCase() }
}

/** Names what clients are asked for (I3). OpenSSL takes 32 bytes. */
function sessionContextOf({ clientCertificate, clientCa }: TlsServerSettings): string {
  return createHash('sha256')
    .update(`${clientCertificate}\0${clientCertificate === 'none' ? '' : (clientCa ?? '')}`)
    .digest('hex')
    .slice(0, 32)
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
  return { cert, key, minVersion: settings.minVersion, sessionIdContext: sessionContextOf(settings), ...ca }
}

function clientCheck({ clientCertificate }: TlsServerSettings): tls.TlsOptions {
  return { requestCert: clientCertificate !== 'none', rejectUnauthorized: clientCertificate === 'required' }
}
