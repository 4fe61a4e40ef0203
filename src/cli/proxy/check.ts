/** synod proxy check: validates a configuration as a whole. */
import {
  formatProblem,
  type ListenerConfig,
  type Problem,
  type ProxyConfig,
  type ProxyUpstreamConfig,
  proxyConfigJsonSchema,
} from '../../proxy/config/index.ts'
import { parseArguments } from '../arguments.ts'
import { CommandError, printJson, printLine } from '../output.ts'
import { parseConfigFile } from './configuration.ts'

export async function check(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('proxy', args, {
    json: { type: 'boolean' },
    schema: { type: 'boolean' },
  })
  if (flags['schema'] === true) return printLine(JSON.stringify(proxyConfigJsonSchema(), undefined, 2))
  const [file, more] = operands
  if (file === undefined || more !== undefined)
    throw new CommandError('name one configuration file: synod proxy check FILE', 2)
  const parsed = parseConfigFile(file)
  const problems = parsed.ok ? [] : parsed.problems
  const warnings = parsed.ok ? parsed.warnings : []
  if (flags['json'] === true) printJson({ ok: parsed.ok, file, problems, warnings })
  else printForPeople(file, problems, warnings, parsed.ok ? parsed.config : undefined)
  if (!parsed.ok) process.exitCode = 1
}

function printForPeople(
  file: string,
  problems: readonly Problem[],
  warnings: readonly Problem[],
  config: ProxyConfig | undefined,
): void {
  for (const problem of problems) printLine(formatProblem(file, problem))
  for (const warning of warnings) printLine(`${formatProblem(file, warning)} (warning)`)
  if (config !== undefined) printLine(summaryOf(config).join('\n'))
}

/** What it would serve, a line a thing. */
function summaryOf(config: ProxyConfig): string[] {
  const workers = `${config.workers} worker${config.workers === 1 ? '' : 's'}`
  const admin = config.admin === undefined ? 'no admin address' : `admin at ${addressOf(config.admin)}`
  return [
    `good: ${workers}, ${admin}`,
    ...config.listeners.map((listener) => `  ${listener.name}: ${addressOf(listener)} ${listenerText(listener)}`),
    ...config.upstreams.map((upstream) => `  ${upstream.settings.name}: ${upstreamText(upstream)}`),
  ]
}

function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function listenerText(listener: ListenerConfig): string {
  if (listener.protocol === 'tcp') return `tcp to ${listener.upstream}`
  if (listener.protocol === 'tls-passthrough') return `TLS passed through by ${listener.names.length} name rules`
  const kinds = [listener.tls === undefined ? 'http' : 'https', ...(listener.http2 ? ['http2'] : [])]
  return `${kinds.join(', ')}, ${listener.routes.length} route${listener.routes.length === 1 ? '' : 's'}`
}

function upstreamText({ settings, protocol, tls }: ProxyUpstreamConfig): string {
  const sources = settings.sources.map((source) => {
    if (source.type === 'static')
      return `${source.endpoints.length} endpoint${source.endpoints.length === 1 ? '' : 's'}`
    if (source.type === 'dns') return `dns ${source.name}${source.port === undefined ? ' (SRV)' : `:${source.port}`}`
    return source.type === 'file' ? `file ${source.path}` : `registry ${source.service}`
  })
  return `${sources.join(' and ')}, ${protocol}${tls === undefined ? '' : ' over TLS'}, ${settings.balance.policy}`
}
