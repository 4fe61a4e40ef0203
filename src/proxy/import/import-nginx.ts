/** nginx's configuration as ours, and a list of all that could not be carried over. */
import { Document } from 'yaml'
import { formatProblem, parseProxyConfig } from '../config/index.ts'
import { formatNote, type ImportNote, ImportNotes } from './carried.ts'
import { type ImportFiles, loadNginx } from './nginx-files.ts'
import type { NginxImport } from './nginx-route.ts'
import { httpListeners, type ListenerDraft } from './nginx-servers.ts'
import { streamListeners } from './nginx-stream.ts'
import type { Directive, SyntaxProblem } from './nginx-syntax.ts'
import { NginxUpstreams } from './nginx-upstreams.ts'
import { isFile, wholeNumber } from './nginx-values.ts'
import { Scope } from './scope.ts'

export type ImportResult =
  /** `yaml` always passes `parseProxyConfig`; `notes` says what it leaves out or does otherwise. */
  | { readonly ok: true; readonly yaml: string; readonly notes: readonly ImportNote[] }
  | { readonly ok: false; readonly problems: readonly SyntaxProblem[] }

/** Directives that need no counterpart: the proxy does it anyway, or it is about nginx itself. */
const needless = new Set([
  'accept_mutex',
  'aio',
  'charset',
  'daemon',
  'default_type',
  'directio',
  'error_log',
  'etag',
  'events',
  'grpc_read_timeout',
  'http2',
  'ignore_invalid_headers',
  'keepalive_disable',
  'log_format',
  'map',
  'map_hash_bucket_size',
  'map_hash_max_size',
  'master_process',
  'multi_accept',
  'open_file_cache',
  'pcre_jit',
  'pid',
  'proxy_buffer_size',
  'proxy_buffering',
  'proxy_buffers',
  'proxy_busy_buffers_size',
  'proxy_headers_hash_bucket_size',
  'proxy_headers_hash_max_size',
  'proxy_http_version',
  'proxy_max_temp_file_size',
  'proxy_next_upstream_timeout',
  'proxy_redirect',
  'proxy_request_buffering',
  'proxy_send_timeout',
  'proxy_socket_keepalive',
  'proxy_ssl_server_name',
  'proxy_ssl_session_reuse',
  'reset_timedout_connection',
  'resolver',
  'resolver_timeout',
  'send_timeout',
  'sendfile',
  'server_names_hash_bucket_size',
  'server_names_hash_max_size',
  'server_tokens',
  'ssl_buffer_size',
  'ssl_ciphers',
  'ssl_dhparam',
  'ssl_ecdh_curve',
  'ssl_prefer_server_ciphers',
  'ssl_session_cache',
  'ssl_session_tickets',
  'ssl_session_timeout',
  'tcp_nodelay',
  'tcp_nopush',
  'types',
  'types_hash_bucket_size',
  'types_hash_max_size',
  'underscores_in_headers',
  'user',
  'variables_hash_bucket_size',
  'variables_hash_max_size',
  'worker_connections',
  'worker_cpu_affinity',
  'worker_priority',
  'worker_rlimit_nofile',
  'worker_shutdown_timeout',
])

/**
 * Reads an nginx file (a whole `nginx.conf`, or a file of a site) with all it includes. Never throws for what is in the
 * files; `ok: false` when they are no nginx configuration, or one cannot be read.
 */
export function importNginx(file: string, files: ImportFiles): ImportResult {
  const loaded = loadNginx(file, files)
  if (loaded.problems.length > 0) return { ok: false, problems: loaded.problems }
  const notes = new ImportNotes()
  const { http, stream, main } = partsOf(loaded.directives, notes)
  const shared: NginxImport = { upstreams: new NginxUpstreams(notes), rateZones: rateZones(http), splits: splits(http) }
  for (const block of http.own('upstream')) shared.upstreams.declare(block, 'http')
  for (const block of stream.own('upstream')) shared.upstreams.declare(block, 'stream')
  const all = [...httpListeners(http, shared), ...streamListeners(stream, shared.upstreams)]
  const listeners = withoutOverlaps(all, file, notes)
  const top = topLevel(main, http)
  tellRest(loaded.directives, notes)
  if (listeners.length === 0)
    return { ok: false, problems: [{ file, line: 1, message: 'has no server that could be carried over' }] }
  return written(file, { ...top, listeners, upstreams: Object.fromEntries(shared.upstreams.drafts) }, notes)
}

/** nginx takes `80` and `127.0.0.1:80` together, and `http` and `stream` cannot; ours binds each port once. */
function withoutOverlaps(all: readonly ListenerDraft[], file: string, notes: ImportNotes): readonly ListenerDraft[] {
  const kept = new Map<string, string[]>()
  const isWide = ({ address }: ListenerDraft): boolean => /^(0\.0\.0\.0|\[::\]):/.test(String(address))
  return [...all.filter(isWide), ...all.filter((each) => !isWide(each))].filter(({ address }) => {
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(String(address)) ?? []
    const hosts = kept.get(port) ?? []
    const taken = hosts.find((other) => other === host || other === '0.0.0.0' || other === '[::]')
    if (taken === undefined || port === '0') kept.set(port, [...hosts, host])
    else
      notes.add({
        file,
        line: 1,
        directive: `listen ${address}`,
        why: `is left out: ${taken}:${port} takes its connections`,
      })
    return taken === undefined || port === '0'
  })
}

