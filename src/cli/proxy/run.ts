/** synod proxy run: a proxy in this process and its workers, until a signal. */
import { readFileSync, watch } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname } from 'node:path'
import { connect } from '../../client/index.ts'
import { type AdminServer, startAdmin } from '../../proxy/admin/index.ts'
import {
  formatProblem,
  type ParsedConfig,
  type ProxyConfig,
  parseProxyConfig,
  watchProxyConfig,
} from '../../proxy/config/index.ts'
import {
  createWorkerOutside,
  type OwnedOutside,
  type RunningProxy,
  startGrowingProxy,
  startProcesses,
  startSingleProcess,
} from '../../proxy/processes/index.ts'
import type { Logger, LogLevel } from '../../runtime/index.ts'
import { boundRegExpBacktracking } from '../../runtime/node/index.ts'
import { parseArguments, wholeNumber } from '../arguments.ts'
import { CommandError, printJson, printLine } from '../output.ts'

/** Editors write a file in several steps; after the last of them this passes before it is read. */
const settleMs = 200
const workersMax = 256

interface RunFlags {
  readonly file: string | undefined
  readonly key: string | undefined
  readonly registry: string | undefined
  readonly workers: number | undefined
  readonly isSingle: boolean
  readonly isJson: boolean
  readonly logLevel: LogLevel
}

export async function run(args: readonly string[]): Promise<void> {
  const flags = readFlags(args)
  // The launcher sets it too; a process that was started without must not do without.
  boundRegExpBacktracking()
  const source = flags.key === undefined ? new FileSource(flags) : new KeySource(flags)
  const parsed = await source.first()
  if (!parsed.ok) throw new CommandError(problemsOf(flags, parsed).join('\n'))
  const config = adjusted(parsed.config, flags)
  const { registry } = config
  const logFormat = flags.isJson ? 'json' : 'text'
  const outside = createWorkerOutside({ logLevel: flags.logLevel, logFormat, registry })
  tellWarnings(outside.logger, flags, parsed)
  // One worker is no more robust with a second process beside it, which costs 50 MB: the workers' own process serves.
  const options = { logLevel: flags.logLevel, logFormat, registry } as const
  const start = config.workers === 1 ? startGrowingProxy : startProcesses
  const proxy = flags.isSingle ? await startSingleProcess(config, outside) : await start(config, outside, options)
  const command = new RunCommand(proxy, config, outside, flags, source)
  await command.begin()
}

function logLevelOf(text = 'info'): LogLevel {
  if (text === 'debug' || text === 'info' || text === 'warn' || text === 'error') return text
  throw new CommandError(`--log-level is ${text}: write debug, info, warn or error`, 2)
}

function readFlags(args: readonly string[]): RunFlags {
  const { flags, operands } = parseArguments('proxy', args, {
    config: { type: 'string' },
    'config-key': { type: 'string' },
    registry: { type: 'string' },
    workers: { type: 'string' },
    'single-process': { type: 'boolean' },
    json: { type: 'boolean' },
    'log-level': { type: 'string' },
  })
  const text = (name: string): string | undefined => flags[name] as string | undefined
  const [key, registry, workers] = [text('config-key'), text('registry'), text('workers')]
  // `run FILE`, as `check FILE`, is what everybody tries first.
  const files = [text('config'), ...operands].filter((file) => file !== undefined)
  if (files.length > 1)
    throw new CommandError(`one configuration can be served, and these are given: ${files.join(', ')}`, 2)
  const [file] = files
  if ((file === undefined) === (key === undefined))
    throw new CommandError(
      'say where the configuration is: --config FILE, or --config-key KEY --registry CONNECTION',
      2,
    )
  if (key !== undefined && registry === undefined)
    throw new CommandError('--config-key needs --registry CONNECTION: where the key is', 2)
  return {
    file,
    key,
    registry,
    workers: workers === undefined ? undefined : wholeNumber('workers', workers, 1, workersMax),
    isSingle: flags['single-process'] === true,
    isJson: flags['json'] === true,
    logLevel: logLevelOf(text('log-level')),
  }
}

function adjusted(config: ProxyConfig, flags: RunFlags): ProxyConfig {
  const workers = flags.isSingle ? 1 : (flags.workers ?? config.workers)
  return { ...config, workers, registry: flags.registry ?? config.registry }
}

