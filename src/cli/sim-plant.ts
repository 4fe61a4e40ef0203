/** synod sim --plant: worlds with a known mistake in the code, to see that the simulator finds it. */
import { availableParallelism } from 'node:os'
import {
  allPlants,
  type BaselineWorlds,
  baselineOf,
  canPlant,
  caughtFromOutside,
  type Plant,
  PlantError,
  type PlantReport,
  runBaseline,
  runPlant,
  runPlants,
} from '../verify/plants/index.ts'
import { CommandError, formatTable, ProgressLine, printJson, printLine } from './output.ts'

/** Names every planted bug, and where it shows. */
export function listPlants(json: boolean): void {
  if (json) for (const plant of allPlants) printJson(plantForMachines(plant))
  else
    printLine(
      formatTable(
        ['PLANT', 'WORLD', 'SEEDS', 'MISTAKE'],
        allPlants.map((plant) => [
          plant.name,
          `${plant.consensus}/${plant.scenario}`,
          String(plant.seedsMax),
          plant.mistake,
        ]),
      ),
    )
}

/** `name` is a plant's, or `all`. Ends with status 1 when a plant is not caught, or the worlds are not clean without it. */
export async function simPlant(name: string, json: boolean): Promise<void> {
  if (!canPlant)
    throw new CommandError(
      'Planted bugs are patches of the TypeScript sources: run them from a clone of the repository.',
    )
  if (name === 'all') return simAllPlants(allPlants, json)
  const plant = allPlants.find((each) => each.name === name)
  if (plant === undefined)
    throw new CommandError(`"${name}" is no planted bug. synod sim --plant list names them; "all" runs all.`, 2)
  const report = await runOne(plant)
  if (json) {
    printJson(report)
    if (!report.caught) process.exitCode = 1
    return
  }
  printLine(`${plant.name}: ${plant.mistake}\n  breaks  ${plant.breaks}`)
  if (!report.caught)
    throw new CommandError(`Not caught in ${plant.seedsMax} seeds of ${plant.scenario} on ${plant.consensus}.`)
  printLine(
    [
      `  caught  by seed ${report.seed} of ${plant.scenario} on ${plant.consensus}, after ${seconds(report.wallMs)}: ${report.property} is violated`,
      ...(report.explanation ?? '').split('\n').map((line) => `          ${line}`),
      ...(report.story ?? []).slice(-20).map((line) => `  ${line}`),
    ].join('\n'),
  )
}

async function runOne(plant: Plant): Promise<PlantReport> {
  try {
    return await runPlant(plant, () => performance.now())
  } catch (error) {
    if (error instanceof PlantError) throw new CommandError(`${error.message}.`)
    throw error
  }
}

async function simAllPlants(plants: readonly Plant[], json: boolean): Promise<void> {
  const progress = new ProgressLine()
  const parallel = availableParallelism()
  let done = 0
  let caught = 0
  const reports = await runPlants(plants, {
    argumentsFor: (plant) => [...thisCommand(), '--plant', plant.name, '--json'],
    parallel,
    onReport: (plant, report) => {
      done++
      if (report.caught) caught++
      progress.clear()
      if (json) printJson(report)
      else printLine(rowOf(plant, report))
      progress.show(`${done} of ${plants.length} planted bugs run, ${caught} caught`)
    },
  })
  const problems = await runWithoutPlants(baselineOf(reports), parallel, progress)
  progress.clear()
  const outside = caughtFromOutside(reports.values())
  const summary = { caught, of: plants.length, fromOutside: outside, cleanWithoutThem: problems.length === 0 }
  if (json) printJson(summary)
  else
    printLine(
      `caught ${caught} of ${plants.length}; ${outside} of them from outside, with validate() off; without them the same worlds are ${problems.length === 0 ? 'clean' : 'NOT clean'}`,
    )
  if (problems.length > 0)
    throw new CommandError(`Without a planted bug there are failures, too: ${problems.join('; ')}.`)
  if (caught < plants.length) throw new CommandError(`${plants.length - caught} planted bugs were not caught.`)
}

/** What is wrong with the same worlds though nothing is planted. */
async function runWithoutPlants(
  groups: readonly BaselineWorlds[],
  parallel: number,
  progress: ProgressLine,
): Promise<readonly string[]> {
  let done = 0
  return runBaseline(groups, {
    argumentsFor: ({ consensus, scenario, seedMax }) => [
      ...thisCommand(),
      ...['--consensus', consensus, '--scenario', scenario, '--seeds', String(seedMax), '--json'],
    ],
    parallel,
    onWorlds: () => progress.show(`the same worlds without them: ${++done} of ${groups.length} scenarios`),
  })
}

/** `synod sim` once more, as a process of its own. */
function thisCommand(): readonly string[] {
  return [...process.execArgv, process.argv[1]!, 'sim']
}

function rowOf(plant: Plant, report: PlantReport): string {
  const missed = report.failure === undefined ? `in ${report.seed} seeds` : `(${report.failure})`
  const how = report.caught ? `caught by seed ${report.seed}: ${report.property}` : `NOT CAUGHT ${missed}`
  return `${plant.name.padEnd(42)} ${how} (${seconds(report.wallMs)})`
}

function plantForMachines({ name, mistake, breaks, consensus, scenario, seedsMax, caughtBy }: Plant): object {
  return { name, mistake, breaks, consensus, scenario, seedsMax, caughtBy }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
