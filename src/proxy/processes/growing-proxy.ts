/**
 * A proxy of one process that becomes several when a reload asks for more workers. (It does not become one again: a single
 * worker process is left then.)
 *
 * I1. `current` takes the new connections. `leaving` is the worker of this process while what it accepted ends.
 */
import type { ProxyConfig } from '../config/index.ts'
import type { WorkerOutside } from '../worker/index.ts'
import { type AcceptorOptions, startProcesses } from './acceptor.ts'
import { type SingleProcess, startSingleProcess } from './single-process.ts'
import type { ProxyStatus, RunningProxy } from './status.ts'

class GrowingProxy implements RunningProxy {
  private readonly outside: WorkerOutside
  private readonly options: AcceptorOptions
  private current: RunningProxy
  /** The same as `current`, until it becomes several. */
  private single: SingleProcess | undefined
  private leaving: { readonly proxy: RunningProxy; readonly ended: Promise<void> } | undefined
  private isEnding = false
  /** Configurations that were taken before `current` began. */
  private versionsBefore = 0
  private drained: { readonly upstream: string; readonly endpoint: string }[] = []
  /** The last reload. Never rejects. */
  private changes: Promise<unknown> = Promise.resolve()

  constructor(single: SingleProcess, outside: WorkerOutside, options: AcceptorOptions) {
    this.single = single
    this.current = single
    this.outside = outside
    this.options = options
  }

  reload(config: ProxyConfig): Promise<void> {
    const done = this.changes.then(() => this.apply(config))
    this.changes = done.catch(() => {})
    return done
  }

  reopenLogs(): Promise<void> {
    return this.current.reopenLogs()
  }

  async setEndpointDraining(upstream: string, endpoint: string, draining: boolean): Promise<boolean> {
    const found = await this.current.setEndpointDraining(upstream, endpoint, draining)
    this.drained = this.drained.filter((each) => each.upstream !== upstream || each.endpoint !== endpoint)
    if (found && draining) this.drained.push({ upstream, endpoint })
    return found
  }

  async status(): Promise<ProxyStatus> {
    const status = await this.current.status()
    return { ...status, configVersion: status.configVersion + this.versionsBefore }
  }

  async drain(timeoutMs: number): Promise<void> {
    this.isEnding = true
    await this.changes
    await Promise.all([this.current.drain(timeoutMs), this.leaving?.ended])
  }

  async stop(): Promise<void> {
    this.isEnding = true
    await Promise.all([this.current.stop(), this.leaving?.proxy.stop()])
  }

  private async apply(config: ProxyConfig): Promise<void> {
    const { single } = this
    if (single === undefined || config.workers === 1) return this.current.reload(config)
    if (this.isEnding) throw new Error('the proxy is ending: no configuration is taken any more')
    const { configVersion } = await single.status()
    const several = await startProcesses(config, this.outside, this.options, single.sockets())
    for (const { upstream, endpoint } of this.drained) await several.setEndpointDraining(upstream, endpoint, true)
    this.versionsBefore = configVersion
    this.current = several
    this.single = undefined
    const ended = single.drain(config.drainTimeoutMs).then(() => {
      this.leaving = undefined
    })
    this.leaving = { proxy: single, ended }
  }
}

/** Starts a proxy of one worker in this process; further workers, when a reload asks for them, are processes. */
export async function startGrowingProxy(
  config: ProxyConfig,
  outside: WorkerOutside,
  options: AcceptorOptions,
): Promise<RunningProxy> {
  return new GrowingProxy(await startSingleProcess(config, outside), outside, options)
}
