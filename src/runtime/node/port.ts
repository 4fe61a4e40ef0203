/**
 * One listening port: counts what it accepts, reads what stands before a connection's first byte, takes it through TLS,
 * and hands it on. Made by `nodePortOpener`.
 *
 * I1. Every accepted socket is counted in `connections` until its 'close'.
 * I2. A socket in a preamble or handshake is in `waiting`; it leaves by being handed on, refused or closed.
 */
import * as net from 'node:net'
import type * as tls from 'node:tls'
import type { Address, ConnectionOrigin, Logger, Port, PortRefusal, PortSettings, Preamble } from '../index.ts'
import { NodeConnection, portHighWaterMarkBytes, socketOptions } from './connection.ts'
import { addressText, backlogMax, listenErrorFrom } from './network.ts'
import { PortTls, type PortTlsOwner, sessionOf } from './port-tls.ts'
import { scratchSocketOf } from './scratch-socket.ts'

const portSocketOptions = { ...socketOptions, highWaterMark: portHighWaterMarkBytes }

export class NodePort implements Port, PortTlsOwner {
  connections = 0
  address: Address = { host: '', port: 0 }
  private settings: PortSettings
  private readonly server: net.Server
  private tls: PortTls | undefined
  private readonly waiting = new Set<net.Socket>()
  /** Sockets in a handshake by the names of their ends, which is all that a TLS socket shows of the one below it. */
  private readonly handshakes = new Map<string, { readonly socket: net.Socket; readonly ends: Ends }>()

  constructor(settings: PortSettings) {
    this.settings = settings
    this.tls = settings.tls === undefined ? undefined : new PortTls(settings.tls, this)
    this.server = net.createServer(portSocketOptions, (socket) => this.accept(socket))
  }

  /** `handle`: a bound socket of another process; undefined: a socket of its own. */
  listen(address: Address, handle: unknown, logger: Logger): Promise<this> {
    return new Promise((resolve, reject) => {
      const onListenError = (cause: NodeJS.ErrnoException): void => reject(listenErrorFrom(cause, address))
      this.server.once('error', onListenError)
      const onListening = (): void => {
        this.server.off('error', onListenError)
        this.server.on('error', (error) => logger.warn('cannot accept a connection', { error: error.message }))
        this.address = { host: address.host, port: (this.server.address() as net.AddressInfo).port }
        resolve(this)
      }
      if (handle === undefined) {
        this.server.listen({ host: address.host, port: address.port, backlog: backlogMax }, onListening)
      } else this.server.listen(handle, backlogMax, onListening)
    })
  }

  reconfigure(settings: PortSettings): void {
    if (settings.tls === undefined) this.tls = undefined
    else if (this.tls?.canBecome(settings.tls)) this.tls.reconfigure(settings.tls)
    else this.tls = new PortTls(settings.tls, this)
    this.settings = settings
  }

  close(): void {
    if (this.server.listening) this.server.close()
    for (const socket of this.waiting) socket.destroy()
  }

  secured(socket: tls.TLSSocket): void {
    const handshake = this.handshakes.get(endsKey(socket))
    // The peer went away in the same turn.
    if (handshake === undefined) {
      socket.destroy()
      return
    }
    this.handshakes.delete(endsKey(socket))
    this.waiting.delete(handshake.socket)
    this.hand(socket, { ...handshake.ends, tls: sessionOf(socket) })
  }

  handshakeFailed(socket: net.Socket, detail: string): void {
    this.refused('handshake', socket, detail)
  }

  private accept(accepted: net.Socket): void {
    // TLS reads below JavaScript, and a preamble with means that only Node's own way of reading has.
    const isPlain = this.tls === undefined && this.settings.preamble === undefined
    const socket = isPlain ? scratchSocketOf(accepted, portSocketOptions) : accepted
    this.connections++
    socket.once('close', () => this.closed(socket))
    const { preamble, connectionsMax } = this.settings
    if (this.connections > connectionsMax) {
      this.refused('too-many', socket, `more than ${connectionsMax} connections`)
      socket.destroy()
    } else if (preamble === undefined) this.proceed(socket, endsOf(socket))
    else this.readPreamble(socket, preamble)
  }

  private closed(socket: net.Socket): void {
    this.connections--
    this.waiting.delete(socket)
  }

  private proceed(socket: net.Socket, ends: Ends): void {
    if (this.tls === undefined) {
      this.hand(socket, { ...ends, tls: undefined })
      return
    }
    const key = endsKey(socket)
    this.waiting.add(socket)
    this.handshakes.set(key, { socket, ends })
    socket.once('close', () => {
      if (this.handshakes.get(key)?.socket === socket) this.handshakes.delete(key)
    })
    this.tls.accept(socket)
  }

  private hand(socket: net.Socket, origin: ConnectionOrigin): void {
    const connection = new NodeConnection(socket, addressText(origin.remote.host, origin.remote.port), true)
    this.settings.onConnection(connection, origin)
    connection.dropWithoutHandler()
  }

  private readPreamble(socket: net.Socket, preamble: Preamble): void {
    const own = endsOf(socket)
    if (!preamble.isFrom(own.remote.host)) {
      this.refused('preamble', socket, `${own.remote.host} may not send a PROXY header`)
      socket.destroy()
      return
    }
    this.waiting.add(socket)
    let held: Buffer = Buffer.alloc(0)
    const refuse = (detail: string): void => {
      this.refused('preamble', socket, detail)
      socket.destroy()
    }
    const timer = setTimeout(() => refuse(`not complete after ${preamble.timeoutMs} ms`), preamble.timeoutMs).unref()
    const ignoreError = (): void => {}
    const onEnd = (): void => refuse('the connection ended within it')
    const onReadable = (): void => {
      const piece = socket.read() as Buffer | null
      if (piece === null) return
      held = held.length === 0 ? piece : Buffer.concat([held, piece])
      const verdict = preamble.read(held)
      if (verdict.type === 'refuse') refuse(verdict.reason)
      else if (verdict.type === 'done') {
        stop()
        this.waiting.delete(socket)
        if (verdict.lengthBytes < held.length) socket.unshift(held.subarray(verdict.lengthBytes))
        this.proceed(socket, { remote: verdict.source ?? own.remote, local: verdict.destination ?? own.local })
      } else if (held.length >= preamble.bytesMax) refuse(`longer than ${preamble.bytesMax} bytes`)
    }
    const stop = (): void => {
      clearTimeout(timer)
      socket.off('readable', onReadable).off('end', onEnd).off('error', ignoreError).off('close', stop)
    }
    socket.on('readable', onReadable).on('end', onEnd).on('error', ignoreError).on('close', stop)
  }

  private refused(refusal: PortRefusal, socket: net.Socket, detail: string): void {
    this.settings.onRefused(refusal, { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }, detail)
  }
}

type Ends = Pick<ConnectionOrigin, 'remote' | 'local'>

function endsOf(socket: net.Socket): Ends {
  return {
    remote: { host: withoutMapping(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 },
    local: { host: withoutMapping(socket.localAddress ?? ''), port: socket.localPort ?? 0 },
  }
}

/** A dual-stack socket shows IPv4 peers as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2); to everyone else they are IPv4. */
function withoutMapping(host: string): string {
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host
}

function endsKey(socket: net.Socket): string {
  return `${socket.remoteAddress}|${socket.remotePort}|${socket.localAddress}`
}