/** A file of a site holds `server` and `upstream` at its top, without `http`. */
function partsOf(directives: readonly Directive[], notes: ImportNotes): { main: Scope; http: Scope; stream: Scope } {
  const main = new Scope(directives, undefined, notes)
  const join = (name: string): Scope => {
    const blocks = main.own(name).flatMap(({ block }) => block ?? [])
    return new Scope(name === 'http' && blocks.length === 0 ? directives : blocks, undefined, notes)
  }
  return { main, http: join('http'), stream: join('stream') }
}

function topLevel(main: Scope, http: Scope): Record<string, unknown> {
  const top: Record<string, unknown> = {}
  const workers = main.args('worker_processes')[0]
  if (workers === 'auto') top['workers'] = 'auto'
  else if (wholeNumber(workers, 1, 128) !== undefined) top['workers'] = wholeNumber(workers, 1, 128)
  const log =
    http.one('access_log') ??
    http.directives.flatMap(({ block }) => block ?? []).find(({ name }) => name === 'access_log')
  if (log !== undefined) {
    http.notes.take(log)
    const [file = 'off', format] = log.args
    if (!isFile(file) || file.startsWith('syslog:')) http.notes.tell(log, 'this log is not carried over')
    else if (file !== 'off') {
      top['accessLog'] = file === '/dev/stdout' ? '-' : file
      if (format !== undefined && format !== 'combined' && format !== 'main')
        http.notes.tell(log, 'is written as combined')
    }
  }
  return top
}

/** `limit_req_zone $binary_remote_addr zone=one:10m rate=10r/s`. */
function rateZones(http: Scope): NginxImport['rateZones'] {
  const zones = new Map<string, { rate: string; key: string }>()
  for (const directive of http.own('limit_req_zone')) {
    const [variable = '', ...rest] = directive.args
    const name = /^zone=([^:]+)/.exec(rest.find((arg) => arg.startsWith('zone=')) ?? '')?.[1]
    const [, amount, unit] = /^rate=(\d{1,9})r\/([sm])$/.exec(rest.find((arg) => arg.startsWith('rate=')) ?? '') ?? []
    const header = /^\$http_([a-z0-9_]+)$/.exec(variable)?.[1]
    const key = /^\$(binary_)?remote_addr$/.test(variable)
      ? 'client-ip'
      : header && `header:${header.replaceAll('_', '-')}`
    if (name === undefined || Number(amount ?? 0) === 0 || key === undefined)
      http.notes.tell(directive, 'cannot be carried over')
    else zones.set(name, { rate: `${amount}/${unit}`, key })
  }
  return zones
}

/** `split_clients KEY $variant { 5% canary; * stable; }`. */
function splits(http: Scope): NginxImport['splits'] {
  const found = new Map<string, readonly (readonly [string, number])[]>()
  for (const directive of http.own('split_clients')) {
    let left = 10_000
    const shares = (directive.block ?? []).map(({ name, args }): readonly [string, number] => {
      const share = name === '*' ? left : Math.min(left, Math.round(Number.parseFloat(name) * 100) || 0)
      left -= share
      return [args[0] ?? '', share]
    })
    found.set((directive.args[1] ?? '').replace(/^\$/, ''), shares)
    http.notes.tell(directive, 'shares are kept, but a client may get the one and then the other')
  }
  return found
}

function tellRest(directives: readonly Directive[], notes: ImportNotes): void {
  for (const directive of directives) {
    if (!notes.isTaken(directive) && !needless.has(directive.name)) notes.tell(directive, 'not carried over')
    else if (directive.block !== undefined && ['http', 'stream', 'server', 'location'].includes(directive.name))
      tellRest(directive.block, notes)
  }
}

function written(file: string, draft: Record<string, unknown>, notes: ImportNotes): ImportResult {
  const head = [` Made from ${file} by synod proxy import nginx.`]
  if (notes.list.length > 0)
    head.push(' Not carried over, or otherwise here:', ...notes.list.map((note) => `   ${formatNote(note)}`))
  const document = new Document(draft, { aliasDuplicateObjects: false })
  document.commentBefore = head.map((line) => line.replace(/[\p{Cc}\u2028\u2029]/gu, ' ')).join('\n')
  const yaml = document.toString({ lineWidth: 120 })
  const parsed = parseProxyConfig(yaml, { file })
  if (parsed.ok) return { ok: true, yaml, notes: notes.list }
  return {
    ok: false,
    problems: parsed.problems.map((problem) => ({
      file,
      line: 1,
      message: `what was made of it is wrong: ${formatProblem('result', problem)}`,
    })),
  }
}
