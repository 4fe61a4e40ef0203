/**
 * One simulated machine and the lives of the node on it. Owned by the {@link Cluster}.
 *
 * - M1  At most one node runs on a machine. Between two lives its disk and its clock stay.
 * - M2  A life that ended changes nothing any more: whatever comes of it later is dropped.
 * - M3  Whoever waits for an answer of a node hears when its life ends, once.
 */
import type { Configuration } from '../../core/index.ts'
import type { NodeConfig } from '../../node/config/index.ts'
import { type NodeHooks, type RunningNode, startNode } from '../../node/index.ts'
import type { Runtime } from '../../runtime/index.ts'
import type { CrashKind, MessageGate, SimulatedNode, Simulation } from '../../runtime/simulation/index.ts'
import type { NodeSettings } from './settings.ts'

/** One process: from its start to its end. */
export interface Life {
  readonly runtime: Runtime
  /** Undefined while it starts. */
  running: RunningNode | undefined
  /** It was asked to end. */
  stopping: boolean
  /** Called once when the life ends. */
  readonly onEnd: Set<() => void>
}

/** What the cluster wants to hear of a machine's node. */
export interface MachineEvents {
  readonly started: (machine: Machine, running: RunningNode) => void
  /** It cannot go on, or could not start. Its process is gone. */
  readonly failed: (machine: Machine, error: unknown) => void
  /** Puts a gate of the simulation before the messages that its node receives. */
  readonly delivery: (gate: MessageGate) => NonNullable<NodeHooks['delivery']>
}

/**
 * What a machine is to the cluster. `joining`: it was declared, and does not know its place yet. `spare`: no member runs
 * on it, any more or so far.
 */
export type Standing = 'member' | 'joining' | 'spare'

export class Machine {
  readonly name: string
  private readonly simulation: Simulation
  private readonly settings: NodeSettings
  private readonly events: MachineEvents
  /** How the next life is to start. */
  config: NodeConfig
  life: Life | undefined
  standing: Standing = 'member'
  /** The member on it, once it is known. */
  memberId: bigint | undefined
  /** The latest configuration that it was seen to go by; undefined before it was seen. */
  configuration: Configuration | undefined
  /** The voters that it last was seen to have declared. */
  declaredVoters: readonly bigint[] = []
  /** Whether the fault model allows damage to its files, and whether some may have befallen them, for good. */
  mayBeDamaged = false
  isDamaged = false
  /** Nothing is left to start from. */
  isLost = false
  /**
   * Faults that entitle the node to give up, while they last: a disk that fails its syncs, damage that was done to its
   * files. A node that gives up without one is a violation.
   */
  readonly excuses = new Set<string>()

  constructor(simulation: Simulation, name: string, config: NodeConfig, settings: NodeSettings, events: MachineEvents) {
    this.simulation = simulation
    this.name = name
    this.config = config
    this.settings = settings
    this.events = events
    simulation.createNode(name)
    // Creation gives a process; a machine begins switched off.
    simulation.crash(name, 'process-death')
  }

  get simulated(): SimulatedNode {
    return this.simulation.node(this.name)
  }

  get isAlive(): boolean {
    return this.life !== undefined
  }

  /** Stands still, as after SIGSTOP. */
  get isPaused(): boolean {
    return this.simulated.isPaused
  }

  get running(): RunningNode | undefined {
    return this.life?.running
  }

  /** Starts a process. What comes of it is told through the events. */
  start(): void {
    if (this.life !== undefined) return
    this.simulation.restart(this.name)
    const { runtime } = this.simulated
    const life: Life = { runtime, running: undefined, stopping: false, onEnd: new Set() }
    this.life = life
    const fail = (error: unknown): void => {
      if (this.life !== life) return
      this.end('process-death')
      this.events.failed(this, error)
    }
    const hooks: NodeHooks = {
      onFailure: fail,
      processId: this.simulated.incarnationNumber,
      processMetrics: () => ({}),
      groupOptions: this.settings.groupOptions,
      walSegmentBytes: this.settings.walSegmentBytes,
      watchOptions: this.settings.watchOptions,
      delivery: this.events.delivery(this.simulated.createMessageGate()),
    }
    startNode(this.config, runtime, hooks).then((running) => {
      if (this.life !== life) return
      life.running = running
      this.events.started(this, running)
    }, fail)
  }

  /** Ends the process where it stands. */
  crash(kind: CrashKind): void {
    if (this.life !== undefined) this.end(kind)
  }

  /** Asks the process to end in good order. It may take long, or never come to it. */
  stop(): void {
    const { life } = this
    if (life?.running === undefined) return
    life.stopping = true
    life.running.stop().then(() => {
      if (this.life === life) this.end('process-death')
    })
  }

  /** What was on the disk is gone for good: nothing starts from it any more. */
  loseDisk(): void {
    this.isDamaged = true
    this.isLost = true
    this.excuses.add('disk lost')
  }

  /** Checks the node's invariants; throws what is broken. */
  validate(): void {
    this.life?.running?.inspect().group.validate()
  }

  private end(kind: CrashKind): void {
    this.noteEnd()
    if (this.simulated.alive) this.simulation.crash(this.name, kind)
  }

  /** The process is gone, whoever ended it. */
  noteEnd(): void {
    const { life } = this
    this.life = undefined
    if (life === undefined) return
    const waiting = [...life.onEnd]
    life.onEnd.clear()
    for (const each of waiting) each()
  }
}
