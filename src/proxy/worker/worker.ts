/**
 * One worker: the whole data path of a proxy in one process. Made by {@link startWorker}, alone or by `processes/`.
 *
 * I1. A configuration is taken as a whole or not at all: files are read, new ports opened and certificates tried before
 *     anything that serves is touched; what fails until then is undone, and the old configuration goes on.
 * I2. Configurations are taken one after another, in the order of the calls.
 * I3. No request is dropped by a change: listening sockets that stay are never closed, connections stay with what accepted
 *     them, and requests under way end by the configuration they began with.
 */
import type { AppendFile, BoundSocket, Timer, TlsServerSettings } from '../../runtime/index.ts'
import type { HealthSnapshot } from '../../traffic/upstream/index.ts'
import { AccessLog } from '../access-log/index.ts'
import type { HttpListenerConfig, ListenerConfig, ProxyConfig } from '../config/index.ts'
import { createExchangeHandler, type ExchangeHandler } from '../exchange/index.ts'
import { bufferLedgerOf } from '../http/index.ts'
import { type RateLimitGrant, RateLimits } from '../limits/index.ts'
import { ProxyMetrics } from '../metrics/index.ts'
import { StreamListener } from '../stream/index.ts'
import { readTlsFiles, TicketKeys, tlsServerSettings } from '../tls/index.ts'
import { HttpService } from './http-service.ts'
import { listenerKey, WorkerListener } from './listener.ts'
import type { WorkerOptions, WorkerOutside } from './outside.ts'
import type { ListenerService } from './service.ts'
import { type ActiveCounts, type UpstreamNetworks, WorkerUpstreams } from './upstreams.ts'
import type { WorkerView } from './view.ts'

/** Certificate files are compared with what is in use this often. */
const certificateCheckMs = 5_000

interface PreparedTls {
  readonly settings: TlsServerSettings | undefined
  readonly fingerprint: string
}

interface Prepared {
  readonly networks: UpstreamNetworks
  /** By `listenerKey`. */
  readonly tls: ReadonlyMap<string, PreparedTls>
}

export class ProxyWorker {
  private readonly outside: WorkerOutside
  private readonly options: WorkerOptions
  private config: ProxyConfig
  private configVersion = 0
  private isDraining = false
  private readonly upstreams: WorkerUpstreams
  private readonly listeners = new Map<string, WorkerListener>()
  /** Those that the configuration has no more, while their last requests end. */
  private readonly leaving = new Set<WorkerListener>()
  private readonly handlers = new WeakMap<ListenerService, ExchangeHandler>()
  private readonly metrics = new ProxyMetrics()
  private readonly limits: RateLimits
  private readonly ownTicketKeys: TicketKeys | undefined
  private ticketKeys: Uint8Array
  private accessLog: AccessLog | undefined
  private accessFile: AppendFile | undefined
  /** The last of the changes under way (I2). Never rejects. */
  private changes: Promise<unknown> = Promise.resolve()
  private certificateTimer: Timer | undefined
  /** Why certificates could not be reloaded, as told last: what stays wrong is told once. */
  private certificateProblem = ''

  constructor(config: ProxyConfig, outside: WorkerOutside, options: WorkerOptions) {
    this.config = config
    this.outside = outside
    this.options = options
    this.limits = new RateLimits(options.rateLimitShare)
    this.upstreams = new WorkerUpstreams(outside, options)
    if (options.ticketKeys === undefined) {
      this.ownTicketKeys = new TicketKeys(outside.random, outside.scheduler, (keys) => this.setTicketKeys(keys))
      this.ticketKeys = this.ownTicketKeys.current
    } else this.ticketKeys = options.ticketKeys
  }

  /** Opens everything. Rejects, with nothing left open, when a port, file or certificate cannot be used. */
  async start(): Promise<void> {
    const { accessLog } = this.config
    if (accessLog !== undefined) {
      const { clock, scheduler, appendFiles } = this.outside
      this.accessFile = await appendFiles.open(accessLog.file)
      this.accessLog = new AccessLog({ format: accessLog.format, clock, scheduler, sink: this.accessFile })
    }
    try {
      await this.reconfigure(this.config)
    } catch (error) {
      await this.stop()
      throw error
    }
    this.watchCertificates()
  }

