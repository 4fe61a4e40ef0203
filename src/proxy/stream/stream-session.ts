/**
 * One client's connection, forwarded byte for byte to an endpoint. Made by `StreamListener`, driven by the events of its
 * two connections.
 *
 *   reading (TLS pass-through: until the ClientHello is complete) → connecting (one endpoint after another) → open → closed
 * and from the first two → refused → closed.
 *
 * I1. Until `open` the client is paused or its bytes are in `held`, of at most `clientHelloBytesMax` plus one piece.
 * I2. Every `upstream.begin` is followed by one `end`: at the failure to connect, or when the session ends.
 * I3. A side whose peer cannot take more is paused until that peer drains, so that memory stays flat.
 * I4. The end of one direction is passed on and the other direction goes on (half-close, RFC 9293 §3.6). A side that
 *     breaks takes the other one down as soon as what was queued for it is sent, by a reset: what was cut off never
 *     looks whole.
 * I5. `countedBytes` is what waited for both sides at the last look, as the ledger knows it; 0 once closed.
 */
import {
  type CloseReason,
  type Connection,
  type ConnectionHandler,
  type ConnectionOrigin,
  resetConnection,
  type Timer,
} from '../../runtime/index.ts'
import type { CircuitPermit, UpstreamEndpoint } from '../../traffic/upstream/index.ts'
import type { MemoryHolder } from '../../wire/http2/index.ts'
import { pressedQueueBytes } from '../http/index.ts'
import { encodeProxyHeader } from '../proxy-protocol/index.ts'
import { clientHelloBytesMax, readClientHello } from './client-hello.ts'
import type { StreamListener, StreamTarget } from './stream-listener.ts'

/** Endpoints asked for one session before it is given up. */
const connectAttemptsMax = 5

type State = 'reading' | 'connecting' | 'open' | 'refused' | 'closed'

/** The client's side: what arrives from it goes to the endpoint. */
export class StreamSession implements ConnectionHandler, MemoryHolder {
  /** Sweeps since a byte went in either direction. The listener counts it up, bytes set it back. */
  idleSweeps = 0
  /** One side broke: the other is only sending what was queued. */
  isFlushing = false
  private readonly client: Connection
  private readonly origin: ConnectionOrigin
  private readonly listener: StreamListener
  private state: State
  private held: Uint8Array | undefined
  private isClientEnded = false
  private isClientClosed = false
  private helloTimer: Timer | undefined
  private target: StreamTarget | undefined
  private endpoint: UpstreamEndpoint | undefined
  private remote: RemoteSide | undefined
  private tried: UpstreamEndpoint[] | undefined
  private attempts = 0
  private attemptBeganMs = 0
  /** Of the attempt at `endpoint`. */
  private permit: CircuitPermit = 0
  private connectedMs = 0
  private countedBytes = 0
  private isCutOff = false

  constructor(client: Connection, origin: ConnectionOrigin, listener: StreamListener) {
    this.client = client
    this.origin = origin
    this.listener = listener
    this.state = listener.routes === undefined ? 'connecting' : 'reading'
  }

  /** The client's handler is set: begin. */
  start(): void {
    if (this.state === 'connecting') {
      this.client.pause()
      this.choose(this.listener.targetOf(this.listener.upstreamName))
      return
    }
    const { scheduler, helloTimeoutMs } = this.listener
    this.helloTimer = scheduler.setTimer(helloTimeoutMs, () => this.refuse('no ClientHello in time'))
  }

  onData(bytes: Uint8Array): void {
    this.idleSweeps = 0
    if (this.state === 'open') {
      const { remote } = this
      // The endpoint is gone, and the client does not know yet.
      if (remote === undefined) return
      this.listener.counters.bytesFromClients += bytes.length
      if (!this.pass(bytes, this.client, remote.connection)) this.client.pause()
    } else if (this.state === 'reading') this.readHello(bytes)
    // A piece that was on its way when the client was paused.
    else if (this.state === 'connecting') this.hold(bytes)
  }

  onEnd(): void {
    this.isClientEnded = true
    if (this.state === 'open') this.remote?.connection.end()
    else if (this.state === 'reading') this.refuse('the connection ended before the ClientHello')
  }

