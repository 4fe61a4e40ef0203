/** synod chaos: a real cluster of processes under faults, and a verdict on what its clients saw. */
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type ChaosOptions,
  type ChaosProgress,
  type ChaosReport,
  ClusterStartError,
  clientsMin,
  type FaultName,
  faultKinds,
  faultNames,
  runChaos,
} from '../verify/chaos/index.ts'
import { type ParsedArguments, parseArguments, wholeNumber } from './arguments.ts'
import { chaosJson, chaosText } from './chaos-report.ts'
import { CommandError, formatTable, ProgressLine, printJson, printLine } from './output.ts'

const nodeCounts = [3, 5]
const exitStatus = { valid: 0, invalid: 1, unknown: 2 } as const

/** What the flags say, before directories are made. */
interface Settings {
  readonly consensus: ChaosOptions['consensus']
  readonly nodes: number
  readonly seconds: number
  readonly seed: string
  readonly clients: number
  readonly faults: readonly FaultName[]
  readonly rate: number
  readonly data: string | undefined
  readonly history: string | undefined
  readonly json: boolean
  readonly list: boolean
}

export async function chaos(args: readonly string[]): Promise<void> {
  const settings = settingsOf(
    parseArguments('chaos', args, {
      consensus: { type: 'string' },
      nodes: { type: 'string' },
      duration: { type: 'string' },
      seed: { type: 'string' },
      clients: { type: 'string' },
      faults: { type: 'string' },
      rate: { type: 'string' },
      data: { type: 'string' },
      history: { type: 'string' },
      json: { type: 'boolean' },
      list: { type: 'boolean' },
    }),
  )
  if (settings.list) return listFaults(settings.json)
  if (settings.data !== undefined && existsSync(settings.data) && readdirSync(settings.data).length > 0)
    throw new CommandError(
      `${settings.data} is not empty: chaos founds a new cluster. Name another --data directory.`,
      2,
    )
  requireWritable(settings.history)
  const directory = settings.data ?? mkdtempSync(join(tmpdir(), 'synod-chaos-'))
  const interrupted = new AbortController()
  let keep = true
  let exitWith: number
  try {
    const report = await runWithSignals(settings, directory, interrupted)
    keep = report.verdict !== 'valid'
    tell(settings, report, directory)
    exitWith = exitStatus[report.verdict]
  } catch (error) {
    if (!interrupted.signal.aborted) {
      if (!(error instanceof ClusterStartError)) process.stderr.write(`data and logs are in ${directory}\n`)
      throw error instanceof ClusterStartError
        ? new CommandError(`${error.message}. Data and logs are in ${directory}.`, exitStatus.unknown)
        : error
    }
    keep = false
    exitWith = 130
  } finally {
    if (!keep && settings.data === undefined) rmSync(directory, { recursive: true, force: true })
  }
  // All is said, and no node is left. What Node still holds of hundreds of reset connections must not keep the command.
  process.exit(exitWith)
}

/** Before a cluster is started: at the end of the run it would be too late. */
function requireWritable(path: string | undefined): void {
  if (path === undefined) return
  try {
    closeSync(openSync(path, 'a'))
  } catch (error) {
    throw new CommandError(`--history ${path} cannot be written: ${(error as Error).message}.`, 2)
  }
}

async function runWithSignals(
  settings: Settings,
  directory: string,
  interrupted: AbortController,
): Promise<ChaosReport> {
  const { consensus, nodes, seconds, seed, clients, faults, rate } = settings
  const interrupt = (): void => interrupted.abort(new CommandError('interrupted', 130))
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, interrupt)
  const line = new ProgressLine()
  if (!settings.json)
    printLine(
      `chaos on ${nodes} nodes (${consensus}), ${clients} clients, ${seconds} s, seed ${seed}; data in ${directory}`,
    )
  try {
    return await runChaos({
      consensus,
      nodes,
      durationMs: seconds * 1000,
      seed,
      clients,
      faults,
      rate,
      directory,
      historyPath: settings.history ?? join(directory, 'history.jsonl'),
      nodeCommand: nodeCommand(),
      signal: interrupted.signal,
      onProgress: (progress) => line.show(progressText(progress)),
    })
  } finally {
    line.clear()
    for (const signal of signals) process.off(signal, interrupt)
  }
}

