/**
 * Runs every planted bug, each in a process of its own, and the unpatched code on the same seeds.
 *
 * A plant that is caught proves something only if the same worlds are clean without it: `runBaseline` runs exactly those.
 */
import { spawn } from 'node:child_process'
import type { Plant } from './plant.ts'
import { type PlantReport, seenFromOutside } from './run-plant.ts'

export interface PlantRunner {
  /** The command line, after Node's own path, that prints the PlantReport of a plant as its last line of output. */
  readonly argumentsFor: (plant: Plant) => readonly string[]
  /** How many processes at a time. */
  readonly parallel: number
  readonly onReport: (plant: Plant, report: PlantReport) => void
}

/** A plant whose process ends without a report counts as not caught; its `failure` says why. The others go on. */
export async function runPlants(
  plants: readonly Plant[],
  runner: PlantRunner,
): Promise<ReadonlyMap<Plant, PlantReport>> {
  const reports = new Map<Plant, PlantReport>()
  await inParallel(plants, runner.parallel, async (plant) => {
    const report = reportIn(plant, await runProcess(runner.argumentsFor(plant)))
    reports.set(plant, report)
    runner.onReport(plant, report)
  })
  return reports
}

/** The worlds in which plants were caught, to be run without them: by algorithm and scenario the highest seed. */
export interface BaselineWorlds {
  readonly consensus: 'raft' | 'paxos'
  readonly scenario: string
  readonly seedMax: number
}

export function baselineOf(reports: ReadonlyMap<Plant, PlantReport>): readonly BaselineWorlds[] {
  const groups = new Map<string, BaselineWorlds>()
  for (const [{ consensus, scenario }, report] of reports) {
    if (!report.caught) continue
    const key = `${consensus}/${scenario}`
    const seedMax = Math.max(groups.get(key)?.seedMax ?? 0, report.seed)
    groups.set(key, { consensus, scenario, seedMax })
  }
  // The longest first, so that no process is left alone with one at the end.
  return [...groups.values()].sort((a, b) => b.seedMax - a.seedMax)
}

/** How many plants were caught by what is seen from outside the nodes. */
export function caughtFromOutside(reports: Iterable<PlantReport>): number {
  return [...reports].filter(({ caught, property }) => caught && property !== undefined && seenFromOutside(property))
    .length
}

export interface BaselineRunner {
  /** The command line, after Node's own path, that prints the report of each of these worlds as a line of JSON. */
  readonly argumentsFor: (worlds: BaselineWorlds) => readonly string[]
  /** How many processes at a time. */
  readonly parallel: number
  readonly onWorlds: (worlds: BaselineWorlds) => void
}

/** Runs the worlds without a plant. Returns what is wrong with them; nothing, if all is well. */
export async function runBaseline(
  groups: readonly BaselineWorlds[],
  runner: BaselineRunner,
): Promise<readonly string[]> {
  const problems: string[] = []
  await inParallel(groups, runner.parallel, async (worlds) => {
    const ended = await runProcess(runner.argumentsFor(worlds))
    problems.push(...problemsIn(worlds, ended))
    runner.onWorlds(worlds)
  })
  return problems
}

function problemsIn({ consensus, scenario, seedMax }: BaselineWorlds, ended: EndedProcess): readonly string[] {
  const reports = ended.lines.flatMap((line) => {
    const parsed = parsedLine(line)
    return isWorldReport(parsed) ? [parsed] : []
  })
  const problems = reports
    .filter(({ verdict }) => verdict !== 'valid')
    .map(({ seed, property }) => `${scenario} on ${consensus}, seed ${seed}: ${property}`)
  if (reports.length < seedMax)
    problems.push(`${scenario} on ${consensus} ran ${reports.length} of ${seedMax} seeds (${ended.how})`)
  return problems
}

interface WorldLine {
  readonly seed: number
  readonly verdict: string
  readonly property?: string
}

function isWorldReport(value: unknown): value is WorldLine {
  return typeof value === 'object' && value !== null && 'verdict' in value && 'seed' in value
}

function reportIn(plant: Plant, ended: EndedProcess): PlantReport {
  const parsed = parsedLine(ended.lines.at(-1) ?? '')
  if (typeof parsed === 'object' && parsed !== null && 'caught' in parsed) return parsed as PlantReport
  return { plant: plant.name, caught: false, seed: 0, events: 0, wallMs: 0, failure: ended.how }
}

function parsedLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

interface EndedProcess {
  /** What it printed that is not empty. */
  readonly lines: readonly string[]
  /** How it ended, and its last words. */
  readonly how: string
}

function runProcess(argv: readonly string[]): Promise<EndedProcess> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.on('error', ({ message }) => resolve({ lines: [], how: message }))
    child.on('close', (code, signal) => {
      const lines = output.split('\n').filter((line) => line !== '')
      const lastWords = errors.trim() || lines.at(-1) || 'no output'
      resolve({ lines, how: `${signal ?? `exit status ${code}`}: ${lastWords}` })
    })
  })
}

/** Runs `work` on every item, on so many at a time. */
async function inParallel<T>(items: readonly T[], parallel: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: Math.max(1, parallel) }, worker))
}