  onDrain(): void {
    this.recount()
    if (this.isFlushing) this.resetIfFlushed()
    else this.remote?.connection.resume()
  }

  onClose(reason: CloseReason): void {
    this.isClientClosed = true
    this.broke(reason)
    this.finish()
  }

  get heldBytes(): number {
    return this.isCutOff || this.state === 'closed'
      ? 0
      : this.client.queuedBytes + (this.remote?.connection.queuedBytes ?? 0)
  }

  /** Both sides see that it was cut off. */
  relinquish(): void {
    this.isCutOff = true
    this.countedBytes = 0
    resetConnection(this.client)
    if (this.remote !== undefined) resetConnection(this.remote.connection)
  }

  /** What waits may have become less since it was counted. */
  recount(): void {
    if (this.countedBytes > 0) this.count()
  }

  private count(): void {
    const { heldBytes } = this
    if (heldBytes === this.countedBytes) return
    this.countedBytes = heldBytes
    this.listener.ledger.note(this)
    this.listener.ledger.grown()
  }

  /** Writes `bytes`, whose memory can be read into again once the operating system has them. False: enough is queued. */
  private pass(bytes: Uint8Array, from: Connection, to: Connection): boolean {
    const wantsMore = to.write(bytes)
    const { queuedBytes } = to
    if (queuedBytes === 0) {
      if (to.freesWritten === true) from.giveBack?.(bytes)
      return wantsMore
    }
    this.count()
    const { ledger } = this.listener
    if (!wantsMore || queuedBytes <= pressedQueueBytes || !ledger.isPressed || to.tellDrain === undefined)
      return wantsMore
    ledger.earlyPauses++
    to.tellDrain()
    return false
  }

  /** Ends both sides now. */
  destroy(): void {
    this.client.destroy()
    this.remote?.connection.destroy()
  }

  /** Breaks what is left, once what was queued for it is sent. */
  resetIfFlushed(): void {
    const left = this.remote?.connection ?? this.client
    if (left.queuedBytes === 0) resetConnection(left)
  }

  /** The endpoint accepted. */
  opened(remote: RemoteSide): void {
    const { clock, counters, sendProxyProtocol } = this.listener
    this.state = 'open'
    this.tried = undefined
    this.connectedMs = clock.monotonicMs() - this.attemptBeganMs
    counters.opened++
    if (sendProxyProtocol !== 0) {
      remote.connection.write(encodeProxyHeader(sendProxyProtocol, this.origin.remote, this.origin.local))
    }
    const first = this.held
    this.held = undefined
    if (first !== undefined) this.onData(first)
    if (this.isClientEnded) remote.connection.end()
    this.client.resume()
  }

  fromRemote(bytes: Uint8Array): void {
    this.idleSweeps = 0
    this.listener.counters.bytesToClients += bytes.length
    const { remote } = this
    if (remote !== undefined && !this.pass(bytes, remote.connection, this.client)) remote.connection.pause()
  }

  remoteEnded(): void {
    if (this.state === 'open') this.client.end()
  }

  remoteDrained(): void {
    this.recount()
    if (this.isFlushing) this.resetIfFlushed()
    else if (this.state === 'open') this.client.resume()
  }

  remoteClosed(remote: RemoteSide, reason: CloseReason): void {
    if (remote !== this.remote) return
    this.remote = undefined
    if (this.state !== 'open') {
      this.failedToConnect(reason)
      return
    }
    this.endAttempt('success')
    if (reason !== 'ended') this.flushThenReset(this.client)
    this.finish()
  }

  private readHello(bytes: Uint8Array): void {
    this.hold(bytes)
    const result = readClientHello(this.held!)
    if (result.type === 'more') return
    this.helloTimer?.cancel()
    this.client.pause()
    if (result.type === 'refuse') {
      this.refuse(result.reason)
      return
    }
    const name = this.listener.routes!.find(result.serverName)
    if (name === undefined) {
      this.refuse(`no upstream serves ${result.serverName ?? 'clients that name no server'}`)
      return
    }
    this.state = 'connecting'
    this.choose(this.listener.targetOf(name))
  }

