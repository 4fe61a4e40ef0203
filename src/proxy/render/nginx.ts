/** The whole configuration for nginx 1.22. */
import type { ListenerConfig } from '../config/index.ts'
import type { NginxParts } from './nginx-location.ts'
import { nginxServers } from './nginx-server.ts'
import { quoted } from './nginx-text.ts'
import { nginxUpstream, upstreamName } from './nginx-upstream.ts'
import { addressText, type Rendered, type RenderInput, seconds, upstreamsOf, Warnings } from './rendering.ts'

/**
 * Writes a complete `nginx.conf` that behaves as the configuration says, as far as nginx can; the rest is told in
 * `warnings`. Whatever the configuration holds stands in it as text, never as syntax.
 */
export function renderNginx(input: RenderInput): Rendered {
  const { config } = input
  const warnings = new Warnings()
  const upstreams = upstreamsOf(input)
  let count = 0
  const parts: NginxParts = { http: [], mirrors: [], upstreams, warnings, zones: new Map(), next: () => ++count }
  const servers = config.listeners.flatMap((listener) =>
    listener.protocol === 'http' ? nginxServers(listener, parts) : [],
  )
  const streams = config.listeners.flatMap((listener) => streamServer(listener, parts))
  const inHttp = usedBy(config.listeners, 'http')
  const inStream = usedBy(config.listeners, 'stream')
  const render = (names: ReadonlySet<string>, layer: 'http' | 'stream'): string[] =>
    [...upstreams.values()]
      .filter(({ name }) => names.has(name))
      .flatMap((upstream) => nginxUpstream(upstream, layer, warnings))
  if (config.admin !== undefined) warnings.add('admin', 'nginx has no such page')
  const http = [...httpBasics(input), ...render(inHttp, 'http'), ...parts.http, ...servers]
  const stream = [...render(inStream, 'stream'), ...streams]
  const connections = config.listeners.reduce((sum, { connectionsMax }) => sum + connectionsMax, 0)
  const text = [
    '# Made by synod proxy render nginx: change the configuration of synod instead.',
    ...warnings.comments(),
    ...(stream.length > 0
      ? [`load_module ${quoted(`${input.nginxModules ?? '/usr/lib/nginx/modules'}/ngx_stream_module.so`)};`]
      : []),
    `worker_processes ${config.workers};`,
    `worker_shutdown_timeout ${seconds(config.drainTimeoutMs)};`,
    ...(input.pidFile === undefined ? [] : [`pid ${quoted(input.pidFile)};`]),
    'events {',
    // Each request has a connection of the client and one of the upstream.
    `  worker_connections ${Math.max(64, connections * 2)};`,
    '}',
    ...(servers.length > 0 ? ['http {', ...http.map((line) => `  ${line}`), '}'] : []),
    ...(stream.length > 0 ? ['stream {', ...stream.map((line) => `  ${line}`), '}'] : []),
    '',
  ]
  return { text: text.join('\n'), warnings: warnings.list, pems: [] }
}

const jsonFormat = [
  'time=$time_iso8601',
  'client=$remote_addr',
  'method=$request_method',
  'target=$request_uri',
  'protocol=$server_protocol',
  'status=$status',
  'bytes=$body_bytes_sent',
  'duration=$request_time',
  'upstream=$upstream_addr',
  'userAgent=$http_user_agent',
  'referer=$http_referer',
  'host=$host',
  'requestId=$synod_request_id',
]

function httpBasics({ config }: RenderInput): string[] {
  const log = config.accessLog
  const file = log === undefined ? '' : quoted(log.file === '-' ? '/dev/stdout' : log.file)
  const pairs = jsonFormat.map((pair) => pair.split('=')).map(([name, variable]) => `"${name}":"${variable}"`)
  return [
    'server_tokens off;',
    'merge_slashes on;',
    'absolute_redirect off;',
    // By default it would replace the name that it has for an upstream.
    'proxy_redirect off;',
    'tcp_nodelay on;',
    'proxy_buffering on;',
    'proxy_request_buffering off;',
    'server_names_hash_bucket_size 512;',
    'map_hash_bucket_size 512;',
    'variables_hash_max_size 8192;',
    'geo $synod_dollar { default "$"; }',
    // `$synod_ids` is what the server says: whether an id of the client may be taken.
    'map "$synod_ids:$http_x_request_id" $synod_request_id { "~^pass:[A-Za-z0-9_.:/+=-]{1,128}$" $http_x_request_id; default $request_id; }',
    'map $http_upgrade $synod_connection { "" ""; default upgrade; }',
    ...(log?.format === 'json' ? [`log_format synod_json escape=json '{${pairs.join(',')}}';`] : []),
    log === undefined ? 'access_log off;' : `access_log ${file} ${log.format === 'json' ? 'synod_json' : 'combined'};`,
  ]
}

function usedBy(listeners: readonly ListenerConfig[], layer: 'http' | 'stream'): ReadonlySet<string> {
  const used = new Set<string>()
  for (const listener of listeners) {
    if (listener.protocol === 'http' && layer === 'http') {
      for (const { action, mirror } of listener.routes) {
        if (action.type === 'forward') for (const { upstream } of action.to) used.add(upstream)
        if (mirror !== undefined) used.add(mirror.upstream)
      }
    }
    if (listener.protocol === 'tcp' && layer === 'stream') used.add(listener.upstream)
    if (listener.protocol === 'tls-passthrough' && layer === 'stream') {
      for (const { upstream } of listener.names) used.add(upstream)
      if (listener.defaultUpstream !== undefined) used.add(listener.defaultUpstream)
    }
  }
  return used
}

function streamServer(listener: ListenerConfig, parts: NginxParts): string[] {
  if (listener.protocol === 'http') return []
  const body = [`listen ${addressText(listener)}${listener.proxyProtocolFrom.length > 0 ? ' proxy_protocol' : ''};`]
  body.push(`proxy_timeout ${seconds(listener.idleTimeoutMs)};`)
  if (listener.sendProxyProtocol > 0) body.push('proxy_protocol on;')
  if (listener.sendProxyProtocol === 2)
    parts.warnings.add(listener.name, 'nginx sends the PROXY header in version 1 only')
  const first =
    listener.protocol === 'tcp' ? listener.upstream : (listener.names[0]?.upstream ?? listener.defaultUpstream)
  const connect = parts.upstreams.get(first ?? '')?.config.settings.connectTimeoutMs
  if (connect !== undefined) body.push(`proxy_connect_timeout ${seconds(connect)};`)
  if (listener.protocol === 'tcp') {
    return ['server {', ...[...body, `proxy_pass ${upstreamName(listener.upstream)};`].map((line) => `  ${line}`), '}']
  }
  const variable = `$synod_sni_${parts.next()}`
  const names = listener.names.flatMap(({ names: patterns, upstream }) =>
    patterns.map((name) => `${quoted(name)} ${upstreamName(upstream)};`),
  )
  // A name that is nobody's gets an address where nothing listens: the connection is closed.
  const fallback = listener.defaultUpstream === undefined ? '"127.0.0.1:9"' : upstreamName(listener.defaultUpstream)
  return [
    `map $ssl_preread_server_name ${variable} { hostnames; ${names.join(' ')} default ${fallback}; }`,
    'server {',
    ...[...body, 'ssl_preread on;', `proxy_pass ${variable};`].map((line) => `  ${line}`),
    '}',
  ]
}