const parsing = {
  processors: availableParallelism(),
  checkFiles: {
    read: (path: string) => readFileSync(path, 'utf8'),
    get nowMs() {
      return Date.now()
    },
  },
}

function parse(text: string, file: string): ParsedConfig {
  return parseProxyConfig(text, { file, ...parsing })
}

function problemsOf(flags: RunFlags, parsed: ParsedConfig & { readonly ok: false }): string[] {
  return parsed.problems.map((problem) => formatProblem(flags.file ?? flags.key ?? '', problem))
}

/** What is odd about a configuration that is taken. */
function tellWarnings(logger: Logger, flags: RunFlags, { warnings }: ParsedConfig & { readonly ok: true }): void {
  for (const warning of warnings)
    logger.warn('something is odd about the configuration', {
      problem: formatProblem(flags.file ?? flags.key ?? '', warning),
    })
}

/** Where the configuration comes from, and how its changes are told. */
interface ConfigSource {
  first(): Promise<ParsedConfig>
  /** The configuration as it is now. */
  current(): Promise<ParsedConfig>
  /** Tells of changes until `close`. */
  follow(onChange: (parsed: ParsedConfig) => void): void
  close(): Promise<void>
}

class FileSource implements ConfigSource {
  private readonly file: string
  private watcher: ReturnType<typeof watch> | undefined
  private timer: NodeJS.Timeout | undefined
  private lastText = ''

  constructor({ file }: RunFlags) {
    this.file = file!
  }

  first(): Promise<ParsedConfig> {
    return this.current()
  }

  async current(): Promise<ParsedConfig> {
    try {
      this.lastText = readFileSync(this.file, 'utf8')
      return parse(this.lastText, this.file)
    } catch (error) {
      const message = `cannot read it: ${(error as Error).message}`
      return { ok: false, problems: [{ line: 1, column: 1, path: '', message }] }
    }
  }

  /** The folder is watched, since editors put a new file in the place of the old one. */
  follow(onChange: (parsed: ParsedConfig) => void): void {
    this.watcher = watch(dirname(this.file), (_event, name) => {
      if (name !== null && name !== basename(this.file)) return
      clearTimeout(this.timer)
      this.timer = setTimeout(() => {
        const before = this.lastText
        void this.current().then((parsed) => {
          if (this.lastText !== before || !parsed.ok) onChange(parsed)
        })
      }, settleMs)
    })
    this.watcher.on('error', (error) => process.stderr.write(`synod: ${this.file} is not watched: ${error.message}\n`))
  }

  async close(): Promise<void> {
    clearTimeout(this.timer)
    this.watcher?.close()
  }
}

/** The watch makes its own connections again; when it ends all the same it is begun anew after this time. */
const watchAgainMs = 1_000

class KeySource implements ConfigSource {
  private readonly flags: RunFlags
  private readonly over = new AbortController()
  private latest: ParsedConfig | undefined
  private onChange: (parsed: ParsedConfig) => void = () => {}
  private plane: { close(): Promise<void> } | undefined

  constructor(flags: RunFlags) {
    this.flags = flags
  }

  async first(): Promise<ParsedConfig> {
    const plane = await connect(this.flags.registry!)
    this.plane = plane
    if (!('kv' in plane)) throw new CommandError('the engine of --registry keeps no keys: name another one', 2)
    return new Promise((resolve, reject) => {
      const watching = async (): Promise<void> => {
        const { signal } = this.over
        for await (const parsed of watchProxyConfig(plane, this.flags.key!, { ...parsing, signal })) {
          this.latest = parsed
          resolve(parsed)
          this.onChange(parsed)
        }
      }
      const again = (error: unknown): void => {
        reject(error)
        if (this.over.signal.aborted) return
        const reason = error instanceof Error ? error.message : String(error)
        process.stderr.write(`synod: ${this.flags.key} is not watched (${reason}); it is tried again\n`)
        setTimeout(() => watching().catch(again), watchAgainMs).unref()
      }
      watching().catch(again)
    })
  }

  async current(): Promise<ParsedConfig> {
    return this.latest!
  }

  follow(onChange: (parsed: ParsedConfig) => void): void {
    this.onChange = onChange
  }

  async close(): Promise<void> {
    this.over.abort()
    await this.plane?.close()
  }
}

