/**
 * synod proxy sync nginx|haproxy: keeps a running engine in step with the configuration and the registry.
 *
 * - S1  The engine's file follows the last configuration that was right; a wrong one is told, and changes nothing.
 * - S2  Another configuration takes over when its endpoints are known, never before.
 */
import { realpathSync, watch } from 'node:fs'
import { createServer } from 'node:net'
import { basename, dirname, resolve } from 'node:path'
import type { ProxyConfig } from '../../proxy/config/index.ts'
import { ConfigSync, type SyncReport, syncSettingsDefault } from '../../proxy/sync/index.ts'
import { createNodeRuntime, holdProcess } from '../../runtime/node/index.ts'
import { parseArguments } from '../arguments.ts'
import { CommandError, printJson, printLine } from '../output.ts'
import { loadConfig } from './configuration.ts'
import { type FollowedEndpoints, followEndpoints } from './endpoints.ts'
import { engineTarget } from './engine-process.ts'
import { type Engine, engineOf, renderers, writePems } from './render.ts'

/** Editors write a file in several steps; after the last of them this passes before it is read. */
const settleMs = 200

interface SyncFlags {
  readonly engine: Engine
  readonly config: string
  readonly out: string
  readonly program: string
  readonly reloadCommand: string | undefined
  readonly pidFile: string | undefined
  readonly nginxModules: string | undefined
  readonly pemFolder: string | undefined
  readonly registry: string | undefined
  readonly isJson: boolean
}

export async function sync(args: readonly string[]): Promise<void> {
  const flags = readFlags(args)
  const ended = new Promise<void>((end) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end())
  })
  const letGo = holdProcess()
  const command = new SyncCommand(flags)
  await Promise.race([command.begin(), ended])
  await ended
  await command.end()
  letGo()
}

function readFlags(args: readonly string[]): SyncFlags {
  const { flags, operands } = parseArguments('proxy', args, {
    config: { type: 'string' },
    out: { type: 'string' },
    program: { type: 'string' },
    'reload-command': { type: 'string' },
    'pid-file': { type: 'string' },
    'nginx-modules': { type: 'string' },
    'pem-folder': { type: 'string' },
    registry: { type: 'string' },
    json: { type: 'boolean' },
  })
  const text = (name: string): string | undefined => (typeof flags[name] === 'string' ? flags[name] : undefined)
  const engine = engineOf(operands[0])
  const [config, out, pidFile] = [text('config'), text('out'), text('pid-file')]
  if (config === undefined || out === undefined || operands.length > 1)
    throw new CommandError(`say what and where: synod proxy sync ${engine} --config FILE --out PATH`, 2)
  const reloadCommand = text('reload-command')
  if (pidFile === undefined && reloadCommand === undefined)
    throw new CommandError(
      `say how ${engine} is reloaded: --pid-file PATH of its master process, or --reload-command COMMAND`,
      2,
    )
  return {
    engine,
    config,
    out,
    program: text('program') ?? engine,
    reloadCommand,
    pidFile: pidFile === undefined ? undefined : resolve(pidFile),
    nginxModules: text('nginx-modules'),
    pemFolder: text('pem-folder'),
    registry: text('registry'),
    isJson: flags['json'] === true,
  }
}

/** The running command: the configuration's file, its endpoints, and the engine's file come together here. */
class SyncCommand {
  private readonly flags: SyncFlags
  private readonly syncing: ConfigSync
  private config: ProxyConfig
  private endpoints: FollowedEndpoints
  private watcher: ReturnType<typeof watch> | undefined
  private timer: NodeJS.Timeout | undefined
  /** Reads of the configuration, one after the other. */
  private reading: Promise<void> = Promise.resolve()
  private isFirst = true

  constructor(flags: SyncFlags) {
    this.flags = flags
    this.config = this.read()
    const { scheduler, clock } = createNodeRuntime({ logLevel: 'warn' })
    const target = engineTarget({ ...flags, file: realPath(flags.out) })
    this.syncing = new ConfigSync(
      { render: () => this.render() },
      target,
      { scheduler, clock },
      (report) => this.show(report),
      syncSettingsDefault,
    )
    this.endpoints = followEndpoints(this.config, () => this.syncing.changed())
  }

