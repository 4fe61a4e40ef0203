/** synod proxy render nginx|haproxy: the same configuration for the engines people run. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { ProxyConfig } from '../../proxy/config/index.ts'
import { type Rendered, renderHaproxy, renderNginx } from '../../proxy/render/index.ts'
import { parseArguments } from '../arguments.ts'
import { CommandError, printJson } from '../output.ts'
import { loadConfig, parseConfigFile, writeOutput } from './configuration.ts'
import { resolveEndpoints } from './endpoints.ts'

export type Engine = 'nginx' | 'haproxy'

export function engineOf(text: string | undefined): Engine {
  if (text === 'nginx' || text === 'haproxy') return text
  throw new CommandError('say for which engine: nginx or haproxy', 2)
}

export const renderers = { nginx: renderNginx, haproxy: renderHaproxy } as const

export async function render(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('proxy', args, {
    output: { type: 'string', short: 'o' },
    'pid-file': { type: 'string' },
    'nginx-modules': { type: 'string' },
    'pem-folder': { type: 'string' },
    registry: { type: 'string' },
    json: { type: 'boolean' },
  })
  const engine = engineOf(operands[0])
  const [, file, more] = operands
  if (file === undefined || more !== undefined)
    throw new CommandError(`name one configuration file: synod proxy render ${engine} FILE`, 2)
  const isJson = flags['json'] === true
  const config = isJson ? checkedForJson(engine, file) : loadConfig(file)
  if (config === undefined) return
  const text = (name: string): string | undefined => (typeof flags[name] === 'string' ? flags[name] : undefined)
  const resolved = await resolveEndpoints({ ...config, registry: text('registry') ?? config.registry })
  const rendered = renderers[engine]({
    config,
    resolved,
    pidFile: text('pid-file'),
    nginxModules: text('nginx-modules'),
    pemFolder: text('pem-folder'),
  })
  if (text('pem-folder') !== undefined) writePems(rendered)
  const isPrinted = flags['output'] === undefined || flags['output'] === '-'
  if (!isJson || !isPrinted) writeOutput(flags['output'], rendered.text)
  if (isJson) {
    const { warnings } = rendered
    return printJson({ ok: true, engine, file, warnings, ...(isPrinted ? { text: rendered.text } : {}) })
  }
  for (const warning of rendered.warnings) process.stderr.write(`${warning}\n`)
}

/** Undefined when it is wrong, which has been told. */
function checkedForJson(engine: Engine, file: string): ProxyConfig | undefined {
  const parsed = parseConfigFile(file)
  if (parsed.ok) return parsed.config
  printJson({ ok: false, engine, file, problems: parsed.problems })
  process.exitCode = 1
  return undefined
}

/** Certificate and key in one file, as HAProxy wants them; readable by its owner only. */
export function writePems({ pems }: Rendered): void {
  for (const { file, from } of pems) {
    const text = from.map((each) => readFileSync(each, 'utf8').replace(/\n?$/, '\n')).join('')
    writeFileSync(`${file}.new`, text, { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
}