  /**
   * Takes a new configuration. Rejects with what is wrong (`ListenError`, `CertificateError`, `TlsSettingsError`,
   * `DiskError`), and goes on by the old one. Another access log file or format needs a restart, which is logged.
   */
  reconfigure(config: ProxyConfig): Promise<void> {
    return this.inOrder(async () => {
      try {
        await this.take(config)
      } catch (error) {
        this.upstreams.forgetNewcomers()
        throw error
      }
    })
  }

  private async take(config: ProxyConfig): Promise<void> {
    const prepared = await this.prepare(config)
    const opened = await this.openPorts(config, prepared)
    try {
      this.applyPorts(config, prepared)
    } catch (error) {
      for (const listener of opened.values()) listener.port?.close()
      throw error
    }
    this.commit(config, prepared, opened)
  }

  /** New keys for session tickets; connections go on. */
  setTicketKeys(keys: Uint8Array): void {
    this.ticketKeys = keys
    for (const listener of this.listeners.values()) {
      const tls = listener.tlsInUse
      if (tls !== undefined) listener.applyPort(listener.config, { ...tls, ticketKeys: keys })
    }
  }

  importHealth(snapshots: readonly HealthSnapshot[]): void {
    this.upstreams.importHealth(snapshots)
  }

  setForeignActive(active: ActiveCounts): void {
    this.upstreams.setForeignActive(active)
  }

  activeCounts(): ActiveCounts {
    return this.upstreams.activeCounts()
  }

  grantRateLimit(grant: RateLimitGrant): void {
    this.limits.grant(grant, this.outside.clock.monotonicMs())
  }

  /** By an operator: takes an endpoint out, or puts it back. False: there is none of that name. */
  setEndpointDraining(upstream: string, endpoint: string, draining: boolean): boolean {
    return this.upstreams.setDraining(upstream, endpoint, draining)
  }

  /**
   * Reads the certificate files again; those that changed are used from now on. Rejects with what is wrong, after all
   * listeners whose files are good have been served.
   */
  reloadCertificates(): Promise<void> {
    return this.inOrder(async () => {
      const problems: string[] = []
      for (const listener of this.listeners.values()) {
        await this.reloadCertificatesOf(listener).catch((error: Error) =>
          problems.push(`${listener.config.name}: ${error.message}`),
        )
      }
      if (problems.length > 0) throw new Error(problems.join('; '))
    })
  }

  private async reloadCertificatesOf(listener: WorkerListener): Promise<void> {
    const { config } = listener
    if (config.protocol !== 'http' || config.tls === undefined) return
    const { settings, fingerprint } = await this.prepareTls(config)
    if (fingerprint === listener.tlsFingerprint) return
    listener.applyPort(config, settings)
    listener.tlsFingerprint = fingerprint
    this.outside.logger.info('certificates changed', { listener: config.name })
  }

  /** Opens the access log again, for whoever renamed its file. */
  async reopenLogs(): Promise<void> {
    this.accessLog?.flush()
    await this.accessFile?.reopen()
  }

  /** Accepts no more, lets what is under way finish for at most `timeoutMs`, ends it, and closes everything. */
  async drain(timeoutMs: number): Promise<void> {
    this.isDraining = true
    await this.changes
    await Promise.all([...this.listeners.values(), ...this.leaving].map((listener) => listener.close(timeoutMs)))
    await this.stop()
  }

  /** Ends everything now. */
  async stop(): Promise<void> {
    this.isDraining = true
    this.certificateTimer?.cancel()
    this.ownTicketKeys?.stop()
    for (const listener of [...this.listeners.values(), ...this.leaving]) listener.destroyAll()
    this.upstreams.close()
    this.accessLog?.flush()
    await this.accessFile?.close()
  }

