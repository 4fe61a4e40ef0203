/** synod sim: whole clusters in this process, on simulated time, networks and disks, judged from outside. */
import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import type { HistoryRecord } from '../verify/history/index.ts'
import type { WorldOptions, WorldReport } from '../verify/worlds/index.ts'
import { parseArguments, wholeNumber } from './arguments.ts'
import { CommandError, formatTable, ProgressLine, printJson, printLine } from './output.ts'
import { describeFailure, SimulationTotals } from './sim-report.ts'

const options = {
  scenario: { type: 'string' },
  seed: { type: 'string' },
  seeds: { type: 'string' },
  for: { type: 'string' },
  consensus: { type: 'string' },
  nodes: { type: 'string' },
  duration: { type: 'string' },
  history: { type: 'string' },
  plant: { type: 'string' },
  list: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

const seedMax = 2 ** 47
/** So many worlds are as many as time allows. */
const endless = 1e9
/** As `--scenario`: every one in turn. */
const allScenarios = 'all'
/** Of this many worlds of a longer run, one runs twice, and must run alike. */
const sampleOf = 10

type Flags = Readonly<Record<string, string | boolean | undefined>>
type RunWorld = (options: WorldOptions) => Promise<WorldReport>

export async function sim(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('sim', args, options)
  if (operands.length > 0) throw new CommandError(`"${operands[0]}" is not understood. See synod sim --help.`, 2)
  const plant = textFlag(flags, 'plant')
  if (plant !== undefined) {
    const { listPlants, simPlant } = await import('./sim-plant.ts')
    return plant === 'list' ? listPlants(flags['json'] === true) : simPlant(plant, flags['json'] === true)
  }
  // Loaded only now: what patches modules as they load (planted bugs) has to come first.
  const { runWorld, scenarios } = await import('../verify/worlds/index.ts')
  if (flags['list'] === true) return list(scenarios, flags['json'] === true)
  const scenario = textFlag(flags, 'scenario') ?? 'swarm'
  const named = scenario === allScenarios ? scenarios : scenarios.filter((each) => each.name === scenario)
  if (named.length === 0) throw new CommandError(`"${scenario}" is no scenario. synod sim --list names them.`, 2)
  const seed = wholeNumber('seed', textFlag(flags, 'seed') ?? '0', 0, seedMax)
  const count = flags['seeds'] === undefined ? undefined : wholeNumber('seeds', String(flags['seeds']), 1, endless)
  const plan: Plan = {
    common: worldFlags(flags),
    scenarios: named.map(({ name }) => name),
    firstSeed: count === undefined ? seed : seed + 1,
    // A seed that is named runs in every scenario asked for.
    worlds: count ?? named.length,
    seedsRise: count !== undefined,
    untilMs: performance.now() + 1000 * wholeNumber('for', textFlag(flags, 'for') ?? '1000000000', 1, 1e9),
  }
  await runWorlds(runWorld, plan, flags)
}

/** Which worlds to run. */
interface Plan {
  readonly common: Omit<WorldOptions, 'seed' | 'scenario'>
  /** Taken in turn. */
  readonly scenarios: readonly string[]
  readonly firstSeed: number
  readonly worlds: number
  readonly seedsRise: boolean
  /** No world begins after that, by the process's clock. */
  readonly untilMs: number
}

function list(scenarios: readonly { readonly name: string; readonly about: string }[], json: boolean): void {
  if (json) for (const { name, about } of scenarios) printJson({ name, about })
  else
    printLine(
      formatTable(
        ['SCENARIO', 'WHAT IT IS'],
        scenarios.map(({ name, about }) => [name, about]),
      ),
    )
}

function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

function worldFlags(flags: Flags): Pick<WorldOptions, 'consensus' | 'nodes' | 'durationMs'> {
  const consensus = textFlag(flags, 'consensus') ?? 'raft'
  if (consensus !== 'raft' && consensus !== 'paxos')
    throw new CommandError(`--consensus is "${consensus}"; it must be raft or paxos.`, 2)
  const nodes = textFlag(flags, 'nodes')
  const duration = textFlag(flags, 'duration')
  return {
    consensus,
    ...(nodes === undefined ? {} : { nodes: wholeNumber('nodes', nodes, 1, 9) }),
    ...(duration === undefined ? {} : { durationMs: 1000 * wholeNumber('duration', duration, 1, 100_000) }),
  }
}

async function runWorlds(runWorld: RunWorld, plan: Plan, flags: Flags): Promise<void> {
  const json = flags['json'] === true
  const progress = new ProgressLine()
  const totals = new SimulationTotals()
  const historyPath = textFlag(flags, 'history')
  if (historyPath !== undefined) demandWritable(historyPath)
  for (let i = 0; i < plan.worlds && performance.now() < plan.untilMs; i++) {
    const keep = new HistoryFile(historyPath)
    const world = {
      ...plan.common,
      seed: plan.seedsRise ? plan.firstSeed + i : plan.firstSeed,
      scenario: plan.scenarios[i % plan.scenarios.length]!,
      onHistory: keep.take,
    }
    const report = await timed(totals, () => runWorld(world))
    const again = plan.worlds === 1 || i % sampleOf === 0 ? await timed(totals, () => runWorld(world)) : undefined
    const judged = again === undefined ? report : sameRun(report, again)
    if (plan.worlds === 1 || judged.verdict === 'invalid') keep.write()
    totals.add(judged)
    progress.clear()
    if (json) printJson(forMachines(judged))
    else if (judged.verdict === 'invalid') printLine(describeFailure(judged, plan.common))
    progress.show(`${i + 1}${plan.worlds < endless ? ` of ${plan.worlds}` : ''} seeds · ${totals.line()}`)
  }
  progress.clear()
  if (!json) printLine(`${headline(plan, totals)}\n\n${totals.table()}`)
  if (totals.failed > 0) throw new CommandError(`${totals.failed} of ${totals.worlds} worlds failed.`)
}

/** What was run and what came of it: `swarm on raft, seeds 1 to 5: all hold`. */
function headline({ common, scenarios, firstSeed, seedsRise }: Plan, { worlds, failed }: SimulationTotals): string {
  const run = Math.min(worlds, scenarios.length)
  const what = run === 1 ? scenarios[0] : `${run} scenarios`
  const seeds = seedsRise && worlds > 1 ? `seeds ${firstSeed} to ${firstSeed + worlds - 1}` : `seed ${firstSeed}`
  const outcome = worlds === 1 ? (failed === 0 ? 'holds' : 'failed') : failed === 0 ? 'all hold' : `${failed} failed`
  return `${what} on ${common.consensus}, ${seeds}: ${outcome}`
}

/** Found out before the worlds run, which may take hours. Leaves the disk as it was. */
function demandWritable(path: string): void {
  try {
    if (createdNew(path)) unlinkSync(path)
    else closeSync(openSync(path, 'a'))
  } catch (error) {
    throw new CommandError(`--history ${path} cannot be written: ${(error as Error).message}`, 2)
  }
}

/** False if there is such a file already. */
function createdNew(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** The wall clock time of a run counts for the speed that is shown. */
async function timed(totals: SimulationTotals, run: () => Promise<WorldReport>): Promise<WorldReport> {
  const startMs = performance.now()
  const report = await run()
  totals.addTime(performance.now() - startMs, report.events)
  return report
}

/** The same seed must give the same run. */
function sameRun(report: WorldReport, again: WorldReport): WorldReport {
  if (report.verdict === 'invalid' || report.fingerprint === again.fingerprint) return report
  return {
    ...report,
    verdict: 'invalid',
    property: 'determinism',
    explanation: `the same seed gave two different runs: fingerprints ${report.fingerprint} and ${again.fingerprint}, ${report.events} and ${again.events} events`,
  }
}

/** Of a world that went well, the story is of no use to machines. */
function forMachines(report: WorldReport): object {
  if (report.verdict === 'invalid') return report
  const { story: _, ...rest } = report
  return rest
}

/** Keeps the history of one world, if a file is asked for. */
class HistoryFile {
  private readonly path: string | undefined
  private records: readonly HistoryRecord[] = []

  constructor(path: string | undefined) {
    this.path = path
  }

  readonly take = (records: readonly HistoryRecord[]): void => {
    if (this.path !== undefined) this.records = records
  }

  write(): void {
    if (this.path === undefined) return
    try {
      writeFileSync(this.path, this.records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    } catch (error) {
      throw new CommandError(`the history was not written: ${(error as Error).message}`)
    }
  }
}
