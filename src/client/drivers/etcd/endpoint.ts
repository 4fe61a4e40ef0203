/**
 * One node: its connection, made anew for as long as the driver lives, and what the node last said of itself.
 *
 * - N1  A node is asked nothing but for its status until it has said, on this connection, which member of which cluster it
 *       is: two clusters are never mixed, and the leader is recognised when it is met.
 * - N2  After a connection is lost, the next attempt follows after a back-off with jitter, without end.
 */
import type { Address, Timer } from '../../../runtime/index.ts'
import { decodeStatusResponse, etcdPaths, type NodeStatus } from '../../../wire/etcd-client/index.ts'
import { type CallMetadata, GrpcChannel, type UnaryReply } from '../../../wire/grpc-client/index.ts'
import type { ClientRuntime } from '../../driver/index.ts'
import { backoffMs } from './backoff.ts'
import type { EtcdDriverSettings } from './options.ts'
import { judge } from './refusals.ts'

const reconnectFirstMs = 50
const reconnectMostMs = 1000
const emptyRequest = new Uint8Array(0)

/** Who should answer. `any`: whoever is near. `leader`: it takes a quorum, so best the leader. `spread`: so, but not all on the leader. */
export type Preference = 'any' | 'leader' | 'spread'

/** Who wants to know what happens to a node. */
export interface EndpointWatcher {
  /** It greeted, or lost its connection. */
  onReadiness(endpoint: Endpoint): void
  /** It told its status again. */
  onStatus(endpoint: Endpoint): void
  /** What goes with a request. The same array for as long as it is the same, so that it is encoded once. */
  metadata(preference: Preference): CallMetadata
  /** Whether a node of this cluster may be used. */
  admits(status: NodeStatus): boolean
}

export class Endpoint {
  /** Its place among the driver's nodes: 0 and up. */
  readonly index: number
  readonly name: string
  readonly channel: GrpcChannel
  /** What it last said on this connection. Undefined: not greeted, or it would not tell. */
  status: NodeStatus | undefined = undefined
  /** Greeted, and the connection stands. */
  ready = false
  /** It refused something because it knows no leader, or is none that votes; until it says otherwise. */
  leaderless = false
  learner = false
  /** It left a question of ours unanswered while it was connected; others are preferred until it answers one. */
  silent = false
  /** Why it is not ready, for error messages. */
  problem = 'not connected yet'
  private readonly outside: ClientRuntime
  private readonly settings: EtcdDriverSettings
  private readonly watcher: EndpointWatcher
  private attempts = 0
  private timer: Timer | undefined = undefined
  private greeting = false
  private probing: (() => void)[] = []
  private closed = false

  constructor(
    index: number,
    address: Address,
    outside: ClientRuntime,
    settings: EtcdDriverSettings,
    watcher: EndpointWatcher,
  ) {
    this.index = index
    this.name = `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
    this.outside = outside
    this.settings = settings
    this.watcher = watcher
    this.channel = new GrpcChannel(outside, address, {
      authority: this.name,
      secure: settings.secure,
      maxReceiveMessageBytes: settings.maxReceiveMessageBytes,
      connectTimeoutMs: settings.connectTimeoutMs,
      keepAliveTimeMs: settings.keepAliveTimeMs,
      keepAliveTimeoutMs: settings.keepAliveTimeoutMs,
      userAgent: 'synod-client',
    })
    this.channel.onStateChange(() => {
      if (this.ready && this.channel.state !== 'ready') this.lose(this.channel.failure ?? 'the connection was lost')
    })
  }

  /** Connects and greets, now. */
  open(): void {
    if (this.closed || this.ready || this.greeting) return
    this.timer?.cancel()
    this.timer = undefined
    this.greeting = true
    this.channel.connect()
    this.askStatus(this.settings.connectTimeoutMs, (reply) => {
      this.greeting = false
      this.greeted(reply)
    })
  }

  /**
   * Asks how it is, once for all who want to know meanwhile. `done` is told whether it answered; one that does not is
   * `silent` until it does.
   */
  probe(timeoutMs: number, done: () => void): void {
    this.probing.push(done)
    if (this.probing.length > 1) return
    this.askStatus(timeoutMs, (reply) => {
      const waiting = this.probing
      this.probing = []
      const status = reply.ok ? decodeStatusResponse(reply.message) : undefined
      if (this.ready) {
        this.silent = !reply.ok && reply.origin !== 'server'
        if (status !== undefined) this.setStatus(status)
        this.watcher.onStatus(this)
      }
      for (const each of waiting) each()
    })
  }

  close(): void {
    this.closed = true
    this.ready = false
    this.timer?.cancel()
    this.channel.close('the driver was closed')
  }

  private askStatus(timeoutMs: number, done: (reply: UnaryReply) => void): void {
    this.channel.unary(etcdPaths.status, emptyRequest, { timeoutMs, metadata: this.watcher.metadata('any') }, done)
  }

  private greeted(reply: UnaryReply): void {
    if (this.closed) return
    if (reply.ok) {
      const status = decodeStatusResponse(reply.message)
      if (status === undefined) this.lose('it answered with something that is no status')
      else if (this.watcher.admits(status)) this.becomeReady(status)
      else this.lose('it belongs to another cluster than the first node that answered')
      return
    }
    // A server may keep its status from those who are not logged in: then it is used without knowing who it is.
    const { code } = judge(reply)
    const refused = code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED' || code === 'NOT_SUPPORTED'
    if (reply.origin === 'server' && refused) this.becomeReady(undefined)
    else this.lose(reply.message)
  }

  private becomeReady(status: NodeStatus | undefined): void {
    // The connection may have ended between the answer and now.
    if (this.channel.state !== 'ready') {
      this.lose('the connection was lost')
      return
    }
    this.ready = true
    this.attempts = 0
    this.silent = false
    this.leaderless = false
    this.learner = false
    if (status !== undefined) this.setStatus(status)
    this.watcher.onReadiness(this)
  }

  private setStatus(status: NodeStatus): void {
    this.status = status
    this.leaderless = status.leader === 0n
    this.learner = status.isLearner
  }

  private lose(problem: string): void {
    if (this.closed) return
    const was = this.ready
    this.ready = false
    this.status = undefined
    this.problem = problem
    this.attempts++
    if (was) this.watcher.onReadiness(this)
    if (this.timer !== undefined) return
    const delayMs = backoffMs(this.outside.random, this.attempts, reconnectFirstMs, reconnectMostMs)
    this.timer = this.outside.scheduler.setTimer(delayMs, () => {
      this.timer = undefined
      this.open()
    })
  }
}