  async begin(): Promise<void> {
    this.follow()
    process.on('SIGHUP', () => this.readAgain())
    await this.endpoints.ready()
    this.syncing.changed()
  }

  /** A round under way ends first: the engine is never left between two files. */
  async end(): Promise<void> {
    clearTimeout(this.timer)
    this.watcher?.close()
    await this.syncing.close()
    await this.reading
    await this.endpoints.close()
  }

  private read(): ProxyConfig {
    const config = loadConfig(this.flags.config)
    return { ...config, registry: this.flags.registry ?? config.registry }
  }

  private render(): ReturnType<(typeof renderers)[Engine]> {
    const { engine, pidFile, nginxModules, pemFolder } = this.flags
    const rendered = renderers[engine]({
      config: this.config,
      resolved: this.endpoints.current(),
      // HAProxy is told its pid file on its command line; a master does not write what the file says.
      pidFile: engine === 'nginx' ? pidFile : undefined,
      nginxModules,
      pemFolder,
    })
    if (pemFolder !== undefined) writePems(rendered)
    return rendered
  }

  /** The folder is watched, since editors put a new file in the place of the old one. */
  private follow(): void {
    const file = resolve(this.flags.config)
    this.watcher = watch(dirname(file), (_event, name) => {
      if (name !== null && name !== basename(file)) return
      clearTimeout(this.timer)
      this.timer = setTimeout(() => this.readAgain(), settleMs)
    })
    this.watcher.on('error', (error) => process.stderr.write(`synod: ${file} is not watched: ${error.message}\n`))
  }

  private readAgain(): void {
    this.reading = this.reading.then(() => this.takeOver())
  }

  private async takeOver(): Promise<void> {
    let fresh: FollowedEndpoints | undefined
    try {
      const config = this.read()
      await checkNewAddresses(config, this.config)
      fresh = followEndpoints(config, () => this.syncing.changed())
      await fresh.ready()
      const old = this.endpoints
      this.config = config
      this.endpoints = fresh
      this.syncing.changed()
      await old.close()
    } catch (error) {
      this.show({ result: 'refused', reason: (error as Error).message })
      await fresh?.close()
    }
  }

  private show(report: SyncReport): void {
    const isFirst = this.isFirst
    this.isFirst = false
    if (this.flags.isJson) return printJson(report)
    switch (report.result) {
      case 'unchanged':
        return isFirst ? printLine('unchanged: the file is as it should be') : undefined
      case 'reloaded':
        for (const warning of report.warnings) process.stderr.write(`${warning}\n`)
        return printLine('reloaded')
      case 'refused':
        return printLine(`refused, the old configuration stays: ${report.reason}`)
      case 'rolled-back':
        printLine(`rolled back: ${report.reason}`)
        if (report.restored !== undefined)
          printLine(`the old configuration could not be loaded again: ${report.restored}`)
    }
  }
}

/**
 * The engines' own checks do not look whether addresses are free. nginx would fail at the reload, and HAProxy close its
 * listeners for a second to try again. So addresses that the engine does not have yet are tried here.
 */
async function checkNewAddresses(config: ProxyConfig, old: ProxyConfig): Promise<void> {
  const known = new Set(old.listeners.map(({ port }) => port))
  for (const { name, host, port } of config.listeners) {
    if (port === 0 || known.has(port) || !(await isTaken(host, port))) continue
    throw new CommandError(`listener ${name}: port ${port} of ${host} is in use by another process`)
  }
}

/** That it may not be used by this process says nothing of the engine, which may run as another user. */
function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'))
    server.listen(port, host, () => server.close(() => resolve(false)))
  })
}

/** Where a link leads, so that the file is replaced and not the link. */
function realPath(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return resolve(file)
  }
}
