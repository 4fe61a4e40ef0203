/**
 * An upstream as the proxy uses it: the group of endpoints and a pool of connections to each. Owns the `Upstream` and the
 * pools; made by the worker, shared by its listeners.
 *
 * - U1  An endpoint's pool is made when it gets its first request, kept in `endpoint.attachment`, and drained when the
 *       endpoint has left the set or what pools are made from has changed. Requests under way end on the old pool.
 */
import { createHash } from 'node:crypto'
import { assert } from '../../base/index.ts'
import type { Clock, Network, Scheduler } from '../../runtime/index.ts'
import type { BalancePolicy, Upstream, UpstreamEndpoint } from '../../traffic/upstream/index.ts'
import type { ProxyUpstreamConfig } from '../config/index.ts'
import type { CreatePool, EndpointPool } from '../http/index.ts'

/** How pools are made, by the protocol of the upstream. */
export type PoolMakers = Readonly<Record<ProxyUpstreamConfig['protocol'], CreatePool>>

export interface ProxyUpstreamInit {
  readonly upstream: Upstream
  readonly config: ProxyUpstreamConfig
  /** TCP, or TLS as `config.tls` says. */
  readonly network: Network
  readonly pools: PoolMakers
  readonly clock: Clock
  readonly scheduler: Scheduler
}

/** What the proxy keeps of an endpoint, in its `attachment`. */
export interface EndpointSlot {
  readonly pool: EndpointPool
  /** `host:port`, for the log. */
  readonly address: string
  /** Stands for the endpoint in a cookie. */
  readonly stickyValue: string
}

const hashingPolicies: ReadonlySet<BalancePolicy> = new Set<BalancePolicy>([
  'ip-hash',
  'rendezvous',
  'ring-hash',
  'maglev',
  'jump-hash',
  'ketama',
])

export class ProxyUpstream {
  readonly name: string
  readonly upstream: Upstream
  private readonly init: ProxyUpstreamInit
  private currentConfig: ProxyUpstreamConfig
  private network: Network
  private readonly pooled = new Set<UpstreamEndpoint>()
  private readonly stopListening: () => void
  private stickyIds = new Map<string, string>()
  /** The `upstream.endpoints` that `stickyIds` was made from. */
  private stickyEndpoints: readonly UpstreamEndpoint[] | undefined

  constructor(init: ProxyUpstreamInit) {
    this.name = init.upstream.name
    this.upstream = init.upstream
    this.init = init
    this.currentConfig = init.config
    this.network = init.network
    this.stopListening = init.upstream.onChange(() => this.drainLeft())
  }

  get config(): ProxyUpstreamConfig {
    return this.currentConfig
  }

  /** Whether its algorithm wants a key. */
  get isHashing(): boolean {
    return hashingPolicies.has(this.currentConfig.settings.balance.policy)
  }

  /** Connections of all pools, and those without a request. */
  get connections(): { readonly all: number; readonly idle: number } {
    let all = 0
    let idle = 0
    for (const endpoint of this.pooled) {
      const { pool } = this.slotOf(endpoint)
      all += pool.connections
      idle += pool.idleConnections
    }
    return { all, idle }
  }

  slotOf(endpoint: UpstreamEndpoint): EndpointSlot {
    const { attachment } = endpoint
    return attachment === undefined ? this.attach(endpoint) : (attachment as EndpointSlot)
  }

  poolOf(endpoint: UpstreamEndpoint): EndpointPool {
    return this.slotOf(endpoint).pool
  }

  /** The endpoint that a cookie names, if it gets requests now. */
  findSticky(value: string): UpstreamEndpoint | undefined {
    const { endpoints } = this.upstream
    if (endpoints !== this.stickyEndpoints) {
      this.stickyEndpoints = endpoints
      this.stickyIds = new Map(endpoints.map((each) => [this.stickyValue(each), each.id]))
    }
    const id = this.stickyIds.get(value)
    return id === undefined ? undefined : this.upstream.find(id)
  }

  /** Takes a new configuration of the same upstream; `network` is made for its `tls`. */
  reconfigure(config: ProxyUpstreamConfig, network: Network): void {
    const needsNewPools = poolKey(config) !== poolKey(this.currentConfig) || network !== this.network
    this.currentConfig = config
    this.network = network
    this.upstream.reconfigure(config.settings)
    if (needsNewPools) for (const endpoint of this.pooled) this.detach(endpoint)
  }

  /** Closes the upstream; connections close after the request they carry. */
  close(): void {
    this.stopListening()
    for (const endpoint of this.pooled) this.detach(endpoint)
    this.upstream.close()
  }

  private attach(endpoint: UpstreamEndpoint): EndpointSlot {
    const { host, port } = endpoint.address
    const config = this.currentConfig
    const createPool = this.init.pools[config.protocol]
    assert(createPool !== undefined, `no pools for ${config.protocol}`)
    const { clock, scheduler } = this.init
    const slot: EndpointSlot = {
      pool: createPool({ clock, scheduler, network: this.network, host, port, config }),
      address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
      stickyValue: this.stickyValue(endpoint),
    }
    endpoint.attachment = slot
    this.pooled.add(endpoint)
    return slot
  }

  private detach(endpoint: UpstreamEndpoint): void {
    const { pool } = this.slotOf(endpoint)
    this.pooled.delete(endpoint)
    endpoint.attachment = undefined
    pool.drain()
  }

  private drainLeft(): void {
    for (const endpoint of this.pooled) if (!endpoint.isMember) this.detach(endpoint)
  }

  /**
   * The same in every worker and after every start, and not the address itself. Who can guess addresses can still test a
   * guess, so it hides the address from the curious, not from the determined.
   */
  private stickyValue(endpoint: UpstreamEndpoint): string {
    return createHash('sha256').update(`${this.name}\0${endpoint.id}`).digest('hex').slice(0, 16)
  }
}

/** What pools are made from: when it changes they are made anew. */
function poolKey(config: ProxyUpstreamConfig): string {
  const { settings, ...rest } = config
  const { connectionsMax, pendingMax } = settings.circuit
  return JSON.stringify([rest, settings.connectTimeoutMs, connectionsMax, pendingMax])
}
