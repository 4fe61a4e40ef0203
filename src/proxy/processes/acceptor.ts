/**
 * The acceptor: binds the listening sockets and keeps workers that serve them. It accepts nothing itself; the workers do,
 * each from the same sockets, as nginx's do.
 *
 * I1. There are `config.workers` workers, except while one is being started again. One that ends takes its own connections
 *     with it and no others; the sockets stay open here, so that new connections wait in the kernel meanwhile.
 * I2. A configuration is tried whole before it counts: addresses are bound, files of the checks read, then one worker takes
 *     it. When any of this fails no other worker sees it, and it is as if it had never been.
 * I3. Reloads happen one after another.
 * I4. A worker holds exactly the sockets in its `sockets`; those of a configuration that was refused are taken back.
 * I5. A worker that is stuck, or stopped, is killed and replaced (`silentMsMax`); if this process is killed, `guard` ends
 *     the workers that do not end by themselves.
 * I6. Once the end has begun no worker is started and no address bound.
 */
import type { BoundSocket, LogLevel, Timer } from '../../runtime/index.ts'
import type { ProxyConfig } from '../config/index.ts'
import { TicketKeys } from '../tls/index.ts'
import { listenerKey, type WorkerOutside } from '../worker/index.ts'
import type { WorkerRequest } from './messages.ts'
import { SharedState } from './shared-state.ts'
import { mergeViews, type ProxyStatus, type RunningProxy } from './status.ts'
import { WorkerGuard } from './worker-guard.ts'
import { WorkerProcess } from './worker-process.ts'

export interface AcceptorOptions {
  readonly logLevel: LogLevel
  readonly logFormat: 'text' | 'json'
  readonly registry: string | undefined
  /** A worker of which nothing was heard for so long is killed. Default 20 s: it beats every second. */
  readonly silentMsMax?: number | undefined
}

/** The first restart is immediate; each further one of a worker that did not live for `settledMs` waits twice as long. */
const restartFirstMs = 100
const restartLongestMs = 5_000
const settledMs = 5_000
/** Beyond the drain time, until a worker that does not end is killed. */
const drainGraceMs = 1_000
/** A status without a worker's numbers is better than none. */
const viewMs = 2_000
/** A reload waits this long for a worker, where all of them are being started again. */
const servingWaitMs = 10_000
const servingPollMs = 50
/** How often workers are looked at, and how long one may be silent. */
const lookEveryMs = 1_000
const silentMsMaxDefault = 20_000
/** A configuration that so many workers died of is refused. */
const triesMax = 3

class Acceptor implements RunningProxy {
  private config: ProxyConfig
  private configVersion = 1
  private crashes = 0
  private quickCrashes = 0
  private isEnding = false
  /** Until then nobody is started again: whoever starts the proxy is told why it does not. */
  private hasStarted = false
  private readonly outside: WorkerOutside
  private readonly options: AcceptorOptions
  private readonly workers = new Set<WorkerProcess>()
  private readonly sockets = new Map<string, BoundSocket>()
  private readonly shared: SharedState
  private readonly ticketKeys: TicketKeys
  /** The same for all workers, and for those that come after them. */
  private readonly callerId: string
  private readonly restarts = new Set<Timer>()
  private readonly guard: WorkerGuard
  private lookTimer: Timer | undefined
  /** Endpoints that an operator took out: a worker that is started again must know. */
  private readonly drained = new Map<string, { readonly upstream: string; readonly endpoint: string }>()
  /** The last reload. Never rejects. */
  private changes: Promise<unknown> = Promise.resolve()

  constructor(config: ProxyConfig, outside: WorkerOutside, options: AcceptorOptions) {
    this.config = config
    this.outside = outside
    this.options = options
    this.callerId = String(outside.random.uint32())
    this.guard = new WorkerGuard(outside.logger)
    this.shared = new SharedState(outside, this.workers, this.callerId)
    this.ticketKeys = new TicketKeys(outside.random, outside.scheduler, (keys) => {
      for (const worker of this.workers) worker.send({ type: 'ticket-keys', keys })
    })
  }

