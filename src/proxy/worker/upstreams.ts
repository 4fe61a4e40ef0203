/**
 * The upstreams of a worker, by name. Owned by `ProxyWorker`.
 *
 * I1. An upstream that the configuration no longer names is closed after the drain time: what is under way ends on it.
 * I2. `newcomers` are open and not used yet: from `prepare` until `apply` takes them or `forgetNewcomers` closes them.
 */
import type { Disk, Network, Timer } from '../../runtime/index.ts'
import { type HealthSnapshot, openUpstream, type UpstreamView } from '../../traffic/upstream/index.ts'
import type { ProxyUpstreamConfig, UpstreamTlsConfig } from '../config/index.ts'
import { ProxyUpstream } from '../exchange/index.ts'
import { createHttp1Pool } from '../http1/index.ts'
import { createHttp2Pool } from '../http2/index.ts'
import type { StreamTarget } from '../stream/index.ts'
import { readAuthorities, readCertificate } from '../tls/index.ts'
import { EndpointLog } from './endpoint-log.ts'
import type { UpstreamTlsOptions, WorkerOptions, WorkerOutside } from './outside.ts'

const pools = { http1: createHttp1Pool, http2: createHttp2Pool }

interface KeptUpstream {
  readonly proxied: ProxyUpstream
  readonly network: Network
  /** What `network` was made from. */
  readonly networkKey: string
  readonly log: EndpointLog
}

/** So long requests for a new upstream may have to wait for the configuration that names it. */
const knownMsMax = 2_000

/** What is read from disk before anything changes. */
export type UpstreamNetworks = ReadonlyMap<string, { readonly network: Network; readonly key: string }>

export class WorkerUpstreams {
  /** As the exchange takes them. */
  readonly byName = new Map<string, ProxyUpstream>()
  private readonly outside: WorkerOutside
  private readonly options: WorkerOptions
  private readonly kept = new Map<string, KeptUpstream>()
  private readonly newcomers = new Map<string, KeptUpstream>()
  private readonly leaving = new Map<ProxyUpstream, Timer>()

  constructor(outside: WorkerOutside, options: WorkerOptions) {
    this.outside = outside
    this.options = options
  }

  /**
   * Reads what TLS towards the upstreams needs, opens those that are new, and waits until their endpoints are known, so that
   * no request comes before; for a while: a source that does not answer keeps nothing else waiting. Rejects when a file
   * cannot be read or used; nothing has changed then.
   */
  async prepare(configs: readonly ProxyUpstreamConfig[]): Promise<UpstreamNetworks> {
    const networks = new Map<string, { readonly network: Network; readonly key: string }>()
    for (const config of configs) {
      const { name } = config.settings
      const tls = config.tls === undefined ? undefined : await readTls(config.tls, config.protocol, this.outside.disk)
      const key = JSON.stringify(tls ?? null)
      const known = this.kept.get(name)
      // The same network keeps the pools that were made from it.
      if (known?.networkKey === key) networks.set(name, { network: known.network, key })
      else networks.set(name, { network: tls === undefined ? this.outside.network : this.outside.tlsNetwork(tls), key })
    }
    for (const config of configs) {
      const { name } = config.settings
      const { network, key } = networks.get(name)!
      if (!this.kept.has(name)) this.newcomers.set(name, this.open(config, network, key))
    }
    await this.newcomersKnown()
    return networks
  }

  /** The configuration is not taken after all. */
  forgetNewcomers(): void {
    for (const { proxied, log } of this.newcomers.values()) {
      log.close()
      proxied.close()
    }
    this.newcomers.clear()
  }

  private async newcomersKnown(): Promise<void> {
    const giveUp = new AbortController()
    const timer = this.outside.scheduler.setTimer(knownMsMax, () => giveUp.abort())
    const waiting = [...this.newcomers].map(async ([upstream, { proxied }]) => {
      await proxied.upstream.ready(giveUp.signal).catch((error: Error) => {
        this.outside.logger.warn('the endpoints of an upstream are not known yet', { upstream, reason: error.message })
      })
    })
    await Promise.all(waiting)
    timer.cancel()
  }

