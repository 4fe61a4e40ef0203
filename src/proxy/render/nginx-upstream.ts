/** Upstreams for nginx, and how a location passes requests to one. */
import type { BalancePolicy, HashKeySource } from '../../traffic/upstream/index.ts'
import { quoted } from './nginx-text.ts'
import { addressText, type RenderedUpstream, seconds, type Warnings, warnUpstream } from './rendering.ts'

/** nginx counts in whole weights. */
const weightMax = 65_535

/** `upstream NAME { … }`. */
export function nginxUpstream(upstream: RenderedUpstream, layer: 'http' | 'stream', warnings: Warnings): string[] {
  const { config, name, endpoints } = upstream
  const { settings } = config
  warnUpstream(upstream, warnings, 'nginx')
  if (settings.activeCheck !== undefined) warnings.add(name, 'nginx has no active health checks')
  if (settings.balance.slowStartMs > 0) warnings.add(name, 'nginx has no slow start')
  const outlier = settings.outlier
  if (
    outlier !== undefined &&
    (outlier.successRateStdevFactor > 0 || outlier.latencyFactor > 0) &&
    outlier.consecutiveFailures === 0
  )
    warnings.add(name, 'nginx ejects after failures only, not by rates or latency')
  const fails =
    outlier === undefined || outlier.consecutiveFailures === 0
      ? 'max_fails=0'
      : `max_fails=${outlier.consecutiveFailures} fail_timeout=${Math.max(1, Math.round(outlier.ejectionMs / 1_000))}s`
  const scale = weightScale(endpoints.map(({ weight }) => weight))
  const method = methodOf(settings.balance.policy, settings.balance.hashKey, layer, name, warnings)
  const hasPrimary = endpoints.some(({ priority }) => priority === lowest(endpoints))
  const mayBackUp = hasPrimary && !/^(hash|ip_hash|random)/.test(method ?? '')
  const servers = endpoints.map((endpoint) => {
    const isBackup = endpoint.priority > lowest(endpoints)
    if (isBackup && !mayBackUp)
      warnings.add(name, 'nginx has no backup servers with this policy: those of lower priority are left out')
    const weight = Math.min(weightMax, Math.max(1, Math.round(endpoint.weight * scale)))
    const line = `server ${addressText(endpoint)} weight=${weight} ${fails}${isBackup ? ' backup' : ''};`
    return isBackup && !mayBackUp ? `# ${line}` : line
  })
  const body = [
    ...(endpoints.length > 0 ? [`zone ${layer}_${upstreamName(name)} 256k;`] : []),
    ...(method === undefined ? [] : [`${method};`]),
    ...(servers.length > 0 ? servers : ['server 127.0.0.1:9 down;']),
  ]
  if (layer === 'http' && config.idleConnectionsMax > 0) {
    body.push(`keepalive ${config.idleConnectionsMax};`, `keepalive_timeout ${seconds(config.idleTimeoutMs)};`)
    body.push(
      `keepalive_requests ${config.requestsPerConnectionMax === 0 ? 1_000_000_000 : config.requestsPerConnectionMax};`,
    )
  }
  return [`upstream ${upstreamName(name)} {`, ...body.map((line) => `  ${line}`), '}']
}

/** Names of ours are letters, digits, `.`, `_`, `-`; the prefix keeps them apart from hosts. */
export function upstreamName(name: string): string {
  return `synod_${name}`
}

function lowest(endpoints: readonly { readonly priority: number }[]): number {
  return Math.min(...endpoints.map(({ priority }) => priority))
}

/** Fractions become whole numbers. */
function weightScale(weights: readonly number[]): number {
  return weights.every((weight) => Number.isInteger(weight)) ? 1 : Math.min(1_000, weightMax / Math.max(...weights))
}

function methodOf(
  policy: BalancePolicy,
  key: HashKeySource,
  layer: 'http' | 'stream',
  name: string,
  warnings: Warnings,
): string | undefined {
  switch (policy) {
    case 'round-robin':
    case 'weighted-round-robin':
      return undefined
    case 'random':
    case 'weighted-random':
      return 'random'
    case 'least-connections':
      return 'least_conn'
    case 'least-time':
      warnings.add(name, 'nginx has no least-time: least_conn is used')
      return 'least_conn'
    case 'p2c':
      warnings.add(name, 'p2c looks at requests under way only in nginx, not at latency')
      return 'random two least_conn'
    default:
      if (policy !== 'ketama' && policy !== 'ip-hash')
        warnings.add(name, `nginx has no ${policy}: its consistent hash is used`)
      return `hash ${quoted(hashVariable(policy === 'ip-hash' ? { type: 'client-ip' } : key, layer, name, warnings))} consistent`
  }
}

function hashVariable(key: HashKeySource, layer: 'http' | 'stream', name: string, warnings: Warnings): string {
  if (layer === 'stream' || key.type === 'client-ip') return '$remote_addr'
  if (key.type === 'path') return '$uri'
  const prefix = { header: 'http', cookie: 'cookie', query: 'arg' }[key.type]
  const variable = key.name.toLowerCase().replaceAll('-', '_')
  if (/^[a-z0-9_]+$/.test(variable)) return `$${prefix}_${variable}`
  warnings.add(name, `nginx has no variable for ${key.type} ${key.name}: the address of the client is hashed`)
  return '$remote_addr'
}