/** The running command: signals, changes of the configuration, and the admin pages come together here. */
class RunCommand {
  lastReloadProblems: readonly string[] = []
  private readonly proxy: RunningProxy
  private config: ProxyConfig
  private readonly outside: OwnedOutside
  private readonly flags: RunFlags
  private readonly source: ConfigSource
  private admin: AdminServer | undefined
  private isEnding = false

  constructor(proxy: RunningProxy, config: ProxyConfig, outside: OwnedOutside, flags: RunFlags, source: ConfigSource) {
    this.proxy = proxy
    this.config = config
    this.outside = outside
    this.flags = flags
    this.source = source
  }

  async begin(): Promise<void> {
    await this.openAdmin()
    this.source.follow((parsed) => void this.take(parsed))
    for (const signal of ['SIGTERM', 'SIGQUIT', 'SIGINT'] as const) process.on(signal, () => this.end(signal))
    process.on('SIGHUP', () => void this.reload())
    process.on('SIGUSR1', () => void this.reopenLogs())
    await this.tellStarted()
    await new Promise(() => {})
  }

  /** Reads the configuration again; what is wrong with it, empty when it was taken. */
  async reload(): Promise<readonly string[]> {
    return this.take(await this.source.current())
  }

  private async take(parsed: ParsedConfig): Promise<readonly string[]> {
    const { logger } = this.outside
    if (parsed.ok) {
      const config = adjusted(parsed.config, this.flags)
      try {
        await this.proxy.reload(config)
        if (
          JSON.stringify(config.admin) !== JSON.stringify(this.config.admin) ||
          config.registry !== this.config.registry
        )
          logger.warn('another admin address or registry takes a restart; the old one goes on')
        this.config = config
        this.lastReloadProblems = []
        tellWarnings(logger, this.flags, parsed)
        logger.info('configuration taken', { listeners: config.listeners.length, upstreams: config.upstreams.length })
      } catch (error) {
        this.lastReloadProblems = [(error as Error).message]
      }
    } else this.lastReloadProblems = problemsOf(this.flags, parsed)
    for (const problem of this.lastReloadProblems)
      logger.error('the configuration was not taken; the old one goes on', { problem })
    return this.lastReloadProblems
  }

  private async reopenLogs(): Promise<void> {
    await this.proxy.reopenLogs().catch((error: Error) => {
      this.outside.logger.error('the access log cannot be opened again', { reason: error.message })
    })
  }

  private async openAdmin(): Promise<void> {
    const { admin } = this.config
    if (admin === undefined) return
    const { network, scheduler, logger } = this.outside
    const command = this
    const target = {
      status: () => this.proxy.status(),
      reload: () => this.reload(),
      drain: () => this.end('drain'),
      setEndpointDraining: (upstream: string, endpoint: string, draining: boolean) =>
        this.proxy.setEndpointDraining(upstream, endpoint, draining),
      get lastReloadProblems() {
        return command.lastReloadProblems
      },
    }
    try {
      this.admin = await startAdmin(admin, { network, scheduler, logger, target })
    } catch (error) {
      await this.proxy.stop()
      throw error
    }
  }

  private async tellStarted(): Promise<void> {
    const { listeners, workers } = await this.proxy.status()
    const told = listeners.map(({ name, protocol, host, port }) => ({ name, protocol, host, port }))
    const admin = this.admin?.address
    if (this.flags.isJson) {
      printJson({ event: 'started', processId: process.pid, workers, listeners: told, admin })
      return
    }
    for (const { name, protocol, host, port } of told) printLine(`${name}: ${protocol} at ${host}:${port}`)
    if (admin !== undefined) printLine(`admin at http://${admin.host}:${admin.port}`)
  }

  /** The first time in order, the second time at once. */
  private end(why: string): void {
    const { logger } = this.outside
    if (this.isEnding) {
      void this.proxy.stop().finally(() => process.exit(1))
      return
    }
    this.isEnding = true
    const { drainTimeoutMs } = this.config
    logger.info('draining', { why, drainTimeoutMs })
    const finish = async (): Promise<void> => {
      await this.proxy.drain(drainTimeoutMs)
      await this.admin?.close()
      await this.source.close()
      await this.outside.close()
    }
    finish().then(
      () => process.exit(0),
      (error: Error) => {
        logger.error('the proxy did not end in order', { reason: error.message })
        process.exit(1)
      },
    )
  }
}