  /** What it accepts from, by `listenerKey`. Closed by the worker with their ports. */
  sockets(): Map<string, BoundSocket> {
    return new Map([...this.listeners].map(([key, { socket }]) => [key, socket!]))
  }

  view(): WorkerView {
    return {
      configVersion: this.configVersion,
      isDraining: this.isDraining,
      listeners: [...this.listeners.values()].map((listener) => listener.view()),
      upstreams: this.upstreams.views(),
      metrics: this.metrics.snapshot(),
      buffered: bufferLedgerOf(this.outside.scheduler).view(),
      accessLogDroppedBytes: this.accessFile?.droppedBytes ?? 0,
    }
  }

  private inOrder(change: () => Promise<void>): Promise<void> {
    const done = this.changes.then(change)
    this.changes = done.catch(() => {})
    return done
  }

  private async prepare(config: ProxyConfig): Promise<Prepared> {
    const tls = new Map<string, PreparedTls>()
    for (const listener of config.listeners) tls.set(listenerKey(listener), await this.prepareTls(listener))
    const networks = await this.upstreams.prepare(config.upstreams)
    return { networks, tls }
  }

  private async prepareTls(config: ListenerConfig): Promise<PreparedTls> {
    if (config.protocol !== 'http' || config.tls === undefined) return { settings: undefined, fingerprint: '' }
    const files = await readTlsFiles(config.tls, this.outside.disk)
    const { http2 } = config
    return {
      settings: tlsServerSettings(config.tls, files, { http2, ticketKeys: this.ticketKeys }),
      fingerprint: files.fingerprint,
    }
  }

  /**
   * Opens the ports that are new. All addresses are bound before the first of them accepts, and then they begin to accept
   * in one turn: `commit` has given them their services before the event loop brings the first connection.
   */
  private async openPorts(config: ProxyConfig, { tls }: Prepared): Promise<Map<string, WorkerListener>> {
    const opened = new Map<string, WorkerListener>()
    const sockets = new Map<string, BoundSocket>()
    const { ports } = this.outside
    try {
      for (const each of config.listeners) {
        const key = listenerKey(each)
        if (this.listeners.has(key)) continue
        sockets.set(key, this.options.socketFor?.(key) ?? (await ports.bind({ host: each.host, port: each.port })))
        opened.set(key, new WorkerListener(each, closedService, tls.get(key)!.settings))
      }
      await Promise.all(
        [...opened].map(async ([key, listener]) => {
          listener.socket = sockets.get(key)!
          listener.port = await ports.open(listener.socket, listener.settings())
        }),
      )
    } catch (error) {
      for (const [key, socket] of sockets) {
        const port = opened.get(key)?.port
        if (port === undefined) socket.close()
        else port.close()
      }
      throw error
    }
    return opened
  }

  /** Tries the certificates of the ports that stay; one that cannot be used sets the earlier ones back. */
  private applyPorts(config: ProxyConfig, { tls }: Prepared): void {
    const undo: (() => void)[] = []
    try {
      for (const each of config.listeners) {
        const listener = this.listeners.get(listenerKey(each))
        if (listener === undefined) continue
        const [oldConfig, oldTls] = [listener.config, listener.tlsInUse]
        listener.applyPort(each, tls.get(listenerKey(each))!.settings)
        undo.push(() => listener.applyPort(oldConfig, oldTls))
      }
    } catch (error) {
      for (const back of undo) back()
      throw error
    }
  }