  private hold(bytes: Uint8Array): void {
    this.held = this.held === undefined ? bytes : Buffer.concat([this.held, bytes])
    // Only a transport that ignores `pause` gets here.
    if (this.state === 'connecting' && this.held.length > clientHelloBytesMax + (1 << 20)) this.refuse('unread bytes')
  }

  private choose(target: StreamTarget | undefined): void {
    this.target = target
    if (target === undefined) {
      this.refuse('the upstream is gone')
      return
    }
    const { upstream } = target
    const tried = this.tried
    const isExcluded = tried === undefined ? undefined : (e: UpstreamEndpoint): boolean => tried.includes(e)
    const picked = upstream.pick({ key: this.origin.remote.host, isExcluded })
    if (typeof picked === 'string') this.refuse(`upstream ${upstream.name}: ${picked}`)
    else this.connect(target, picked)
  }

  private connect({ upstream, network }: StreamTarget, endpoint: UpstreamEndpoint): void {
    this.attempts++
    this.endpoint = endpoint
    this.attemptBeganMs = this.listener.clock.monotonicMs()
    this.permit = upstream.begin(endpoint, this.attempts > 1)
    const { host, port } = endpoint.address
    const connection = network.connect({ host, port }, { timeoutMs: upstream.settings.connectTimeoutMs })
    this.remote = new RemoteSide(connection, this)
    connection.setHandler(this.remote)
  }

  private failedToConnect(reason: CloseReason): void {
    const { endpoint, target, listener } = this
    // The client went away first, and took the attempt with it.
    this.endAttempt(reason === 'local' ? 'cancelled' : 'connect-failure')
    if (this.isClientClosed || reason === 'local') {
      this.finish()
      return
    }
    listener.counters.connectFailures++
    this.tried = [...(this.tried ?? []), endpoint!]
    if (this.attempts < connectAttemptsMax && target!.upstream.takeRetry()) this.choose(target)
    else this.refuse(`cannot connect to ${endpoint!.address.host}:${endpoint!.address.port}: ${reason}`)
  }

  private endAttempt(result: 'success' | 'connect-failure' | 'cancelled'): void {
    const endpoint = this.endpoint
    if (endpoint === undefined) return
    this.endpoint = undefined
    const { clock } = this.listener
    const latencyMs = result === 'success' ? this.connectedMs : clock.monotonicMs() - this.attemptBeganMs
    this.target!.upstream.end(endpoint, result, latencyMs, this.permit)
  }

  private refuse(reason: string): void {
    if (this.state === 'refused' || this.state === 'closed') return
    this.state = 'refused'
    this.listener.refused(reason, this.origin)
    this.client.destroy()
  }

  /** The client is gone. */
  private broke(reason: CloseReason): void {
    const remote = this.remote
    if (remote === undefined) return
    if (this.state === 'open' && reason === 'ended') remote.connection.end()
    else if (this.state === 'open') this.flushThenReset(remote.connection)
    else remote.connection.destroy()
  }

  private flushThenReset(connection: Connection): void {
    if (connection.queuedBytes === 0) resetConnection(connection)
    else this.isFlushing = true
  }

  /** Both sides are gone. */
  private finish(): void {
    if (!this.isClientClosed || this.remote !== undefined || this.state === 'closed') return
    this.state = 'closed'
    this.helloTimer?.cancel()
    this.held = undefined
    if (this.countedBytes > 0) this.listener.ledger.forget(this)
    this.listener.ended(this)
  }
}

/** The endpoint's side: what arrives from it goes to the client. */
class RemoteSide implements ConnectionHandler {
  readonly connection: Connection
  private readonly session: StreamSession

  constructor(connection: Connection, session: StreamSession) {
    this.connection = connection
    this.session = session
  }

  onOpen(): void {
    this.session.opened(this)
  }

  onData(bytes: Uint8Array): void {
    this.session.fromRemote(bytes)
  }

  onEnd(): void {
    this.session.remoteEnded()
  }

  onDrain(): void {
    this.session.remoteDrained()
  }

  onClose(reason: CloseReason): void {
    this.session.remoteClosed(this, reason)
  }
}
