/**
 * Messages between the nodes of a cluster. Owned by the replication host; knows nothing of what it carries.
 *
 * - T1  Messages to one peer arrive in the order sent, or not at all: any may be lost, none is repeated.
 * - T2  Only members of the same cluster are heard, each under the id it greeted with. Who is one can change at any time
 *       (`setPeers`): what is sent to others is dropped, and what they send is refused.
 * - T3  `onPeerLost` comes once for each loss of contact: when an established connection with the peer, in either
 *       direction, is ended or reset by the other side. It suggests, and does not prove, that the peer's process died.
 */
import type { MemberId } from '../../core/index.ts'
import type { Address, Connection, Listener, Runtime } from '../../runtime/index.ts'
import type { Hello, OutgoingMessage, PeerRefusal } from './frames.ts'
import { PeerLink } from './peer-link.ts'
import { PeerReceiver } from './peer-receiver.ts'

/**
 * Stands between the network and the node: calls `deliver` once, later, twice or never, as a network that loses, delays
 * and repeats would.
 */
export type MessageDelivery = (
  message: {
    readonly from: MemberId
    readonly to: MemberId
    readonly kind: number
    readonly group: number
    readonly payload: Uint8Array
  },
  deliver: () => void,
) => void

interface Link {
  readonly link: PeerLink
  readonly address: Address
}

export interface PeerTransportOptions {
  readonly clusterId: bigint
  readonly self: MemberId
  /** Drawn when this node's data directory was made. */
  readonly incarnation: bigint
  readonly listen: readonly Address[]
  /** The other members, at first. */
  readonly peers: ReadonlyMap<MemberId, Address>
  /** Whether `peer` was a member and is none any more. */
  readonly isRemoved: (peer: MemberId) => boolean
  /**
   * Who the members are, for a node that wants to join, and for a peer that does not know this one; undefined while there is
   * nothing to tell.
   */
  readonly introduction: () => Uint8Array | undefined
  /** Somebody who is no member as far as this node knows tells who the members are. */
  readonly onIntroduction: (body: Uint8Array) => void
  readonly onMessage: (from: MemberId, kind: number, group: number, payload: Uint8Array) => void
  readonly onPeerLost: (peer: MemberId) => void
  /** Whether a member that greets with `incarnation` is the one known: false refuses it as `replaced`. */
  readonly recognises: (peer: MemberId, incarnation: bigint) => boolean
  readonly onRefused: (peer: MemberId, refusal: PeerRefusal) => void
  readonly reconnectDelayMsMin?: number
  readonly reconnectDelayMsMax?: number
  readonly queuedBytesMax?: number
  /** For tests: decides what becomes of a message that arrived. Without it, each is delivered at once. */
  readonly delivery?: MessageDelivery | undefined
  /** More incoming connections than this are turned away. */
  readonly incomingConnectionsMax?: number
}

export class PeerTransport {
  private readonly runtime: Runtime
  private readonly options: PeerTransportOptions
  private readonly links = new Map<MemberId, Link>()
  private readonly receivers = new Set<PeerReceiver>()
  private listeners: Listener[] = []
  private closed = false
  /** Sent over links that are no more. */
  private formerlySentBytes = 0

  private constructor(runtime: Runtime, options: PeerTransportOptions) {
    this.runtime = runtime
    this.options = options
  }

  /** Listens and starts to dial every peer. Rejects with a ListenError. */
  static async open(runtime: Runtime, options: PeerTransportOptions): Promise<PeerTransport> {
    const transport = new PeerTransport(runtime, options)
    try {
      for (const address of options.listen)
        transport.listeners.push(await runtime.network.listen(address, (connection) => transport.accept(connection)))
    } catch (error) {
      await transport.close()
      throw error
    }
    transport.setPeers(options.peers)
    return transport
  }

  get addresses(): readonly Address[] {
    return this.listeners.map((listener) => listener.address)
  }

  /** Bytes sent to all peers since the start. */
  get sentBytes(): number {
    let bytes = this.formerlySentBytes
    for (const { link } of this.links.values()) bytes += link.sentBytes
    return bytes
  }

  /** Who the other members are from now on, and where. Links to the rest end; one to another address is made anew. */
  setPeers(peers: ReadonlyMap<MemberId, Address>): void {
    if (this.closed) return
    for (const [peer, { address }] of this.links) {
      const now = peers.get(peer)
      if (now?.host === address.host && now.port === address.port) continue
      this.removeLink(peer)
      if (now === undefined) for (const receiver of this.receivers) if (receiver.peer === peer) receiver.close()
    }
    for (const [peer, address] of peers)
      if (peer !== this.options.self && !this.links.has(peer)) this.addPeer(peer, address)
  }

