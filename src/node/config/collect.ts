/** Brings the settings together from the command line, the environment and the YAML file, before their values are read. */
import { createRequire } from 'node:module'
import { isKnownElsewhere, isSetting, type SettingName, settings, variableOf } from './settings.ts'

/** Raw values by setting, with where each came from, for messages. */
export interface CollectedSettings {
  readonly values: Map<SettingName, { readonly text: string; readonly source: string }>
  readonly problems: string[]
}

/** Where settings are looked for. Arguments win over the environment; with a file, neither may contradict it. */
export interface SettingSources {
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Reads the file that --config-file names; throws when it cannot. */
  readonly readFile: (path: string) => string
}

const ownVariablePrefix = 'ETCD_'
/** etcdctl's variables share the prefix and are none of the server's business. */
const foreignVariables = /^ETCD_(UNSUPPORTED_ARCH|VER|VERSION|IMAGE)$/

/**
 * Flags win over variables. With --config-file, the file holds everything: a flag or variable that says otherwise is a
 * problem (etcd would silently ignore it).
 */
export function collectSettings(sources: SettingSources): CollectedSettings {
  const problems: string[] = []
  const fromFlags = collectFlags(sources.args, problems)
  const fromVariables = collectVariables(sources.environment, problems)
  const values: CollectedSettings['values'] = new Map()
  for (const [name, text] of fromVariables) values.set(name, { text, source: variableOf(name) })
  for (const [name, text] of fromFlags) values.set(name, { text, source: `--${name}` })
  const file = values.get('config-file')
  if (file === undefined || file.text === '') return { values, problems }
  for (const [name, text] of collectFile(file.text, sources.readFile, problems)) {
    const before = values.get(name)
    if (before !== undefined && before.text !== text)
      problems.push(
        `${before.source} is "${before.text}", but ${file.text} says "${text}": set it in one place (with --config-file, that is the file)`,
      )
    values.set(name, { text, source: `${name} in ${file.text}` })
  }
  return { values, problems }
}

function collectFlags(args: readonly string[], problems: string[]): Map<SettingName, string> {
  const found = new Map<SettingName, string>()
  for (let i = 0; i < args.length; i++) {
    const match = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(args[i]!)
    if (match === null) {
      problems.push(`"${args[i]}" is not a flag; settings are given as --flag VALUE or --flag=VALUE`)
      continue
    }
    const name = match[1]!
    let text = match[2]
    const setting = settings.find((candidate) => candidate.flag === name)
    if (setting?.kind === 'boolean') text ??= 'true'
    else if (text === undefined && i + 1 < args.length && !/^--[a-z]/.test(args[i + 1]!)) text = args[++i]
    if (setting === undefined) problems.push(refusal(`--${name}`, name))
    else if (text === undefined) problems.push(`--${name} needs a value`)
    else if (found.has(setting.flag)) problems.push(`--${name} is given twice`)
    else found.set(setting.flag, text)
  }
  return found
}

function collectVariables(environment: SettingSources['environment'], problems: string[]): Map<SettingName, string> {
  const found = new Map<SettingName, string>()
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(ownVariablePrefix) || foreignVariables.test(variable) || text === undefined) continue
    const name = variable.slice(ownVariablePrefix.length).toLowerCase().replaceAll('_', '-')
    if (isSetting(name)) found.set(name, text)
    else problems.push(refusal(variable, name))
  }
  return found
}

function collectFile(path: string, readFile: SettingSources['readFile'], problems: string[]): Map<SettingName, string> {
  const found = new Map<SettingName, string>()
  let parsed: unknown
  try {
    const { parseDocument } = loadYaml()
    const document = parseDocument(readFile(path))
    for (const error of document.errors) problems.push(`${path}: ${error.message.split('\n')[0]}`)
    parsed = document.errors.length === 0 ? document.toJS() : {}
  } catch (error) {
    problems.push(`--config-file: cannot read ${path}: ${(error as Error).message}`)
    return found
  }
  if (parsed === null || parsed === undefined) return found
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    problems.push(`${path}: expected "setting: value" lines`)
    return found
  }
  for (const [name, value] of Object.entries(parsed)) {
    if (!isSetting(name) || name === 'config-file') problems.push(refusal(`${name} in ${path}`, name))
    else if (typeof value === 'object') problems.push(`${name} in ${path} must be a plain value`)
    else found.set(name, String(value))
  }
  return found
}

/** Loaded where there is a file to read: it takes a good part of the time in which an embedded node starts. */
function loadYaml(): typeof import('yaml') {
  return createRequire(import.meta.url)('yaml') as typeof import('yaml')
}

function refusal(given: string, name: string): string {
  if (isKnownElsewhere(name)) return `${given} is known to etcd, but Synod does not carry it out yet: remove it`
  const near = settings.find((setting) => setting.flag.startsWith(name) || distance(setting.flag, name) <= 2)
  return `${given} is not a setting${near === undefined ? '; see synod node --help' : `; did you mean --${near.flag}?`}`
}

/** Levenshtein distance, for hints. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]!
}
