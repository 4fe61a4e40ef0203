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
    violation = violationOf(error)
  } finally {
    process.off('unhandledRejection', onRejection)
  }
  options.onHistory?.(world.recorder.history())
  return report(options, world, scenario, violation)
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
    simulatedMs: simulation.nowMs,
    faults: Object.fromEntries(recorder.faults),
    elections: recorder.elections,
    operations: recorder.operations,
    counts: Object.fromEntries(recorder.counts),
    fingerprint: simulation.fingerprint(),
  }
}
