import { createSimulation, type Simulation } from '../../../runtime/simulation/index.ts'
import type { PlaneContext } from '../../context.ts'
import { openEmbeddedDriver } from '../../drivers/embedded/index.ts'
import { createSessions } from '../../sessions/index.ts'
import { hostTracing } from '../../tracing.ts'
import { pause } from '../../watching/index.ts'
import { FaultyDriver } from './faulty-driver.ts'

/** One program that uses the engine: its own sessions, and a link of its own that can fail. */
export interface GroundClient {
  readonly context: PlaneContext
  readonly driver: FaultyDriver
}

/** An engine on a simulated machine, and programs that use it. */
export interface ClientGround {
  readonly simulation: Simulation
  client(ttlMs?: number): GroundClient
  /** Lets so much simulated time pass. */
  pass(ms: number): Promise<void>
  /** Lets time pass until it holds; throws after a simulated minute. */
  until(holds: () => boolean | Promise<boolean>): Promise<void>
  /** Keys below a prefix. */
  keys(prefix: string): Promise<string[]>
}

/** Runs `work` on an engine of its own, in simulated time. */
export async function onGround(seed: number, work: (ground: ClientGround) => Promise<void>): Promise<void> {
  const simulation = createSimulation({ seed })
  const { runtime } = simulation.createNode('machine')
  const run = async (): Promise<void> => {
    const driver = await openEmbeddedDriver({}, runtime)
    const pass = (ms: number): Promise<void> => pause(runtime, ms)
    const opened: PlaneContext[] = []
    await work({
      simulation,
      pass,
      client(ttlMs = 2000) {
        const faulty = new FaultyDriver(driver)
        const sessions = createSessions(faulty, { ttlMs })
        const context = { driver: faulty, sessions, tracing: hostTracing('embedded'), namespace: '' }
        opened.push(context)
        return { context, driver: faulty }
      },
      async until(holds) {
        for (let passedMs = 0; !(await holds()); passedMs += 20) {
          if (passedMs > 60_000) throw new Error(`it does not come about: ${holds}`)
          await pass(20)
        }
      },
      async keys(prefix) {
        const { entries } = await driver.list({ start: prefix, end: `${prefix}\xff` }, { keysOnly: true })
        return entries.map((entry) => entry.key)
      },
    })
    for (const context of opened) {
      const { driver: own, sessions } = context
      if (own instanceof FaultyDriver) own.heal()
      await sessions.close()
    }
    await driver.close()
  }
  await simulation.runUntilDone(run())
}
