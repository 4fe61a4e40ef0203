/**
 * The acceptor: binds the listening sockets and keeps workers that serve them. It accepts nothing itself; the workers do,
 * each from the same sockets, as nginx's do.
 *
 * I1. There are `config.workers` workers, except while one is being started again. One that ends takes its own connections
 *     with it and no others; the sockets stay open here, so that new connections wait in the kernel meanwhile.
 * I2. A configuration is tried by one worker first. When that one refuses it, none of the others sees it, and it is as if
 *     it had never been.
 * I3. Reloads happen one after another.
 */
import type { BoundSocket, LogLevel, Timer } from '../../runtime/index.ts'
import type { ProxyConfig } from '../config/index.ts'
import { TicketKeys } from '../tls/index.ts'
import { listenerKey, type WorkerOutside } from '../worker/index.ts'
import type { WorkerRequest } from './messages.ts'
import { SharedState } from './shared-state.ts'
import { mergeViews, type ProxyStatus, type RunningProxy } from './status.ts'
import { WorkerProcess } from './worker-process.ts'

export interface AcceptorOptions {
  readonly logLevel: LogLevel
  readonly logFormat: 'text' | 'json'
  readonly registry: string | undefined
}

/** The first restart is immediate; each further one of a worker that did not live for `settledMs` waits twice as long. */
const restartFirstMs = 100
const restartLongestMs = 5_000
const settledMs = 5_000
/** Beyond the drain time, until a worker that does not end is killed. */
const drainGraceMs = 1_000

class Acceptor implements RunningProxy {
  private config: ProxyConfig
  private configVersion = 1
  private crashes = 0
  private quickCrashes = 0
  private isEnding = false
  private readonly outside: WorkerOutside
  private readonly options: AcceptorOptions
  private readonly workers = new Set<WorkerProcess>()
  private readonly sockets = new Map<string, BoundSocket>()
  private readonly shared: SharedState
  private readonly ticketKeys: TicketKeys
  private readonly restarts = new Set<Timer>()
  /** Endpoints that an operator took out: a worker that is started again must know. */
  private readonly drained = new Map<string, { readonly upstream: string; readonly endpoint: string }>()
  /** The last reload. Never rejects. */
  private changes: Promise<unknown> = Promise.resolve()

  constructor(config: ProxyConfig, outside: WorkerOutside, options: AcceptorOptions) {
    this.config = config
    this.outside = outside
    this.options = options
    this.shared = new SharedState(outside, this.workers)
    this.ticketKeys = new TicketKeys(outside.random, outside.scheduler, (keys) => {
      for (const worker of this.workers) worker.send({ type: 'ticket-keys', keys })
    })
  }

