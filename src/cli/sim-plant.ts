/** synod sim --plant: worlds with a known mistake in the code, to see that the simulator finds it. */
import { availableParallelism } from 'node:os'
import {
  allPlants,
  type BaselineWorlds,
  baselineOf,
  canPlant,
  type Plant,
  type PlantReport,
  runPlant,
  runPlants,
} from '../verify/plants/index.ts'
import { CommandError, formatTable, ProgressLine, printJson, printLine } from './output.ts'

/** What only an observer from outside can say; anything else was found by an assertion inside a node. */
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
  const report = await runPlant(plant, () => performance.now())
  if (json) return printJson(report)
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

async function simAllPlants(plants: readonly Plant[], json: boolean): Promise<void> {
  const progress = new ProgressLine()
  let done = 0
  let caught = 0
  const reports = await runPlants(plants, {
    argumentsFor: (plant) => [...process.execArgv, process.argv[1]!, 'sim', '--plant', plant.name, '--json'],
    parallel: availableParallelism(),
    onReport: (plant, report) => {
      done++
      if (report.caught) caught++
      progress.clear()
      if (json) printJson(report)
      else printLine(rowOf(plant, report))
      progress.show(`${done} of ${plants.length} planted bugs run, ${caught} caught`)
    },
  })
  progress.clear()
  const dirty = await runBaseline(baselineOf(reports), progress)
  const outside = [...reports].filter(([plant, report]) => report.caught && plant.caughtBy === 'outside').length
  const summary = { caught, of: plants.length, withoutValidation: outside, cleanWithoutThem: dirty.length === 0 }
  if (json) printJson(summary)
  else
    printLine(
      `caught ${caught} of ${plants.length}; ${outside} of them with validate() off; without them the same worlds are ${dirty.length === 0 ? 'clean' : 'NOT clean'}`,
    )
  if (dirty.length > 0) throw new CommandError(`Without a planted bug these fail, too: ${dirty.join('; ')}.`)
  if (caught < plants.length) throw new CommandError(`${plants.length - caught} planted bugs were not caught.`)
}

/** The worlds that fail although nothing is planted. */
async function runBaseline(groups: readonly BaselineWorlds[], progress: ProgressLine): Promise<string[]> {
  const { runWorld } = await import('../verify/worlds/index.ts')
  const dirty: string[] = []
  for (const { consensus, scenario, seedMax, validate } of groups) {
    for (let seed = 1; seed <= seedMax; seed++) {
      progress.show(`the same worlds without them: ${scenario} on ${consensus}, seed ${seed} of ${seedMax}`)
      const report = await runWorld({ seed, scenario, consensus, validate })
      if (report.verdict === 'invalid') dirty.push(`${scenario} on ${consensus}, seed ${seed}: ${report.property}`)
    }
  }
  progress.clear()
  return dirty
}

function rowOf(plant: Plant, report: PlantReport): string {
  const how = report.caught ? `caught by seed ${report.seed}: ${report.property}` : `NOT CAUGHT in ${report.seed} seeds`
  return `${plant.name.padEnd(42)} ${how} (${seconds(report.wallMs)})`
}

function plantForMachines({ name, mistake, breaks, consensus, scenario, seedsMax, caughtBy }: Plant): object {
  return { name, mistake, breaks, consensus, scenario, seedsMax, caughtBy }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
