/**
 * A world of simulated nodes on one virtual time line. Tests make one from a seed, start programs on the runtimes of
 * its nodes, and run it; the same seed and the same programs give the same run, told by equal fingerprints.
 *
 * I1. Between two events every promise reaction has run: a macrotask of the real event loop lies between them.
 * I2. What an event throws ends `run`: in a simulation nothing swallows a bug.
 */
import { assert, assertDefined } from '../../base/index.ts'
import type { Random } from '../index.ts'
import { Kernel } from './kernel.ts'
import type { LinkFaults } from './links.ts'
import type { SimulatedLogLine } from './logger.ts'
import { NetworkFabric } from './network.ts'
import { type CrashKind, SimulatedNode } from './node.ts'
import { SimulatedRandom } from './random.ts'

export interface SimulationOptions {
  readonly seed: string | number
}

/** When `run` stops: at the first of these that comes about. */
export interface RunLimits {
  /** Stops before the first event after this moment, and moves the clock to it. */
  readonly untilMs?: number
  /** Stops after this many events. Default 10 million, past which `run` throws. */
  readonly steps?: number
  /** Stops once this holds; asked before the first event and after each. */
  readonly until?: () => boolean
}

/** Why `run` stopped. `idle`: nothing is left to happen. */
export type RunEnd = 'until' | 'time' | 'steps' | 'idle'

const stepsMax = 10_000_000

export class Simulation {
  /** The scenario's own stream of the seed. */
  readonly random: Random
  /** All that the nodes logged, in order. */
  readonly logLines: SimulatedLogLine[] = []
  private readonly kernel: Kernel
  private readonly fabric: NetworkFabric
  private readonly nodes = new Map<string, SimulatedNode>()
  private running = false

  constructor(options: SimulationOptions) {
    this.kernel = new Kernel(String(options.seed))
    this.random = new SimulatedRandom(this.kernel, 'scenario')
    this.fabric = new NetworkFabric(this.kernel, new SimulatedRandom(this.kernel, 'network'))
  }

  get seed(): string {
    return this.kernel.seed
  }

  /** True time, which no node's clock need agree with. */
  get nowMs(): number {
    return this.kernel.nowMs
  }

  get eventsRun(): number {
    return this.kernel.eventsRun
  }

  /** A hash over every event and every random draw so far. */
  fingerprint(): string {
    return this.kernel.fingerprint()
  }

  createNode(name: string): SimulatedNode {
    assert(!this.nodes.has(name), 'each node has its own name')
    this.fabric.addNode(name)
    const node = new SimulatedNode(this.kernel, this.fabric, name, this.logLines)
    this.nodes.set(name, node)
    return node
  }

  node(name: string): SimulatedNode {
    return assertDefined(this.nodes.get(name), `no node is called ${name}`)
  }

  /** Ends the node's process. Nothing it had set, asked for or opened ever runs again. */
  crash(name: string, kind: CrashKind = 'power-loss'): void {
    this.node(name).crash(kind)
  }

  /** Gives a crashed node a new process. The caller starts its program on the node's new `runtime`. */
  restart(name: string): SimulatedNode {
    const node = this.node(name)
    node.restart()
    return node
  }

  /** Sets both directions between two nodes. */
  setLink(a: string, b: string, faults: Partial<LinkFaults>): void {
    this.setOneWayLink(a, b, faults)
    this.setOneWayLink(b, a, faults)
  }

  setOneWayLink(from: string, to: string, faults: Partial<LinkFaults>): void {
    this.fabric.links.set(this.node(from).name, this.node(to).name, faults)
  }

  /** Cuts every link between nodes of different groups. A node in no group keeps its links. */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const group of groups) {
      for (const other of groups) {
        if (other === group) continue
        for (const from of group) for (const to of other) this.setOneWayLink(from, to, { cut: true })
      }
    }
  }

  /** Ends all cuts. */
  heal(): void {
    this.fabric.links.heal()
  }

  /** Runs `callback` as an event of the scenario, `delayMs` from now. */
  after(delayMs: number, callback: () => void): void {
    this.kernel.push(undefined, delayMs, 'scenario', callback)
  }

  /** Lets the world go on. Rejects with what an event threw. */
  run(limits: RunLimits): Promise<RunEnd> {
    assert(!this.running, 'one run at a time')
    this.running = true
    const stepsEnd = this.kernel.eventsRun + (limits.steps ?? stepsMax)
    return new Promise<RunEnd>((resolve, reject) => {
      const advance = (): void => {
        try {
          const end = this.runEnd(limits, stepsEnd)
          if (end === undefined) {
            this.kernel.step()
            setImmediate(advance)
          } else {
            resolve(end)
          }
        } catch (error) {
          reject(error)
        }
      }
      setImmediate(advance)
    }).finally(() => {
      this.running = false
    })
  }

  /** Runs until `work`, which nodes carry on inside the simulation, is done; its outcome is that of the promise. */
  async runUntilDone<T>(work: Promise<T>): Promise<T> {
    let done = false
    const outcome = work.finally(() => {
      done = true
    })
    // The caller hears of a rejection below; until then it is not unhandled.
    outcome.catch(() => {})
    const end = await this.run({ until: () => done })
    if (end !== 'until') throw new Error(`nothing is left to happen, and the work is not done (seed ${this.seed})`)
    return outcome
  }

  private runEnd(limits: RunLimits, stepsEnd: number): RunEnd | undefined {
    if (limits.until?.() === true) return 'until'
    if (this.kernel.eventsRun >= stepsEnd) {
      if (limits.steps === undefined)
        throw new Error(`the run did not end within ${stepsMax} events (seed ${this.seed})`)
      return 'steps'
    }
    const nextAtMs = this.kernel.nextAtMs()
    if (limits.untilMs !== undefined && (nextAtMs === undefined || nextAtMs > limits.untilMs)) {
      this.kernel.advanceTo(limits.untilMs)
      return 'time'
    }
    return nextAtMs === undefined ? 'idle' : undefined
  }
}

/** A simulated world that `seed` decides entirely. */
export function createSimulation(options: SimulationOptions): Simulation {
  return new Simulation(options)
}
