/** Reads the proxy's configuration from YAML: validates all of it, and tells all that is wrong with its place. */
import { dirname, isAbsolute, join } from 'node:path'
import { isMap, isScalar, isSeq } from 'yaml'
import { checkCertificates, checkReferences, type ReadTextFile } from './check/index.ts'
import { withAbsoluteFiles } from './file-paths.ts'
import type { ProxyConfig } from './model.ts'
import { type Problem, problemOrder } from './problem.ts'
import { invalid, sourceText, YamlSource } from './schema/index.ts'
import { rootSchema } from './shape/root.ts'

export interface ParseOptions {
  /** Its name for messages. Paths in the configuration that are relative are meant from its folder. */
  readonly file: string
  /** `refuse`: relative paths are a problem, where there is no folder. Default: meant from the folder of `file`. */
  readonly relativeFiles?: 'refuse' | undefined
  /** How many workers `auto` is. Default 1. */
  readonly processors?: number | undefined
  /** Given: certificates and keys are read, and must belong together. Default: files are not looked at. */
  readonly checkFiles?: { readonly read: ReadTextFile; readonly nowMs: number } | undefined
}

/** `ok`: the configuration, complete; and what is odd about it. Else everything that is wrong, in the order of the file. */
export type ParsedConfig =
  | { readonly ok: true; readonly config: ProxyConfig; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/**
 * Reads a configuration. Never throws, whatever the text; one that is larger than 1 MiB, or expands to more than 400,000
 * values, is refused. At most 100 problems are told.
 *
 * @example
 * const parsed = parseProxyConfig(text, { file: 'proxy.yaml' })
 * if (!parsed.ok) for (const problem of parsed.problems) console.error(formatProblem('proxy.yaml', problem))
 */
export function parseProxyConfig(text: string, options: ParseOptions): ParsedConfig {
  const source = new YamlSource(text)
  const config = readConfig(source, options)
  if (config !== undefined && source.problems.length === 0)
    return { ok: true, config, warnings: [...source.warnings].sort(problemOrder) }
  const foreign = foreignConfig(text)
  return {
    ok: false,
    problems: [...(foreign === undefined ? [] : [foreign]), ...[...source.problems].sort(problemOrder)],
  }
}

/** Told first where the file is that of another program. */
function foreignConfig(text: string): Problem | undefined {
  const lines = text.slice(0, 100_000).split('\n')
  const at = (pattern: RegExp): number => lines.findIndex((line) => pattern.test(line)) + 1
  const nginx = at(/^\s*(http|server|events|stream|upstream\s+[\w.-]+|location\s+[^:{]+)\s*\{\s*(#.*)?$/)
  if (nginx > 0)
    return {
      line: nginx,
      column: 1,
      path: '',
      message: 'this looks like nginx’s configuration: synod proxy import nginx FILE makes one of ours of it',
    }
  const haproxy = at(/^(global|defaults|frontend|backend|listen)(\s+[\w.-]+)?\s*(#.*)?$/)
  if (haproxy === 0) return undefined
  const message =
    'this looks like HAProxy’s configuration, which cannot be imported: docs/traffic/proxy-configuration.md'
  return { line: haproxy, column: 1, path: '', message }
}

function readConfig(source: YamlSource, options: ParseOptions): ProxyConfig | undefined {
  if (source.root === null) return undefined
  const read = rootSchema(options.processors ?? 1).read(source.root, [], source)
  if (read === invalid || source.isExhausted) return undefined
  checkReferences(read, upstreamNames(source), source)
  const folder = dirname(options.file)
  const config = withAbsoluteFiles(read, (file) => {
    if (isAbsolute(file)) return file
    if (options.relativeFiles === 'refuse')
      source.report([], `${file} is a relative path, and this configuration has no folder: write it from "/" on`)
    return join(folder, file)
  })
  config.listeners.forEach((listener, index) => {
    source.placed(listener, source.placeOf(read.listeners[index]!))
  })
  const { checkFiles } = options
  if (checkFiles !== undefined) checkCertificates(config, checkFiles.read, checkFiles.nowMs, source)
  return config
}

/** All that stand in the file, right or wrong; also where they are written as a list with names. */
function upstreamNames(source: YamlSource): ReadonlySet<string> {
  const upstreams = inMap(source.root, 'upstreams', source)
  if (isSeq(upstreams))
    return new Set(
      upstreams.items.flatMap((item) => {
        const name = inMap(source.follow(item), 'name', source)
        return isScalar(name) ? [sourceText(name)] : []
      }),
    )
  return new Set(isMap(upstreams) ? upstreams.items.flatMap(({ key }) => (isScalar(key) ? [sourceText(key)] : [])) : [])
}

function inMap(map: unknown, key: string, source: YamlSource): unknown {
  if (!isMap(map)) return undefined
  return source.follow(map.items.find((item) => isScalar(item.key) && item.key.value === key)?.value)
}
