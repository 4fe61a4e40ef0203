/** synod proxy sync nginx|haproxy: keeps a running engine in step with the registry. */
import { resolve } from 'node:path'
import { ConfigSync, type SyncReport, syncSettingsDefault } from '../../proxy/sync/index.ts'
import { createNodeRuntime, holdProcess } from '../../runtime/node/index.ts'
import { parseArguments } from '../arguments.ts'
import { CommandError, printJson, printLine } from '../output.ts'
import { loadConfig } from './configuration.ts'
import { followEndpoints } from './endpoints.ts'
import { engineTarget } from './engine-process.ts'
import { engineOf, renderers, writePems } from './render.ts'

export async function sync(args: readonly string[]): Promise<void> {
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
  const [configFile, out] = [text('config'), text('out')]
  if (configFile === undefined || out === undefined)
    throw new CommandError(`say what and where: synod proxy sync ${engine} --config FILE --out PATH`, 2)
  const pidFile = text('pid-file')
  const config = loadConfig(configFile)
  const { scheduler, clock } = createNodeRuntime({ logLevel: 'warn' })
  const endpoints = followEndpoints({ ...config, registry: text('registry') ?? config.registry }, () =>
    syncing.changed(),
  )
  const source = {
    render: () => {
      const rendered = renderers[engine]({
        config,
        resolved: endpoints.current(),
        // HAProxy is told its pid file on its command line; a master does not write what the file says.
        pidFile: engine === 'nginx' && pidFile !== undefined ? resolve(pidFile) : undefined,
        nginxModules: text('nginx-modules'),
        pemFolder: text('pem-folder'),
      })
      if (text('pem-folder') !== undefined) writePems(rendered)
      return rendered
    },
  }
  const target = engineTarget({
    engine,
    program: text('program') ?? engine,
    file: resolve(out),
    reloadCommand: text('reload-command'),
    pidFile,
  })
  const syncing = new ConfigSync(
    source,
    target,
    { scheduler, clock },
    (report) => show(report, flags['json'] === true),
    syncSettingsDefault,
  )
  const letGo = holdProcess()
  await endpoints.ready()
  syncing.changed()
  await new Promise<void>((end) => {
    process.once('SIGINT', () => end())
    process.once('SIGTERM', () => end())
  })
  syncing.close()
  await endpoints.close()
  letGo()
}

function show(report: SyncReport, asJson: boolean): void {
  if (asJson) return printJson(report)
  switch (report.result) {
    case 'unchanged':
      return
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
