/**
 * One listening address of a worker: its port, and the service that its connections go to.
 *
 * I1. A connection stays with the service that accepted it, also when another takes its place (`http` became `tcp`, say);
 *     a service that was replaced is in `retired` until its last connection is closed.
 */
import type {
  BoundSocket,
  Connection,
  ConnectionOrigin,
  Port,
  PortRefusal,
  PortSettings,
  TlsServerSettings,
} from '../../runtime/index.ts'
import type { ListenerConfig } from '../config/index.ts'
import { cidrSet } from '../forwarded/index.ts'
import { proxyHeaderBytesMax, readProxyHeader } from '../proxy-protocol/index.ts'
import type { ListenerService } from './service.ts'
import { type ListenerView, listenerView } from './view.ts'

/** A PROXY header must be complete in this time. */
const proxyHeaderTimeoutMs = 5_000

/** Names a listening address, in a worker and between processes. A port that the system chooses goes by its listener. */
export function listenerKey(config: ListenerConfig): string {
  return config.port === 0 ? `${config.host}:0/${config.name}` : `${config.host}:${config.port}`
}

export class WorkerListener {
  config: ListenerConfig
  service: ListenerService
  /** Set once open. */
  port: Port | undefined
  /** What `port` accepts from. */
  socket: BoundSocket | undefined
  accepted = 0
  readonly refusals: Record<PortRefusal, number> = { 'too-many': 0, preamble: 0, handshake: 0 }
  /** Fingerprint of the TLS files in use; empty without TLS. */
  tlsFingerprint = ''
  private tls: TlsServerSettings | undefined
  private readonly retired = new Set<ListenerService>()

  constructor(config: ListenerConfig, service: ListenerService, tls: TlsServerSettings | undefined) {
    this.config = config
    this.service = service
    this.tls = tls
  }

  get connections(): number {
    let all = this.service.connections
    for (const service of this.retired) all += service.connections
    return all
  }

  /** What the port is to do as `config` and `tls` say. */
  settings(config: ListenerConfig = this.config, tls: TlsServerSettings | undefined = this.tls): PortSettings {
    const trusted = cidrSet(config.proxyProtocolFrom)
    return {
      connectionsMax: config.connectionsMax,
      preamble:
        trusted.size === 0
          ? undefined
          : {
              bytesMax: proxyHeaderBytesMax,
              timeoutMs: proxyHeaderTimeoutMs,
              isFrom: (host) => trusted.has(host),
              read: readProxyHeader,
            },
      tls,
      onConnection: (connection: Connection, origin: ConnectionOrigin) => {
        this.accepted++
        this.service.accept(connection, origin)
      },
      onRefused: (refusal) => {
        this.refusals[refusal]++
      },
    }
  }

  /** Throws, and changes nothing, when the certificates cannot be used. */
  applyPort(config: ListenerConfig, tls: TlsServerSettings | undefined): void {
    this.port?.reconfigure(this.settings(config, tls))
    this.config = config
    this.tls = tls
  }

  get tlsInUse(): TlsServerSettings | undefined {
    return this.tls
  }

  /** Connections from now on go to `service`; those of the old one may finish. */
  replaceService(service: ListenerService, drainTimeoutMs: number): void {
    const old = this.service
    this.service = service
    this.retired.add(old)
    void old.drain(drainTimeoutMs).then(() => this.retired.delete(old))
  }

  async close(drainTimeoutMs: number): Promise<void> {
    this.port?.close()
    await Promise.all([this.service, ...this.retired].map((service) => service.drain(drainTimeoutMs)))
  }

  destroyAll(): void {
    this.port?.close()
    for (const service of [this.service, ...this.retired]) service.destroyAll()
  }

  view(): ListenerView {
    return listenerView(this)
  }
}
