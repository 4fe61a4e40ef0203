import type { HistoryRecord } from '../history/index.ts'
import { judge } from './judge.ts'
import { scenarios } from './scenarios/catalogue.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { type Violation, violationOf } from './violation.ts'
import { World } from './world.ts'
import type { WorldOptions, WorldReport } from './world-options.ts'

/** Lines of the nodes' logs that are worth counting: rare paths that a world is meant to reach. */
const telling = new Set([
  'receiving a snapshot',
  'could not take in a snapshot',
  'could not write a snapshot; will try again',
  'cut a torn frame off the log',
  'the disk is full: writes are refused until there is room',
  'renewed all leases',
])

/** What a world demands once it is healed. */
const progressProperties: ReadonlySet<string> = new Set([
  'liveness',
  'watch-liveness',
  'lease-expiry',
  'program-liveness',
])

/** Lines of a thrown error's trace that are worth reading. */
const traceLinesMax = 12

export function scenarioNamed(name: string): Scenario | undefined {
  return scenarios.find((scenario) => scenario.name === name)
}

/** Makes a world, lets it live, and reports. Never rejects for what happens in the world. */
export async function runWorld(options: WorldOptions): Promise<WorldReport> {
  const scenario = scenarioNamed(options.scenario ?? 'swarm')
  if (scenario === undefined) throw new Error(`no scenario is called ${options.scenario}`)
  const world = new World(scenario, options)
  let violation: Violation | undefined
  // A promise that nobody handles inside a node ends a real process: here it ends the world.
  const onRejection = (error: unknown): void => {
    world.cluster.violation ??= violationOf(error)
  }
  process.on('unhandledRejection', onRejection)
  try {
    await world.live()
  } catch (error) {
    violation = gravest(violationOf(error), world.recorder.history())
  } finally {
    process.off('unhandledRejection', onRejection)
  }
  options.onHistory?.(world.recorder.history())
  return report(options, world, scenario, violation)
}

/** No progress is often what a wrong answer left behind: then the wrong answer is what there is to tell. */
function gravest(violation: Violation, records: readonly HistoryRecord[]): Violation {
  if (!progressProperties.has(violation.property)) return violation
  try {
    judge(records)
  } catch (error) {
    const judged = violationOf(error)
    // A checker that could not tell has nothing to show.
    if (judged.evidence.length > 0) return judged
  }
  return violation
}

function report(
  options: WorldOptions,
  world: World,
  scenario: Scenario,
  violation: Violation | undefined,
): WorldReport {
  const { recorder, simulation } = world
  for (const { message } of simulation.logLines) if (telling.has(message)) recorder.count(message)
  for (const [kind, times] of Object.entries(simulation.faults)) if (times > 0) recorder.count(kind, times)
  if (violation !== undefined) recorder.tell(`violated: ${violation.property}`)
  return {
    seed: options.seed,
    scenario: scenario.name,
    consensus: options.consensus ?? 'raft',
    ...(violation === undefined
      ? { verdict: 'valid' }
      : {
          verdict: 'invalid',
          property: violation.property,
          explanation: violation.message.split('\n').slice(0, traceLinesMax).join('\n'),
          evidence: violation.evidence,
        }),
    story: recorder.story(),
    events: simulation.eventsRun,
    eventsByClass: simulation.events,
    simulatedMs: simulation.nowMs,
    faults: Object.fromEntries(recorder.faults),
    elections: recorder.elections,
    operations: recorder.operations,
    counts: Object.fromEntries(recorder.counts),
    fingerprint: simulation.fingerprint(),
  }
}
