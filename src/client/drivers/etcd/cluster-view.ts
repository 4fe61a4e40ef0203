/**
 * The driver's nodes together: who is ready, who leads, who should be asked.
 *
 * - V1  The leader is whom the node that knows the highest term takes for it. Writes and linearizable reads go to it while
 *       it is ready; any other node would have to pass them on.
 * - V2  The nodes are asked again who leads when a term rose, a connection was lost, or somebody knew no leader; and again
 *       until the leader is known and ready.
 */
import type { Timer } from '../../../runtime/index.ts'
import type { NodeStatus } from '../../../wire/etcd-client/index.ts'
import type { CallMetadata } from '../../../wire/grpc-client/index.ts'
import type { ClientRuntime } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import { backoffMs } from './backoff.ts'
import { Endpoint, type EndpointWatcher, type Preference } from './endpoint.ts'
import type { EtcdDriverSettings } from './options.ts'

/** A node that knows no leader refuses at once, with certainty, what otherwise would wait there for one. */
const requireLeader = ['hasleader', 'true'] as const

const askFirstMs = 25
const askMostMs = 500
const statusTimeoutMs = 500

export class ClusterView implements EndpointWatcher {
  readonly endpoints: readonly Endpoint[]
  private readonly outside: ClientRuntime
  private readonly token: () => string | undefined
  private readonly usableListeners = new Set<() => void>()
  private clusterId: bigint | undefined = undefined
  private leader: Endpoint | undefined = undefined
  /** The highest term that anybody was heard to be in. */
  private term = 0
  private turn = 0
  private timer: Timer | undefined = undefined
  private asked = 0
  private closed = false
  private metadataToken: string | undefined = undefined
  private plainMetadata: CallMetadata = []
  private leaderMetadata: CallMetadata = [requireLeader]

  constructor(outside: ClientRuntime, settings: EtcdDriverSettings, token: () => string | undefined) {
    this.outside = outside
    this.token = token
    this.endpoints = settings.endpoints.map((address, i) => new Endpoint(i, address, outside, settings, this))
    this.turn = outside.random.below(this.endpoints.length)
  }

  open(): void {
    for (const endpoint of this.endpoints) endpoint.open()
  }

  /** Resolves once a node is ready; rejects with `UNAVAILABLE` when none is in time. */
  someReady(withinMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = this.onUsable(() => {
        end()
        timer.cancel()
        resolve()
      })
      const timer = this.outside.scheduler.setTimer(withinMs, () => {
        end()
        reject(
          new SynodError(
            'UNAVAILABLE',
            `no node answered within ${withinMs} ms (${this.problems()}). Check the addresses, and that the cluster runs.`,
          ),
        )
      })
    })
  }

  /** Called whenever a node may have become one that can be asked. Returns what ends it. */
  onUsable(listener: () => void): () => void {
    this.usableListeners.add(listener)
    return () => this.usableListeners.delete(listener)
  }

  /** Whom to ask, not one of `avoid` (bits by index); undefined: nobody who could answer. */
  choose(preference: Preference, avoid = 0): Endpoint | undefined {
    const { leader } = this
    if (preference === 'leader' && leader !== undefined && usable(leader, preference, avoid) && !leader.silent)
      return leader
    const { endpoints } = this
    let fallback: Endpoint | undefined
    for (let i = 0; i < endpoints.length; i++) {
      this.turn = this.turn + 1 < endpoints.length ? this.turn + 1 : 0
      const endpoint = endpoints[this.turn]!
      if (!usable(endpoint, preference, avoid)) continue
      if (!endpoint.silent) return endpoint
      fallback = endpoint
    }
    return fallback
  }

  /** Why nobody can be asked. */
  problems(): string {
    return this.endpoints.map((endpoint) => `${endpoint.name}: ${problemOf(endpoint)}`).join('; ')
  }

  /** An answer came with this term. */
  noteTerm(term: number): void {
    if (term <= this.term) return
    this.term = term
    this.askWhoLeads()
  }

  /** Asks all who are ready, soon; more calls meanwhile are this one. */
  askWhoLeads(): void {
    if (this.timer !== undefined || this.closed) return
    const delayMs = this.asked === 0 ? 0 : backoffMs(this.outside.random, this.asked, askFirstMs, askMostMs)
    this.timer = this.outside.scheduler.setTimer(delayMs, () => this.askNow())
  }

  /** It has left something unanswered: if it leaves this unanswered too, others are preferred. */
  suspect(endpoint: Endpoint): void {
    endpoint.probe(statusTimeoutMs, () => {
      if (endpoint.silent) this.askWhoLeads()
    })
  }

  metadata(preference: Preference): CallMetadata {
    const token = this.token()
    if (token !== this.metadataToken) {
      this.metadataToken = token
      this.plainMetadata = token === undefined ? [] : [['token', token]]
      this.leaderMetadata = [requireLeader, ...this.plainMetadata]
    }
    return preference === 'any' ? this.plainMetadata : this.leaderMetadata
  }

  admits({ clusterId }: NodeStatus): boolean {
    this.clusterId ??= clusterId
    return clusterId === this.clusterId
  }

  onReadiness(endpoint: Endpoint): void {
    if (endpoint.ready) {
      this.onStatus(endpoint)
      return
    }
    this.decideLeader()
    this.askWhoLeads()
  }

  onStatus(endpoint: Endpoint): void {
    const { status } = endpoint
    if (status !== undefined && status.term > this.term) this.term = status.term
    this.decideLeader()
    if (endpoint.ready) for (const listener of [...this.usableListeners]) listener()
    if (!this.settled()) this.askWhoLeads()
  }

  close(): void {
    this.closed = true
    this.timer?.cancel()
    for (const endpoint of this.endpoints) endpoint.close()
  }

  private askNow(): void {
    this.asked++
    const ready = this.endpoints.filter((endpoint) => endpoint.ready)
    let open = ready.length
    for (const endpoint of ready) {
      endpoint.probe(statusTimeoutMs, () => {
        if (--open === 0) this.afterAsking()
      })
    }
    if (open === 0) this.afterAsking()
  }

  private afterAsking(): void {
    this.timer = undefined
    this.decideLeader()
    if (this.settled()) this.asked = 0
    else this.askWhoLeads()
  }

  /** Everybody who is ready knows a leader, nobody is behind, and the leader is ready if it is one of ours. */
  private settled(): boolean {
    const ready = this.endpoints.filter((endpoint) => endpoint.ready)
    // Whoever connects next is asked then.
    if (ready.length === 0) return true
    if (ready.some(({ leaderless, silent, learner }) => (leaderless && !learner) || silent)) return false
    const lost = this.endpoints.length > ready.length
    return this.leader !== undefined || !lost
  }

  private decideLeader(): void {
    let best: NodeStatus | undefined
    for (const { ready, status } of this.endpoints)
      if (ready && status !== undefined && status.leader !== 0n && status.term > (best?.term ?? -1)) best = status
    const leaderId = best?.leader
    this.leader = this.endpoints.find(
      ({ ready, status }) => ready && status !== undefined && status.memberId === leaderId,
    )
  }
}

function usable(endpoint: Endpoint, preference: Preference, avoid: number): boolean {
  if (!endpoint.ready || (avoid & (1 << endpoint.index)) !== 0) return false
  return preference === 'any' || !(endpoint.leaderless || endpoint.learner)
}

function problemOf(endpoint: Endpoint): string {
  if (!endpoint.ready) return endpoint.problem
  if (endpoint.leaderless) return 'it knows no leader'
  return endpoint.learner ? 'it is a learner' : 'connected'
}
