/** What is known once for all workers: health by active checks, rate limits, requests under way. Lives in the acceptor. */
import type { HealthSnapshot } from '../../traffic/index.ts'
import type { ProxyConfig, ProxyUpstreamConfig } from '../config/index.ts'
import { RateLimitOwner, rateLimitsOf } from '../limits/index.ts'
import { type ActiveCounts, type UpstreamNetworks, type WorkerOutside, WorkerUpstreams } from '../worker/index.ts'
import { HealthBroadcast } from './health-broadcast.ts'
import type { FromWorker } from './messages.ts'
import type { WorkerProcess } from './worker-process.ts'

export class SharedState {
  private readonly outside: WorkerOutside
  private readonly workers: ReadonlySet<WorkerProcess>
  private readonly limits = new RateLimitOwner()
  /** Those that have active checks. */
  private readonly checked: WorkerUpstreams
  private readonly broadcast: HealthBroadcast
  /** Ends the listening to an upstream's health, by name. */
  private readonly listening = new Map<string, () => void>()
  private readonly active = new Map<WorkerProcess, ActiveCounts>()

  constructor(outside: WorkerOutside, workers: ReadonlySet<WorkerProcess>, callerId: string) {
    this.outside = outside
    this.workers = workers
    const send = (snapshots: readonly HealthSnapshot[]): void => {
      for (const worker of workers) worker.send({ type: 'health', snapshots })
    }
    this.broadcast = new HealthBroadcast({ clock: outside.clock, scheduler: outside.scheduler, send })
    this.checked = new WorkerUpstreams(outside, { activeChecks: true, callerId })
  }

  /** Reads what the checks need. Rejects when a file cannot be read; nothing has changed then. */
  prepare(config: ProxyConfig): Promise<UpstreamNetworks> {
    return this.checked.prepare(checkedOf(config))
  }

  apply(config: ProxyConfig, networks: UpstreamNetworks): void {
    const wanted = checkedOf(config)
    this.limits.reconfigure(rateLimitsOf(config.listeners.filter((listener) => listener.protocol === 'http')))
    this.checked.apply(wanted, networks)
    this.checked.retain(wanted, 0)
    const { byName } = this.checked
    for (const [name, stop] of this.listening) {
      if (byName.has(name)) continue
      stop()
      this.broadcast.forget(name)
      this.listening.delete(name)
    }
    for (const [name, { upstream }] of byName) {
      if (this.listening.has(name)) continue
      this.listening.set(
        name,
        upstream.onHealthChange(() => this.broadcast.change(name, () => upstream.exportHealth())),
      )
    }
  }

  /** What a new worker is told first. */
  health(): HealthSnapshot[] {
    return [...this.checked.byName.values()].map(({ upstream }) => upstream.exportHealth())
  }

  told(worker: WorkerProcess, message: Exclude<FromWorker, { type: 'answer' | 'socket' | 'beat' }>): void {
    if (message.type === 'lease') {
      const grant = this.limits.request(message.lease, this.outside.clock.monotonicMs())
      worker.send({ type: 'grant', grant })
    } else {
      this.active.set(worker, message.active)
      this.tellActive()
    }
  }

  ended(worker: WorkerProcess): void {
    if (this.active.delete(worker)) this.tellActive()
  }

  close(): void {
    for (const stop of this.listening.values()) stop()
    this.listening.clear()
    this.broadcast.close()
    this.checked.close()
  }

  private tellActive(): void {
    for (const worker of this.workers) {
      const others = [...this.active].filter(([each]) => each !== worker).map(([, counts]) => counts)
      worker.send({ type: 'foreign-active', active: sum(others) })
    }
  }
}

function checkedOf(config: ProxyConfig): ProxyUpstreamConfig[] {
  return config.upstreams.filter(({ settings }) => settings.activeCheck !== undefined)
}

function sum(all: readonly ActiveCounts[]): ActiveCounts {
  const total: Record<string, Record<string, number>> = {}
  for (const counts of all) {
    for (const [upstream, endpoints] of Object.entries(counts)) {
      total[upstream] ??= {}
      const into = total[upstream]
      for (const [endpoint, active] of Object.entries(endpoints)) into[endpoint] = (into[endpoint] ?? 0) + active
    }
  }
  return total
}
