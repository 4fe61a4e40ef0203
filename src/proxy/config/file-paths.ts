/** Applies a function to every path of a file in a configuration. */
import type {
  ListenerConfig,
  ProxyConfig,
  ProxyUpstreamConfig,
  TlsTerminationConfig,
  UpstreamTlsConfig,
} from './model.ts'

type Change = (file: string) => string

/** The configuration with every path changed; `-` of the access log stays. */
export function withAbsoluteFiles(config: ProxyConfig, change: Change): ProxyConfig {
  const { accessLog } = config
  return {
    ...config,
    accessLog: accessLog && (accessLog.file === '-' ? accessLog : { ...accessLog, file: change(accessLog.file) }),
    listeners: config.listeners.map((listener) => listenerFiles(listener, change)),
    upstreams: config.upstreams.map((upstream) => upstreamFiles(upstream, change)),
  }
}

function listenerFiles(listener: ListenerConfig, change: Change): ListenerConfig {
  if (listener.protocol !== 'http' || listener.tls === undefined) return listener
  return { ...listener, tls: terminationFiles(listener.tls, change) }
}

function terminationFiles(tls: TlsTerminationConfig, change: Change): TlsTerminationConfig {
  return {
    ...tls,
    certificates: tls.certificates.map(({ certFile, keyFile }) => ({
      certFile: change(certFile),
      keyFile: change(keyFile),
    })),
    clientCaFile: tls.clientCaFile && change(tls.clientCaFile),
  }
}

function upstreamFiles(upstream: ProxyUpstreamConfig, change: Change): ProxyUpstreamConfig {
  const sources = upstream.settings.sources.map((source) =>
    source.type === 'file' ? { ...source, path: change(source.path) } : source,
  )
  return {
    ...upstream,
    settings: { ...upstream.settings, sources },
    tls: upstream.tls && tlsFiles(upstream.tls, change),
  }
}

function tlsFiles(tls: UpstreamTlsConfig, change: Change): UpstreamTlsConfig {
  return {
    ...tls,
    caFile: tls.caFile && change(tls.caFile),
    certFile: tls.certFile && change(tls.certFile),
    keyFile: tls.keyFile && change(tls.keyFile),
  }
}