  async start(): Promise<void> {
    try {
      await this.bind(this.config)
      await this.shared.reconfigure(this.config)
      await Promise.all(Array.from({ length: this.config.workers }, () => this.startWorker()))
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  reload(config: ProxyConfig): Promise<void> {
    const done = this.changes.then(() => this.apply(config))
    this.changes = done.catch(() => {})
    return done
  }

  async reopenLogs(): Promise<void> {
    await Promise.all(this.serving().map((worker) => worker.request({ type: 'reopen-logs' })))
  }

  async setEndpointDraining(upstream: string, endpoint: string, draining: boolean): Promise<boolean> {
    const request: WorkerRequest = { type: 'endpoint', upstream, endpoint, draining }
    const answers = await Promise.all(this.serving().map((worker) => worker.request(request)))
    const found = answers.some((answer) => answer.found === true)
    const key = JSON.stringify([upstream, endpoint])
    if (found && draining) this.drained.set(key, { upstream, endpoint })
    else this.drained.delete(key)
    return found
  }

  async status(): Promise<ProxyStatus> {
    const { configVersion, crashes } = this
    const asked = [...this.workers].map(async (worker) => {
      // One that ends just now has nothing more to tell.
      const answer =
        worker.state === 'serving' ? await worker.request({ type: 'view' }).catch(() => undefined) : undefined
      return { worker, view: answer?.view }
    })
    const told = await Promise.all(asked)
    const views = told.flatMap(({ view }) => view ?? [])
    const workers = told.map(({ worker, view }) => {
      const connections = view?.listeners.reduce((sum, listener) => sum + listener.connections, 0) ?? 0
      return { processId: worker.processId, state: worker.state, connections }
    })
    return { configVersion, isDraining: this.isEnding, crashes, workers, ...mergeViews(views) }
  }

  async drain(timeoutMs: number): Promise<void> {
    this.beginEnding()
    const all = [...this.workers].map(async (worker) => {
      worker.state = 'draining'
      const timer = this.outside.scheduler.setTimer(timeoutMs + drainGraceMs, () => void worker.kill())
      await worker.request({ type: 'drain', timeoutMs }).catch(() => undefined)
      await worker.whenEnded()
      timer.cancel()
    })
    await Promise.all(all)
  }

  async stop(): Promise<void> {
    this.beginEnding()
    await Promise.all([...this.workers].map((worker) => worker.kill()))
  }

  private beginEnding(): void {
    this.isEnding = true
    this.ticketKeys.stop()
    this.shared.close()
    for (const timer of this.restarts) timer.cancel()
    for (const socket of this.sockets.values()) socket.close()
    this.sockets.clear()
  }

  private serving(): WorkerProcess[] {
    return [...this.workers].filter((worker) => worker.state === 'serving')
  }

  /** Binds the addresses that are new; those it bound, to be let go of when the configuration is refused. */
  private async bind(config: ProxyConfig): Promise<string[]> {
    const bound: string[] = []
    try {
      for (const listener of config.listeners) {
        const key = listenerKey(listener)
        if (this.sockets.has(key)) continue
        this.sockets.set(key, await this.outside.ports.bind({ host: listener.host, port: listener.port }))
        bound.push(key)
      }
    } catch (error) {
      this.unbind(bound)
      throw error
    }
    return bound
  }

  private unbind(keys: Iterable<string>): void {
    for (const key of keys) {
      this.sockets.get(key)?.close()
      this.sockets.delete(key)
    }
  }

  private async apply(config: ProxyConfig): Promise<void> {
    if (this.isEnding) throw new Error('the proxy is ending: no configuration is taken any more')
    const bound = await this.bind(config)
    const [first, ...others] = this.serving()
    try {
      if (first === undefined) throw new Error('no worker is serving just now: try again in a moment')
      for (const worker of [first, ...others]) this.giveSockets(worker, bound)
      await first.request({ type: 'reconfigure', config })
    } catch (error) {
      this.unbind(bound)
      throw error
    }
    const before = this.config
    this.config = config
    this.configVersion++
    await this.shared.reconfigure(config)
    await Promise.all(others.map((worker) => this.reconfigure(worker, config)))
    const keys = new Set(config.listeners.map(listenerKey))
    this.unbind([...this.sockets.keys()].filter((key) => !keys.has(key)))
    await this.resize(before.workers, config)
  }

  /** What one worker took the others take too; one that cannot is replaced by a new one, which starts by it. */
  private async reconfigure(worker: WorkerProcess, config: ProxyConfig): Promise<void> {
    try {
      await worker.request({ type: 'reconfigure', config })
    } catch (error) {
      this.outside.logger.error('a worker did not take the configuration and is replaced', {
        worker: worker.processId,
        reason: (error as Error).message,
      })
      await worker.kill()
    }
  }

  private async resize(before: number, config: ProxyConfig): Promise<void> {
    for (let count = before; count < config.workers; count++) await this.startWorker()
    const surplus = this.serving().slice(config.workers)
    for (const worker of surplus) {
      worker.state = 'draining'
      void worker.request({ type: 'drain', timeoutMs: config.drainTimeoutMs }).catch(() => undefined)
    }
  }

  private giveSockets(worker: WorkerProcess, keys: Iterable<string>): void {
    for (const key of keys) {
      const socket = this.sockets.get(key)!
      worker.send({ type: 'socket', key, address: socket.address }, socket)
    }
  }

  private async startWorker(): Promise<void> {
    const worker = new WorkerProcess({
      told: (from, message) => this.shared.told(from, message),
      ended: (from, how) => this.ended(from, how),
    })
    this.workers.add(worker)
    this.giveSockets(worker, this.sockets.keys())
    const { config, options } = this
    const ticketKeys = this.ticketKeys.current
    await worker.request({ type: 'start', config, ticketKeys, isShared: config.workers > 1, ...options })
    worker.send({ type: 'health', snapshots: this.shared.health() })
    for (const taken of this.drained.values()) await worker.request({ type: 'endpoint', ...taken, draining: true })
    worker.state = 'serving'
    // A reload that came while it started passed it by.
    if (config !== this.config) {
      this.giveSockets(worker, this.sockets.keys())
      await this.reconfigure(worker, this.config)
    }
    this.outside.scheduler.setTimer(settledMs, () => {
      if (!worker.hasEnded) this.quickCrashes = 0
    })
  }

  private ended(worker: WorkerProcess, how: string): void {
    this.workers.delete(worker)
    this.shared.ended(worker)
    if (this.isEnding || worker.state === 'draining') return
    this.crashes++
    const delayMs =
      this.quickCrashes === 0 ? 0 : Math.min(restartFirstMs * 2 ** (this.quickCrashes - 1), restartLongestMs)
    this.quickCrashes++
    this.outside.logger.error('a worker ended; a new one is started', { worker: worker.processId, how, delayMs })
    const timer = this.outside.scheduler.setTimer(delayMs, () => {
      this.restarts.delete(timer)
      // A start that fails ends in another 'ended', with a longer delay, or is killed into one.
      this.startWorker().catch((error: Error) => this.startFailed(error))
    })
    this.restarts.add(timer)
  }

  private startFailed(error: Error): void {
    if (this.isEnding) return
    this.outside.logger.error('a worker cannot start', { reason: error.message })
    for (const worker of this.workers) if (worker.state === 'starting') void worker.kill()
  }
}

/**
 * Starts `config.workers` worker processes; resolves when all of them accept. Rejects, with none left, with what is wrong.
 */
export async function startProcesses(
  config: ProxyConfig,
  outside: WorkerOutside,
  options: AcceptorOptions,
): Promise<RunningProxy> {
  const acceptor = new Acceptor(config, outside, options)
  await acceptor.start()
  return acceptor
}