  /** Takes those that are new into use and reconfigures the others. */
  apply(configs: readonly ProxyUpstreamConfig[], networks: UpstreamNetworks): void {
    for (const config of configs) {
      const { name } = config.settings
      const { network, key } = networks.get(name)!
      const known = this.kept.get(name)
      if (known === undefined) {
        const newcomer = this.newcomers.get(name)!
        this.kept.set(name, newcomer)
        this.byName.set(name, newcomer.proxied)
      } else {
        known.proxied.reconfigure(config, network)
        this.kept.set(name, { ...known, network, networkKey: key })
      }
    }
    this.newcomers.clear()
  }

  /** Lets go of those that `configs` has no more, once what is under way had its time. */
  retain(configs: readonly ProxyUpstreamConfig[], drainTimeoutMs: number): void {
    const names = new Set(configs.map((config) => config.settings.name))
    for (const [name, { proxied, log }] of this.kept) {
      if (names.has(name)) continue
      log.close()
      this.kept.delete(name)
      this.byName.delete(name)
      const timer = this.outside.scheduler.setTimer(drainTimeoutMs, () => {
        this.leaving.delete(proxied)
        proxied.close()
      })
      this.leaving.set(proxied, timer)
    }
  }

  targetOf(name: string): StreamTarget | undefined {
    const known = this.kept.get(name)
    return known === undefined ? undefined : { upstream: known.proxied.upstream, network: known.network }
  }

  setDraining(upstream: string, endpoint: string, draining: boolean): boolean {
    return this.byName.get(upstream)?.upstream.setDraining(endpoint, draining) ?? false
  }

  importHealth(snapshots: readonly HealthSnapshot[]): void {
    for (const snapshot of snapshots) this.byName.get(snapshot.upstream)?.upstream.importHealth(snapshot)
  }

  /** Requests of other workers under way: by upstream, by endpoint. */
  setForeignActive(active: ActiveCounts): void {
    for (const [name, { upstream }] of this.byName)
      upstream.setForeignActive(new Map(Object.entries(active[name] ?? {})))
  }

  /** Requests of this worker under way; endpoints without any are left out. */
  activeCounts(): ActiveCounts {
    const counts: Record<string, Record<string, number>> = {}
    for (const [name, { upstream }] of this.byName) {
      for (const { id, active } of upstream.view().endpoints) {
        if (active === 0) continue
        counts[name] ??= {}
        counts[name][id] = active
      }
    }
    return counts
  }

  views(): UpstreamView[] {
    return [...this.byName.values()].map(({ upstream }) => upstream.view())
  }

  close(): void {
    this.forgetNewcomers()
    for (const [proxied, timer] of this.leaving) {
      timer.cancel()
      proxied.close()
    }
    this.leaving.clear()
    for (const { proxied, log } of this.kept.values()) {
      log.close()
      proxied.close()
    }
    this.kept.clear()
    this.byName.clear()
  }

  private open(config: ProxyUpstreamConfig, network: Network, networkKey: string): KeptUpstream {
    const { outside } = this
    const { activeChecks, callerId } = this.options
    const upstream = openUpstream(config.settings, outside, { activeChecks, callerId, checkNetwork: network })
    const { clock, scheduler } = outside
    const proxied = new ProxyUpstream({ upstream, config, network, pools, clock, scheduler })
    return { proxied, network, networkKey, log: new EndpointLog(upstream, outside.logger, scheduler) }
  }
}

/** Requests under way by upstream, by endpoint. */
export type ActiveCounts = Readonly<Record<string, Readonly<Record<string, number>>>>

async function readTls(
  tls: UpstreamTlsConfig,
  protocol: ProxyUpstreamConfig['protocol'],
  disk: Disk,
): Promise<UpstreamTlsOptions> {
  const { caFile, certFile, keyFile } = tls
  const own =
    certFile === undefined || keyFile === undefined ? undefined : await readCertificate(certFile, keyFile, disk)
  return {
    ca: caFile === undefined ? undefined : await readAuthorities(caFile, disk),
    cert: own?.cert,
    key: own?.key,
    serverName: tls.serverName,
    rejectUnauthorized: tls.verify,
    // Servers without ALPN speak HTTP/1.1; none is offered, since one that selects none would be refused.
    alpnProtocols: protocol === 'http2' ? ['h2'] : [],
  }
}
