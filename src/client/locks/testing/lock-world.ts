/** Planes for tests: on a real engine in memory, and several machines with one in a simulated world. */
import { createNodeRuntime } from '../../../runtime/node/index.ts'
import { createSimulation, type SimulatedNode, type Simulation } from '../../../runtime/simulation/index.ts'
import type { PlaneContext } from '../../context.ts'
import type { Driver, Key } from '../../driver/index.ts'
import { openEmbeddedDriver } from '../../drivers/embedded/index.ts'
import { createSessions } from '../../sessions/index.ts'
import { hostTracing } from '../../tracing.ts'
import { FarDriver } from './far-driver.ts'

/** A plane on an engine in this process's memory. Close it, or the process does not end. */
export async function memoryPlane(ttlMs = 5_000): Promise<{ context: PlaneContext; close(): Promise<void> }> {
  const holdProcess = (): (() => void) => {
    const held = setInterval(() => {}, 60_000)
    return () => clearInterval(held)
  }
  const driver = await openEmbeddedDriver({ holdProcess }, createNodeRuntime({ logLevel: 'warn' }))
  const context = planeOn(driver, ttlMs)
  return {
    context,
    async close() {
      await context.sessions.close()
      await driver.close()
    },
  }
}

export function planeOn(driver: Driver, ttlMs: number): PlaneContext {
  const sessions = createSessions(driver, { ttlMs })
  return { driver, sessions, tracing: hostTracing(driver.engine), namespace: '' }
}

/** A program on a machine of its own. */
export interface Client {
  readonly node: SimulatedNode
  readonly driver: FarDriver
  readonly context: PlaneContext
}

export interface LockWorldOptions {
  readonly seed: number
  readonly clients: number
  readonly ttlMs?: number
  readonly can?: Partial<Driver['can']>
}

export class LockWorld {
  readonly simulation: Simulation
  readonly engine: Driver
  readonly clients: readonly Client[]

  private constructor(simulation: Simulation, engine: Driver, clients: readonly Client[]) {
    this.simulation = simulation
    this.engine = engine
    this.clients = clients
  }

  static async open({ seed, clients, ttlMs = 2_000, can = {} }: LockWorldOptions): Promise<LockWorld> {
    const simulation = createSimulation({ seed })
    const { runtime } = simulation.createNode('engine')
    const engine = await simulation.runUntilDone(openEmbeddedDriver({}, runtime))
    const made = Array.from({ length: clients }, (_, i): Client => {
      const node = simulation.createNode(`client-${i}`)
      const driver = new FarDriver(engine, runtime, node.runtime, can)
      return { node, driver, context: planeOn(driver, ttlMs) }
    })
    return new LockWorld(simulation, engine, made)
  }

  /** Carries the world on until `work` is done. */
  run<T>(work: Promise<T>): Promise<T> {
    return this.simulation.runUntilDone(work)
  }

  advance(ms: number): Promise<unknown> {
    return this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  /** All keys there are, in order. */
  async keys(): Promise<Key[]> {
    const { entries } = await this.run(this.engine.list({ start: '\0', end: '' }, { keysOnly: true }))
    return entries.map((entry) => entry.key)
  }
}