  /** `served`: sockets from which this process accepts until now, by `listenerKey`. */
  async start(served: ReadonlyMap<string, BoundSocket>): Promise<void> {
    try {
      await this.takeOver(served)
      await this.bind(this.config)
      this.shared.apply(this.config, await this.shared.prepare(this.config))
      await Promise.all(Array.from({ length: this.config.workers }, () => this.startWorker()))
      this.hasStarted = true
      this.lookAtWorkers()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /**
   * A socket that this process accepts from is closed when it stops to, and no system call of Node gives it a second
   * descriptor; but one that a process was sent and sends back is one.
   */
  private async takeOver(served: ReadonlyMap<string, BoundSocket>): Promise<void> {
    const keys = new Set(this.config.listeners.map(listenerKey))
    const kept = new Map([...served].filter(([key]) => keys.has(key)))
    if (kept.size === 0) return
    const helper = this.fork()
    try {
      helper.giveSockets(kept)
      for (const [key, socket] of await helper.returnSockets(this.outside.ports)) this.sockets.set(key, socket)
    } finally {
      helper.state = 'draining'
      await helper.kill()
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
        worker.state === 'serving' ? await this.withinViewTime(worker.request({ type: 'view' })) : undefined
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
    await Promise.all([...this.workers].map((worker) => this.retire(worker, timeoutMs)))
  }

  async stop(): Promise<void> {
    this.beginEnding()
    await Promise.all([...this.workers].map((worker) => worker.kill()))
  }

  private beginEnding(): void {
    this.isEnding = true
    this.lookTimer?.cancel()
    this.ticketKeys.stop()
    this.shared.close()
    for (const timer of this.restarts) timer.cancel()
    for (const socket of this.sockets.values()) socket.close()
    this.sockets.clear()
  }

  private serving(): WorkerProcess[] {
    return [...this.workers].filter((worker) => worker.state === 'serving')
  }

  /** Those that are to stay, the serving ones first. */
  private staying(): WorkerProcess[] {
    return [...this.serving(), ...[...this.workers].filter((worker) => worker.state === 'starting')]
  }

  /** Undefined when the answer does not come in time, or never. */
  private withinViewTime<T>(answer: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve) => {
      const timer = this.outside.scheduler.setTimer(viewMs, () => resolve(undefined))
      answer.then(resolve, () => resolve(undefined)).finally(() => timer.cancel())
    })
  }

  /** Binds the addresses that are new; those it bound, to be let go of when the configuration is refused. */
  private async bind(config: ProxyConfig): Promise<string[]> {
    const bound: string[] = []
    try {
      for (const listener of config.listeners) {
        const key = listenerKey(listener)
        if (this.sockets.has(key)) continue
        const socket = await this.outside.ports.bind({ host: listener.host, port: listener.port })
        this.sockets.set(key, socket)
        bound.push(key)
        this.refuseAtTheEnd()
      }
    } catch (error) {
      this.unbind(bound)
      throw error
    }
    return bound
  }

  private unbind(keys: readonly string[]): void {
    for (const key of keys) {
      this.sockets.get(key)?.close()
      this.sockets.delete(key)
    }
    for (const worker of this.workers) worker.forgetSockets(keys)
  }

  private refuseAtTheEnd(): void {
    if (this.isEnding) throw new Error('the proxy is ending: no configuration is taken any more')
  }

  private async apply(config: ProxyConfig): Promise<void> {
    this.refuseAtTheEnd()
    const prepared = await this.shared.prepare(config)
    const bound = await this.bind(config)
    let first: WorkerProcess
    try {
      first = await this.triedByOne(config)
      this.refuseAtTheEnd()
    } catch (error) {
      this.unbind(bound)
      throw error
    }
    this.config = config
    this.configVersion++
    this.shared.apply(config, prepared)
    await Promise.all(this.serving().map((worker) => (worker === first ? undefined : this.reconfigure(worker, config))))
    // What was told before a worker knew the upstream was lost on it.
    for (const worker of this.serving()) worker.send({ type: 'health', snapshots: this.shared.health() })
    const keys = new Set(config.listeners.map(listenerKey))
    this.unbind([...this.sockets.keys()].filter((key) => !keys.has(key)))
    await this.resize()
  }

  /** The worker that took the configuration. One that died meanwhile may have had its own reasons: another one is asked. */
  private async triedByOne(config: ProxyConfig): Promise<WorkerProcess> {
    for (let tries = 1; ; tries++) {
      const worker = await this.oneServing()
      try {
        worker.giveSockets(this.sockets)
        await worker.request({ type: 'reconfigure', config })
        return worker
      } catch (error) {
        if (!worker.hasEnded || tries === triesMax) throw error
      }
    }
  }

  private async oneServing(): Promise<WorkerProcess> {
    for (let waitedMs = 0; waitedMs <= servingWaitMs; waitedMs += servingPollMs) {
      const [first] = this.serving()
      if (first !== undefined) return first
      await new Promise<void>((resolve) => this.outside.scheduler.setTimer(servingPollMs, resolve))
      this.refuseAtTheEnd()
    }
    throw new Error(`no worker is serving: none could be started in ${servingWaitMs / 1_000} s; the log says why`)
  }

  /** What one worker took the others take too; one that cannot is replaced by a new one, which starts by it. */
  private async reconfigure(worker: WorkerProcess, config: ProxyConfig): Promise<void> {
    try {
      worker.giveSockets(this.sockets)
      await worker.request({ type: 'reconfigure', config })
    } catch (error) {
      this.outside.logger.error('a worker did not take the configuration and is replaced', {
        worker: worker.processId,
        reason: (error as Error).message,
      })
      await worker.kill()
    }
  }

  /** As many workers as the configuration says; resolves when the new ones serve. Those too many may drain on. */
  private async resize(): Promise<void> {
    const { workers: wanted, drainTimeoutMs } = this.config
    const missing = Math.max(0, wanted - this.staying().length)
    await Promise.all(Array.from({ length: missing }, () => this.tryToStart()))
    for (const worker of this.staying().slice(wanted)) void this.retire(worker, drainTimeoutMs)
  }

  /** Lets a worker finish what is under way, and ends it. */
  private async retire(worker: WorkerProcess, timeoutMs: number): Promise<void> {
    worker.state = 'draining'
    const timer = this.outside.scheduler.setTimer(timeoutMs + drainGraceMs, () => void worker.kill())
    await worker.request({ type: 'drain', timeoutMs }).catch(() => undefined)
    await worker.whenEnded()
    timer.cancel()
  }

  /** Rejects when the worker cannot start; then it has ended, and another try is planned. */
  private async startWorker(): Promise<void> {
    this.refuseAtTheEnd()
    const worker = this.fork()
    try {
      await this.bringUp(worker)
    } catch (error) {
      await worker.kill()
      throw error
    }
    this.outside.scheduler.setTimer(settledMs, () => {
      if (!worker.hasEnded) this.quickCrashes = 0
    })
  }

  private fork(): WorkerProcess {
    try {
      const worker = new WorkerProcess(this.outside.scheduler, {
        told: (from, message) => this.shared.told(from, message),
        ended: (from, how) => this.ended(from, how),
      })
      this.workers.add(worker)
      if (worker.processId > 0) this.guard.began(worker.processId)
      return worker
    } catch (error) {
      this.planRestart()
      throw error
    }
  }

  private async bringUp(worker: WorkerProcess): Promise<void> {
    worker.giveSockets(this.sockets)
    const { config, callerId } = this
    const { logLevel, logFormat, registry } = this.options
    const ticketKeys = this.ticketKeys.current
    await worker.request({ type: 'start', config, ticketKeys, callerId, logLevel, logFormat, registry })
    worker.send({ type: 'health', snapshots: this.shared.health() })
    for (const taken of this.drained.values()) await worker.request({ type: 'endpoint', ...taken, draining: true })
    // It was told to end meanwhile.
    if (worker.state === 'draining') return
    worker.state = 'serving'
    // Changes that came while it started passed it by.
    if (ticketKeys !== this.ticketKeys.current) worker.send({ type: 'ticket-keys', keys: this.ticketKeys.current })
    if (config !== this.config) await this.reconfigure(worker, this.config)
  }

  private ended(worker: WorkerProcess, how: string): void {
    this.workers.delete(worker)
    this.guard.ended(worker.processId)
    this.shared.ended(worker)
    if (this.isEnding || worker.state === 'draining') return
    this.crashes++
    this.outside.logger.error('a worker ended', { worker: worker.processId, how })
    this.planRestart()
  }

  private lookAtWorkers(): void {
    const looksMax = Math.ceil((this.options.silentMsMax ?? silentMsMaxDefault) / lookEveryMs)
    this.lookTimer = this.outside.scheduler.setTimer(lookEveryMs, () => {
      for (const worker of this.workers) {
        if (worker.look() <= looksMax) continue
        const silentMs = looksMax * lookEveryMs
        this.outside.logger.error('a worker is stuck, or stopped: it is killed', { worker: worker.processId, silentMs })
        void worker.kill()
      }
      this.lookAtWorkers()
    })
  }

  private planRestart(): void {
    if (this.isEnding || !this.hasStarted) return
    const delayMs =
      this.quickCrashes === 0 ? 0 : Math.min(restartFirstMs * 2 ** (this.quickCrashes - 1), restartLongestMs)
    this.quickCrashes++
    this.outside.logger.info('a worker is started in place of one that ended', { delayMs })
    const timer = this.outside.scheduler.setTimer(delayMs, () => {
      this.restarts.delete(timer)
      // A reload may have done it already, or there are to be fewer.
      if (this.staying().length < this.config.workers) void this.tryToStart()
    })
    this.restarts.add(timer)
  }

  /** One that cannot start is tried again later. */
  private async tryToStart(): Promise<void> {
    await this.startWorker().catch((error: Error) => {
      if (!this.isEnding) this.outside.logger.error('a worker cannot start', { reason: error.message })
    })
  }
}

/**
 * Starts `config.workers` worker processes; resolves when all of them accept. Rejects, with none left, with what is wrong.
 * Of the listeners in `served` this process accepts itself: the workers do it too from now on.
 */
export async function startProcesses(
  config: ProxyConfig,
  outside: WorkerOutside,
  options: AcceptorOptions,
  served: ReadonlyMap<string, BoundSocket> = new Map(),
): Promise<RunningProxy> {
  const acceptor = new Acceptor(config, outside, options)
  await acceptor.start(served)
  return acceptor
}