  send(to: MemberId, message: OutgoingMessage): void {
    this.links.get(to)?.link.send(message)
  }

  isConnected(peer: MemberId): boolean {
    return this.links.get(peer)?.link.connected ?? false
  }

  async close(): Promise<void> {
    this.closed = true
    for (const { link } of this.links.values()) link.close()
    for (const receiver of this.receivers) receiver.close()
    await Promise.all(this.listeners.map((listener) => listener.close()))
    this.listeners = []
  }

  private addPeer(peer: MemberId, address: Address): void {
    this.links.set(peer, {
      address,
      link: new PeerLink(this.runtime, {
        clusterId: this.options.clusterId,
        self: this.options.self,
        incarnation: this.options.incarnation,
        onRefused: this.options.onRefused,
        introduction: this.options.introduction,
        peer,
        address,
        reconnectDelayMsMin: this.options.reconnectDelayMsMin ?? 10,
        reconnectDelayMsMax: this.options.reconnectDelayMsMax ?? 500,
        queuedBytesMax: this.options.queuedBytesMax ?? 64 * 1024 * 1024,
        onLost: (lost) => this.onLost(lost),
      }),
    })
  }

  private removeLink(peer: MemberId): void {
    const link = this.links.get(peer)?.link
    if (link === undefined) return
    this.formerlySentBytes += link.sentBytes
    link.close()
    this.links.delete(peer)
  }

  private accept(connection: Connection): void {
    if (this.closed || !this.makeRoom()) {
      connection.setHandler({ onData() {}, onClose() {} })
      connection.destroy()
      return
    }
    this.receivers.add(
      new PeerReceiver(this.runtime, connection, {
        helloTimeoutMs: 5000,
        admit: (hello) => this.admit(hello),
        answerJoin: this.options.introduction,
        onIntroduction: this.options.onIntroduction,
        onMessage: this.receive,
        onClosed: (receiver, from, reason) => {
          this.receivers.delete(receiver)
          if (from !== undefined && reason !== 'local') this.onLost(from)
        },
      }),
    )
  }

  /**
   * Whether one more may come in. When all places are taken, the connection that has gone longest without a greeting
   * gives up its place: strangers that say nothing must not keep members out.
   */
  private makeRoom(): boolean {
    if (this.receivers.size < (this.options.incomingConnectionsMax ?? 64)) return true
    for (const receiver of this.receivers) {
      if (receiver.peer !== undefined) continue
      this.receivers.delete(receiver)
      receiver.close()
      return true
    }
    return false
  }

  private admit(hello: Hello): PeerRefusal | undefined {
    const { clusterId, self } = this.options
    const foreign = (message: string): PeerRefusal => ({ code: 'foreign', message })
    if (hello.clusterId !== clusterId)
      return foreign(
        `this node belongs to cluster ${clusterId.toString(16)}, not ${hello.clusterId.toString(16)}; check --initial-cluster and --initial-cluster-token`,
      )
    if (hello.to !== self)
      return foreign(
        `this node is member ${self.toString(16)}, not ${hello.to.toString(16)}; check the peer URLs in --initial-cluster`,
      )
    if (this.options.isRemoved(hello.from))
      return { code: 'removed', message: `member ${hello.from.toString(16)} was removed from this cluster` }
    if (!this.links.has(hello.from)) {
      return { code: 'unknown', message: `member ${hello.from.toString(16)} is not known here (yet)` }
    }
    if (!this.options.recognises(hello.from, hello.incarnation))
      return {
        code: 'replaced',
        message: `member ${hello.from.toString(16)} comes back with another data directory than this cluster knows it by`,
      }
    // A peer that greets anew has lost its former connection, whether or not we were told.
    for (const receiver of this.receivers) if (receiver.peer === hello.from) receiver.close()
    return undefined
  }

  private readonly receive: PeerTransportOptions['onMessage'] = (from, kind, group, payload) => {
    const { delivery, onMessage, self } = this.options
    if (delivery === undefined) return onMessage(from, kind, group, payload)
    delivery({ from, to: self, kind, group, payload }, () => onMessage(from, kind, group, payload))
  }

  private onLost(peer: MemberId): void {
    if (!this.closed) this.options.onPeerLost(peer)
  }
}
