/** An engine on one simulated machine and clients on others, each with its own clock and its own bad line. */
import { Prng } from '../../../base/index.ts'
import {
  createSimulation,
  drawClockFaults,
  type SimulatedNode,
  type Simulation,
} from '../../../runtime/simulation/index.ts'
import type { PlaneContext } from '../../context.ts'
import type { Driver } from '../../driver/index.ts'
import { openEmbeddedDriver } from '../../drivers/embedded/index.ts'
import { createSessions, type Sessions } from '../../sessions/index.ts'
import { hostTracing } from '../../tracing.ts'
import { type CallFaults, faultyDriver, noFaults } from './faulty-driver.ts'

export interface PlaneClient {
  readonly node: SimulatedNode
  readonly driver: Driver
  readonly sessions: Sessions
  readonly context: PlaneContext
  /** May be changed at any time. */
  faults: CallFaults
}

export interface PlaneWorld {
  readonly simulation: Simulation
  readonly random: Prng
  /** The engine itself, without faults. */
  readonly engine: Driver
  readonly direct: PlaneContext
  readonly clients: readonly PlaneClient[]
  /** Runs the world until `work` is done. */
  run<T>(work: Promise<T>): Promise<T>
  /** Lets so much true time pass. */
  advance(ms: number): Promise<void>
  close(): Promise<void>
}

export interface PlaneWorldOptions {
  readonly seed: string
  readonly clients: number
  readonly faults?: CallFaults
  /** Default 3 000. */
  readonly ttlMs?: number
  /** How far off wall clocks are at most. Default 0. */
  readonly skewMsMax?: number
}

export async function planeWorld(options: PlaneWorldOptions): Promise<PlaneWorld> {
  const simulation = createSimulation({ seed: options.seed })
  const random = new Prng(`plane-world/${options.seed}`)
  const server = simulation.createNode('engine')
  const engine = await simulation.runUntilDone(openEmbeddedDriver({}, server.runtime))
  const contextOf = (driver: Driver): PlaneContext => {
    const sessions = createSessions(driver, { ttlMs: options.ttlMs ?? 3_000 })
    return { driver, sessions, tracing: hostTracing('embedded'), namespace: '' }
  }
  const clients = Array.from({ length: options.clients }, (_, index): PlaneClient => {
    const node = simulation.createNode(`client-${index}`)
    node.setClock(drawClockFaults(simulation.random, { driftPpmMax: 200, skewMsMax: options.skewMsMax ?? 0 }))
    const driver = faultyDriver({
      inner: engine,
      outside: node.runtime,
      wire: server.runtime.scheduler,
      random: new Prng(`line/${options.seed}/${index}`),
      faults: () => client.faults,
    })
    const context = contextOf(driver)
    const client: PlaneClient = {
      node,
      driver,
      sessions: context.sessions,
      context,
      faults: options.faults ?? noFaults,
    }
    return client
  })
  return {
    simulation,
    random,
    engine,
    direct: contextOf(engine),
    clients,
    run: (work) => simulation.runUntilDone(work),
    async advance(ms) {
      await simulation.run({ untilMs: simulation.nowMs + ms })
    },
    async close() {
      await simulation.runUntilDone(engine.close())
    },
  }
}
