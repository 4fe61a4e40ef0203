/**
 * A world of simulated nodes on one virtual time line. Tests make one from a seed, start programs on the runtimes of
 * its nodes, and run it; the same seed and the same programs give the same run, told by equal fingerprints.
 *
 * I1. Between two events every promise reaction has run, and every reaction to those ({@link Turns}).
 * I2. What an event throws ends `run`: in a simulation nothing swallows a bug.
 */
import { assert, assertDefined } from '../../base/index.ts'
import type { Random } from '../index.ts'
import type { EventCounts } from './event-counts.ts'
import type { FaultCounts, FaultReport } from './fault-ledger.ts'
import { type FlapOptions, flap } from './flapping.ts'
import { type DrawListener, Kernel } from './kernel.ts'
import type { LinkFaults } from './links.ts'
import type { SimulatedLogLine } from './logger.ts'
import { MessageFabric, type MessageFaults, type MessageRule } from './message-faults.ts'
import { NetworkFabric } from './network.ts'
import { type CrashKind, SimulatedNode } from './node.ts'
import { SimulatedRandom } from './random.ts'
import { Turns } from './turns.ts'

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

/** Told of each event once its promise reactions have run. `nodeName` is undefined for the scenario's own. */
export type EventListener = (nodeName: string | undefined, kind: string) => void

/** Told of each crash as it happens, in the midst of whatever caused it: restart in an event of its own. */
export type CrashListener = (node: SimulatedNode, kind: CrashKind) => void

const stepsMax = 10_000_000

export class Simulation {
  /** The scenario's own stream of the seed. */
  readonly random: Random
  /** All that the nodes logged, in order. */
  readonly logLines: SimulatedLogLine[] = []
  private readonly kernel: Kernel
  private readonly fabric: NetworkFabric
  private readonly messages: MessageFabric
  private readonly scenario: SimulatedRandom
  private readonly turns = new Turns()
  private readonly eventListeners: EventListener[] = []
  private readonly crashListeners: CrashListener[] = []
  private readonly nodes = new Map<string, SimulatedNode>()
  private running = false

  constructor(options: SimulationOptions) {
    this.kernel = new Kernel(String(options.seed))
    this.scenario = new SimulatedRandom(this.kernel, 'scenario')
    this.random = this.scenario
    this.fabric = new NetworkFabric(this.kernel)
    this.messages = new MessageFabric(this.kernel)
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

  /** Events run so far, by class. */
  get events(): EventCounts {
    return this.kernel.counts()
  }

  /** Faults that took effect so far, by kind. */
  get faults(): FaultCounts {
    return { ...this.kernel.faults.counts }
  }

  /** Calls `listener` with each fault as it takes effect. */
  onFault(listener: (report: FaultReport) => void): void {
    this.kernel.faults.onFault(listener)
  }

  /**
   * Calls `listener` after each event and all promise reactions to it, before `until` is asked. What it throws ends the
   * run.
   */
  onEvent(listener: EventListener): void {
    this.eventListeners.push(listener)
  }

  onCrash(listener: CrashListener): void {
    this.crashListeners.push(listener)
  }

  /** Calls `listener` with each random draw, in place of an earlier listener. For tests of determinism: it costs. */
  onDraw(listener: DrawListener): void {
    this.kernel.drawListener = listener
  }

  /** A hash over every event and every random draw so far. */
  fingerprint(): string {
    return this.kernel.fingerprint()
  }

  createNode(name: string): SimulatedNode {
    assert(!this.nodes.has(name), 'each node has its own name')
    this.fabric.addNode(name)
    const environment = {
      kernel: this.kernel,
      fabric: this.fabric,
      messages: this.messages,
      lines: this.logLines,
      onCrash: (crashed: SimulatedNode, kind: CrashKind): void => {
        for (const listener of this.crashListeners) listener(crashed, kind)
      },
    }
    const node = new SimulatedNode(environment, name)
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
    this.fabric.links.get(this.node(from).name, this.node(to).name).set(faults)
  }

  /**
   * Cuts every link between two nodes of the groups that share none: a node in two groups is a bridge. A node in no group
   * keeps its links.
   */
  partition(...groups: readonly (readonly string[])[]): void {
    const names = [...new Set(groups.flat())]
    for (const from of names) {
      for (const to of names) {
        if (from === to || groups.some((group) => group.includes(from) && group.includes(to))) continue
        this.setOneWayLink(from, to, { cut: true })
      }
    }
  }

  /** Cuts what goes from any of `from` to any of `to`; the other direction stays. */
  cutOneWay(from: readonly string[], to: readonly string[]): void {
    for (const sender of from) {
      for (const receiver of to) if (sender !== receiver) this.setOneWayLink(sender, receiver, { cut: true })
    }
  }

  /** Cuts and heals links in turns, until what it returns is called; that heals them. */
  flap(options: FlapOptions): () => void {
    return flap(this, this.scenario.fork('flap'), options)
  }

  /**
   * Breaks all connections between two nodes: what is in flight is lost from an arbitrary byte on. Each end hears of it
   * at its own time, but for `untold`, which is left half open and hears once it sends.
   */
  resetConnections(a: string, b: string, options: { readonly untold?: string } = {}): void {
    this.fabric.reset(this.node(a).name, this.node(b).name, options.untold)
  }

  /** Sets what happens to messages from `from` to `to` at the receiver's message gate. */
  setMessageFaults(from: string, to: string, faults: Partial<MessageFaults>): void {
    this.messages.set(from, to, faults)
  }

  /** Sets the rule that is asked first about each message; `undefined` ends it. */
  setMessageRule(rule: MessageRule | undefined): void {
    this.messages.rule = rule
  }

  /** Ends all message faults and the message rule. */
  healMessages(): void {
    this.messages.heal()
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
          this.tellOfLastEvent()
          const end = this.runEnd(limits, stepsEnd)
          if (end === undefined) {
            this.kernel.step()
            this.turns.after(advance)
          } else {
            resolve(end)
          }
        } catch (error) {
          reject(error)
        }
      }
      this.turns.after(advance)
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

  private tellOfLastEvent(): void {
    const { lastEvent } = this.kernel
    if (lastEvent === undefined) return
    this.kernel.lastEvent = undefined
    for (const listener of this.eventListeners) listener(lastEvent.nodeName, lastEvent.kind)
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
