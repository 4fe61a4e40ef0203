/**
 * Runs every planted bug, each in a process of its own, and the unpatched code on the same seeds.
 *
 * A plant that is caught proves something only if the same worlds are clean without it: `baseline` runs exactly those.
 */
import { spawn } from 'node:child_process'
import type { Plant } from './plant.ts'
import type { PlantReport } from './run-plant.ts'

export interface PlantRunner {
  /** The command line, after Node's own path, that prints the PlantReport of a plant as its last line of output. */
  readonly argumentsFor: (plant: Plant) => readonly string[]
  /** How many processes at a time. */
  readonly parallel: number
  readonly onReport: (plant: Plant, report: PlantReport) => void
}

/** Rejects when a process ends without a report. */
export async function runPlants(
  plants: readonly Plant[],
  runner: PlantRunner,
): Promise<ReadonlyMap<Plant, PlantReport>> {
  const reports = new Map<Plant, PlantReport>()
  const waiting = [...plants]
  const work = async (): Promise<void> => {
    for (let plant = waiting.shift(); plant !== undefined; plant = waiting.shift()) {
      const report = await runInProcess(plant, runner.argumentsFor(plant))
      reports.set(plant, report)
      runner.onReport(plant, report)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, runner.parallel) }, work))
  return reports
}

/** The worlds in which plants were caught, to be run without them: by algorithm and scenario the highest seed. */
export interface BaselineWorlds {
  readonly consensus: 'raft' | 'paxos'
  readonly scenario: string
  readonly seedMax: number
  readonly validate: boolean
}

export function baselineOf(reports: ReadonlyMap<Plant, PlantReport>): readonly BaselineWorlds[] {
  const groups = new Map<string, BaselineWorlds>()
  for (const [plant, report] of reports) {
    if (!report.caught) continue
    const { consensus, scenario } = plant
    const validate = plant.caughtBy === 'inside'
    const key = `${consensus}/${scenario}/${validate}`
    const seedMax = Math.max(groups.get(key)?.seedMax ?? 0, report.seed)
    groups.set(key, { consensus, scenario, seedMax, validate })
  }
  return [...groups.values()]
}

function runInProcess(plant: Plant, argv: readonly string[]): Promise<PlantReport> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const last = output.trim().split('\n').at(-1) ?? ''
      try {
        resolve(JSON.parse(last) as PlantReport)
      } catch {
        reject(
          new Error(
            `the run of the planted bug "${plant.name}" ended without a report (${signal ?? `exit status ${code}`}): ${errors.trim() || last || 'no output'}`,
          ),
        )
      }
    })
  })
}