function tell(settings: Settings, report: ChaosReport, directory: string): void {
  const replay = replayLine(settings)
  if (settings.json) printJson(chaosJson(report, { seed: settings.seed, directory, replay }))
  else printLine(chaosText(report, { seed: settings.seed, directory, replay }))
}

function progressText({ phase, elapsedMs, operations, faults, leader, term }: ChaosProgress): string {
  const { ok, failed, unknown } = operations
  const who = leader === undefined ? 'no leader' : `${leader} leads term ${term}`
  return `${phase} ${(elapsedMs / 1000).toFixed(0)} s: ${ok + failed + unknown} operations, ${ok} acknowledged, ${unknown} unknown, ${faults} faults, ${who}`
}

/** The line that runs the same faults again. */
function replayLine({ consensus, nodes, seconds, seed, clients, faults, rate }: Settings): string {
  const chosen = faults.length === faultNames.length ? '' : ` --faults ${faults.join(',') || 'none'}`
  return `synod chaos --consensus ${consensus} --nodes ${nodes} --duration ${seconds} --clients ${clients} --rate ${rate}${chosen} --seed ${seed}`
}

function settingsOf({ flags, operands }: ParsedArguments): Settings {
  if (operands.length > 0) throw new CommandError(`synod chaos takes no "${operands[0]}". See synod chaos --help.`, 2)
  const text = (name: string): string | undefined => {
    const value = flags[name]
    return typeof value === 'string' ? value : undefined
  }
  const whole = (name: string, fallback: number, min: number, max: number): number => {
    const value = text(name)
    return value === undefined ? fallback : wholeNumber(name, value, min, max)
  }
  const consensus = text('consensus') ?? 'raft'
  if (consensus !== 'raft' && consensus !== 'paxos')
    throw new CommandError(`--consensus is "${consensus}"; it must be raft or paxos.`, 2)
  const nodes = whole('nodes', 3, 3, 5)
  if (!nodeCounts.includes(nodes)) throw new CommandError('--nodes must be 3 or 5.', 2)
  const data = text('data')
  const history = text('history')
  return {
    consensus,
    nodes,
    seconds: whole('duration', 60, 1, 86_400),
    seed: text('seed') ?? randomBytes(4).toString('hex'),
    clients: whole('clients', 20, clientsMin, 1000),
    faults: faultsOf(text('faults')),
    rate: whole('rate', 1000, 1, 100_000),
    data: data === undefined ? undefined : resolve(data),
    history: history === undefined ? undefined : resolve(history),
    json: flags['json'] === true,
    list: flags['list'] === true,
  }
}

function faultsOf(list: string | undefined): readonly FaultName[] {
  if (list === undefined || list === 'all') return faultNames
  if (list === 'none') return []
  return list.split(',').map((part) => {
    const name = faultNames.find((known) => known === part.trim())
    if (name === undefined)
      throw new CommandError(`--faults knows no "${part.trim()}"; it knows ${faultNames.join(', ')}, all and none.`, 2)
    return name
  })
}

function listFaults(json: boolean): void {
  if (json) for (const { name, lane, summary } of faultKinds) printJson({ name, lane, summary })
  else
    printLine(
      formatTable(
        ['FAULT', 'OF', 'WHAT IT DOES'],
        faultKinds.map(({ name, lane, summary }) => [name, lane, summary]),
      ),
    )
}

/** Runs `synod node` as this process runs: the same Node, the same flags. */
function nodeCommand(): string[] {
  const main = fileURLToPath(new URL(`./main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url))
  return [process.execPath, ...process.execArgv, main, 'node']
}