  /** All that could fail is done. */
  private commit(config: ProxyConfig, prepared: Prepared, opened: ReadonlyMap<string, WorkerListener>): void {
    const { drainTimeoutMs } = config
    this.upstreams.apply(config.upstreams, prepared.networks)
    for (const [key, listener] of opened) this.listeners.set(key, listener)
    const keys = new Set(config.listeners.map(listenerKey))
    for (const each of config.listeners) this.serve(each, prepared)
    for (const [key, listener] of this.listeners) {
      if (keys.has(key)) continue
      this.listeners.delete(key)
      this.leaving.add(listener)
      void listener.close(drainTimeoutMs).then(() => this.leaving.delete(listener))
    }
    this.upstreams.retain(config.upstreams, drainTimeoutMs)
    const https = config.listeners.filter((each) => each.protocol === 'http')
    this.limits.retain(https)
    this.retainMetrics(https, config)
    if (JSON.stringify(config.accessLog) !== JSON.stringify(this.config.accessLog))
      this.outside.logger.warn('another access log takes a restart; the old one goes on')
    bufferLedgerOf(this.outside.scheduler).bytesMax = config.bufferedBytesMax
    this.config = config
    this.configVersion++
  }

  /** Gives a listener's address the service that its configuration asks for. */
  private serve(config: ListenerConfig, { tls }: Prepared): void {
    const listener = this.listeners.get(listenerKey(config))!
    listener.tlsFingerprint = tls.get(listenerKey(config))!.fingerprint
    const { service } = listener
    if (config.protocol === 'http') {
      if (service instanceof HttpService) {
        service.reconfigure(config)
        this.handlers.get(service)!.reconfigure({ listener: config, upstreams: this.upstreams.byName })
      } else listener.replaceService(this.httpService(config), this.config.drainTimeoutMs)
    } else if (service instanceof StreamListener) service.reconfigure(config)
    else listener.replaceService(this.streamService(config), this.config.drainTimeoutMs)
  }

  private httpService(config: HttpListenerConfig): HttpService {
    const { clock, scheduler, random } = this.outside
    const { metrics, limits, accessLog } = this
    const { byName: upstreams } = this.upstreams
    const handler = createExchangeHandler({
      listener: config,
      upstreams,
      clock,
      scheduler,
      random,
      metrics,
      limits,
      accessLog,
    })
    const service = new HttpService(config, handler, { clock, scheduler })
    this.handlers.set(service, handler)
    return service
  }

  private streamService(config: Exclude<ListenerConfig, HttpListenerConfig>): StreamListener {
    const { clock, scheduler, logger } = this.outside
    return new StreamListener(config, {
      clock,
      scheduler,
      targetOf: (name) => this.upstreams.targetOf(name),
      onRefused: (reason, origin) =>
        logger.debug('a connection was not forwarded', { listener: config.name, client: origin.remote.host, reason }),
    })
  }

  private retainMetrics(https: readonly HttpListenerConfig[], config: ProxyConfig): void {
    this.metrics.retain({
      listeners: new Set(https.map(({ name }) => name)),
      routes: new Set(https.flatMap(({ name, routes }) => routes.map((route) => `${name}/${route.name}`))),
      upstreams: new Set(config.upstreams.map(({ settings }) => settings.name)),
    })
  }

  private watchCertificates(): void {
    this.certificateTimer = this.outside.scheduler.setTimer(certificateCheckMs, () => {
      const failed = (error: unknown): void => {
        const reason = error instanceof Error ? error.message : String(error)
        if (reason === this.certificateProblem) return
        this.certificateProblem = reason
        this.outside.logger.error('the certificates cannot be reloaded; the old ones go on', { reason })
      }
      void this.reloadCertificates()
        .then(() => {
          this.certificateProblem = ''
        }, failed)
        .then(() => {
          if (!this.isDraining) this.watchCertificates()
        })
    })
  }
}

/** Stands in until `commit`; no connection arrives before (see `openPorts`). */
const closedService: ListenerService = {
  connections: 0,
  accept(connection) {
    connection.setHandler({ onData() {}, onClose() {} })
    connection.destroy()
  },
  async drain() {},
  destroyAll() {},
}

/** Starts a worker; resolves when all its ports accept. Rejects, with nothing left open, with what is wrong. */
export async function startWorker(
  config: ProxyConfig,
  outside: WorkerOutside,
  options: WorkerOptions = {},
): Promise<ProxyWorker> {
  const worker = new ProxyWorker(config, outside, options)
  await worker.start()
  return worker
}
