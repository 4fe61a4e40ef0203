/** nginx's configuration as ours, and a list of all that could not be carried over. */
import { basename, dirname } from 'node:path'
import { formatProblem, parseProxyConfig } from '../config/index.ts'
import { formatNotes, type ImportNote, ImportNotes } from './carried.ts'
import { type ImportFiles, loadNginx } from './nginx-files.ts'
import type { NginxImport } from './nginx-route.ts'
import { httpListeners, type ListenerDraft } from './nginx-servers.ts'
import { streamListeners } from './nginx-stream.ts'
import type { Directive, SyntaxProblem } from './nginx-syntax.ts'
import { NginxUpstreams } from './nginx-upstreams.ts'
import { isFile, wholeNumber } from './nginx-values.ts'
import { Scope } from './scope.ts'
import { isNeedless, whyNot } from './whys.ts'
import { writtenYaml } from './written.ts'

export interface ImportOptions {
  /** Leave out includes whose file cannot be read, and tell so. Default: they are problems. */
  readonly skipMissing?: boolean
}

export type ImportResult =
  /** `yaml` always passes `parseProxyConfig`; `notes` says what it leaves out or does otherwise. */
  | { readonly ok: true; readonly yaml: string; readonly notes: readonly ImportNote[] }
  | { readonly ok: false; readonly problems: readonly SyntaxProblem[] }

/**
 * Reads an nginx file (a whole `nginx.conf`, or a file of a site) with all it includes. Never throws for what is in the
 * files; `ok: false` when they are no nginx configuration, or one cannot be read.
 */
export function importNginx(file: string, files: ImportFiles, options: ImportOptions = {}): ImportResult {
  const loaded = loadNginx(file, files, options.skipMissing === true)
  if (loaded.problems.length > 0) return { ok: false, problems: loaded.problems }
  const notes = new ImportNotes()
  for (const directive of loaded.missing) notes.tell(directive, 'cannot be read: what it says is missing here')
  const { http, stream, main } = partsOf(loaded.directives, notes)
  const shared: NginxImport = {
    upstreams: new NginxUpstreams(notes),
    rateZones: rateZones(http),
    splits: splits(http),
    maps: maps(http),
  }
  for (const block of http.own('upstream')) shared.upstreams.declare(block, 'http')
  for (const block of stream.own('upstream')) shared.upstreams.declare(block, 'stream')
  const all = [...httpListeners(http, shared), ...streamListeners(stream, shared.upstreams)]
  const listeners = withNames(withoutOverlaps(all, file, notes))
  const top = topLevel(main, http)
  const names = usedNames(listeners)
  const { drafts, renamed } = shared.upstreams.used((name) => names.has(name))
  tellRest(loaded.directives, notes)
  if (listeners.length === 0) return { ok: false, problems: [{ file, line: 1, message: whyEmpty(loaded.directives) }] }
  const upstreams = Object.keys(drafts).length === 0 ? {} : { upstreams: drafts }
  return written(file, { ...top, listeners: listeners.map((each) => withRenamed(each, renamed)), ...upstreams }, notes)
}

function whyEmpty(directives: readonly Directive[]): string {
  if (directives.some(({ name }) => name === 'location'))
    return 'has locations and no server: it is a part of another file; import the one that includes it'
  return 'has no server that could be carried over'
}

/** `http`, `https`, `tcp`, with the port where it is not the usual one. */
function withNames(listeners: readonly ListenerDraft[]): readonly ListenerDraft[] {
  const taken = new Set<string>()
  return listeners.map((listener) => {
    const port = /\d+$/.exec(String(listener['address']))?.[0] ?? ''
    const protocol = listener['protocol'] ?? (listener['tls'] === undefined ? 'http' : 'https')
    const kind = protocol === 'tls-passthrough' ? 'tls' : String(protocol)
    const isUsual = (kind === 'http' && port === '80') || (kind === 'https' && port === '443')
    const wished = isUsual ? kind : `${kind}-${port}`
    let name = wished
    for (let number = 2; taken.has(name); number++) name = `${wished}-${number}`
    taken.add(name)
    return { name, ...listener }
  })
}

function usedNames(listeners: readonly ListenerDraft[]): ReadonlySet<string> {
  const used = new Set<string>()
  const use = (target: unknown): void => {
    if (typeof target === 'string') used.add(target)
    else if (typeof target === 'object' && target !== null) for (const name of Object.keys(target)) used.add(name)
  }
  for (const listener of listeners) {
    const parts = [listener, listener['routes'] ?? [], listener['names'] ?? []].flat() as ListenerDraft[]
    for (const { to, mirror } of parts) {
      use(to)
      use(mirror)
    }
  }
  return used
}

/** The same listener with other names of upstreams. */
function withRenamed(listener: ListenerDraft, renamed: ReadonlyMap<string, string>): ListenerDraft {
  if (renamed.size === 0) return listener
  const nameOf = (name: unknown): unknown => {
    if (typeof name === 'string') return renamed.get(name) ?? name
    if (typeof name !== 'object' || name === null) return name
    return Object.fromEntries(Object.entries(name).map(([each, share]) => [renamed.get(each) ?? each, share]))
  }
  const of = (target: Record<string, unknown>): Record<string, unknown> => ({
    ...target,
    ...(target['to'] === undefined ? {} : { to: nameOf(target['to']) }),
    ...(target['mirror'] === undefined ? {} : { mirror: nameOf(target['mirror']) }),
  })
  const list = (key: string): Record<string, unknown> =>
    Array.isArray(listener[key]) ? { [key]: (listener[key] as Record<string, unknown>[]).map(of) } : {}
  return { ...of(listener), ...list('routes'), ...list('names') }
}

/** nginx takes `80` and `127.0.0.1:80` together, and `http` and `stream` cannot; ours binds each port once. */
function withoutOverlaps(all: readonly ListenerDraft[], file: string, notes: ImportNotes): readonly ListenerDraft[] {
  const kept = new Map<string, string[]>()
  const isWide = ({ address }: ListenerDraft): boolean => /^(0\.0\.0\.0|\[::\]):/.test(String(address))
  const left = [...all.filter(isWide), ...all.filter((each) => !isWide(each))].filter(({ address }) => {
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
  return all.filter((each) => left.includes(each))
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
      http.notes.tell(
        directive,
        'cannot be carried over: only $binary_remote_addr, $remote_addr or a header tells clients apart here',
      )
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

/** `map $http_x_group $backend { … }`. */
function maps(http: Scope): NginxImport['maps'] {
  return new Map(http.own('map').map((directive) => [(directive.args[1] ?? '').replace(/^\$/, ''), directive]))
}

function tellRest(directives: readonly Directive[], notes: ImportNotes): void {
  for (const directive of directives) {
    if (!notes.isTaken(directive)) {
      if (!isNeedless(directive, directives)) notes.tell(directive, whyNot(directive.name))
    } else if (
      directive.block !== undefined &&
      blocks.has(directive.name) &&
      !(directive.name === 'if' && notes.isTold(directive))
    )
      tellRest(directive.block, notes)
  }
}

const blocks = new Set(['http', 'stream', 'server', 'location', 'if'])

function written(file: string, draft: Record<string, unknown>, notes: ImportNotes): ImportResult {
  const head = [` Made from ${basename(file)} by synod proxy import nginx.`]
  if (notes.list.length > 0)
    head.push(
      ' Not carried over, or otherwise here:',
      ...formatNotes(notes.list, dirname(file)).map((note) => `   ${note}`),
    )
  const yaml = writtenYaml(draft, head)
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
