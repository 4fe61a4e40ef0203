import { assert } from '../../base/index.ts'
import type { Random, Runtime } from '../index.ts'
import { type ClockFaults, SimulatedClock } from './clock.ts'
import { SimulatedDisk } from './disk.ts'
import type { CrashMoment, DiskDamage, DiskFaults, DiskOperation } from './disk-faults.ts'
import { DiskState } from './disk-state.ts'
import { Gate, type NodeSpeed } from './gate.ts'
import type { Incarnation, Kernel } from './kernel.ts'
import { SimulatedLogger, type SimulatedLogLine } from './logger.ts'
import type { MessageFabric, MessageGate } from './message-faults.ts'
import { type NetworkFabric, SimulatedNetwork } from './network.ts'
import { SimulatedRandom } from './random.ts'
import { SimulatedScheduler } from './scheduler.ts'

/**
 * How a node goes down. `power-loss`: what its disk had not synced is kept, lost or torn, each change by a draw.
 * `process-death`: the disk keeps all that was written, as after a SIGKILL.
 */
export type CrashKind = 'power-loss' | 'process-death'

/** What a machine stands in. */
export interface NodeEnvironment {
  readonly kernel: Kernel
  readonly fabric: NetworkFabric
  readonly messages: MessageFabric
  readonly lines: SimulatedLogLine[]
  /** Told of each crash, as it happens. */
  readonly onCrash: (node: SimulatedNode, kind: CrashKind) => void
}

/** When a node crashes at one of its disk operations. */
export interface CrashAtDiskOperation {
  /** Default `power-loss`. */
  readonly kind?: CrashKind
  readonly moment: CrashMoment
  /** Which operations count. Default all. */
  readonly counts?: (operation: DiskOperation) => boolean
}

/** A simulated machine: its disk and clock outlive the processes that run on it, one after another. */
export class SimulatedNode {
  readonly name: string
  private readonly environment: NodeEnvironment
  private readonly diskState: DiskState
  private readonly random: SimulatedRandom
  private readonly rotRandom: SimulatedRandom
  private readonly clock: SimulatedClock
  private speed: NodeSpeed | undefined
  private incarnation: Incarnation
  private currentRuntime: Runtime

  constructor(environment: NodeEnvironment, name: string) {
    const { kernel } = environment
    this.environment = environment
    this.name = name
    this.random = new SimulatedRandom(kernel, `node/${name}`)
    this.rotRandom = this.random.fork('rot')
    this.clock = new SimulatedClock(kernel)
    this.diskState = new DiskState({
      crash: (kind) => this.crash(kind),
      report: (kind, detail) => kernel.faults.add(kind, name, detail),
      mishaps: this.random.fork('disk-mishaps'),
    })
    this.incarnation = this.nextIncarnation(1)
    this.currentRuntime = this.createRuntime()
  }

  /** What the process that runs now sees. After a crash the one that ran last, and nothing it asks for happens. */
  get runtime(): Runtime {
    return this.currentRuntime
  }

  get alive(): boolean {
    return this.incarnation.alive
  }

  /** How many times it has started. */
  get incarnationNumber(): number {
    return this.incarnation.number
  }

  /** Sets how far its clock is from true time. A change of `skewMs` is a jump of the wall clock. */
  setClock(faults: Partial<ClockFaults>): void {
    const { kernel } = this.environment
    const before = this.clock.faults
    this.clock.setFaults(faults)
    const { skewMs, driftPpm } = this.clock.faults
    if (skewMs !== before.skewMs) kernel.faults.add('clock-jump', this.name, `${skewMs - before.skewMs} ms`)
    if (driftPpm !== before.driftPpm && driftPpm !== 0) kernel.faults.add('clock-drift', this.name, `${driftPpm} ppm`)
  }

  /** Sets how its disk behaves. Ending `stuck` lets all that waited return, in order. */
  setDisk(faults: Partial<DiskFaults>): void {
    const { diskState } = this
    diskState.faults = { ...diskState.faults, ...faults }
    if (diskState.faults.stuck) return
    const waiting = diskState.waiting
    diskState.waiting = []
    for (const finish of waiting) finish()
  }

  /**
   * Stops the process, as SIGSTOP does: nothing of it runs, bytes and disk answers gather, clocks go on. A crash ends it.
   */
  pause(): void {
    assert(this.incarnation.alive, 'only a live node can be stopped')
    if (this.incarnation.gate.isStopped) return
    this.incarnation.gate.stop()
    this.environment.kernel.faults.add('node-paused', this.name)
  }

  /** Ends a pause: all that gathered runs, in the order it came about. Does nothing to a process that runs. */
  resume(): void {
    if (this.incarnation.gate.isStopped) this.environment.kernel.resume(this.incarnation)
  }

  get isPaused(): boolean {
    return this.incarnation.alive && this.incarnation.gate.isStopped
  }

  /** Makes the machine slow, over restarts too; `undefined` makes it as fast as others again. */
  setSpeed(speed: NodeSpeed | undefined): void {
    if (speed !== undefined) this.environment.kernel.faults.add('node-slowed', this.name)
    this.speed = speed
  }

  /** Disk operations asked for so far, over all its lives. */
  get diskOperations(): number {
    return this.diskState.operations
  }

  /** Silent damage to its files so far, by `rot`, `flip` and misdirected writes, in order. */
  get damages(): readonly DiskDamage[] {
    return this.diskState.damages
  }

  /** Crashes it at the `n`-th disk operation from now, 1 being the next. Takes the place of an earlier plan. */
  crashAtDiskOperation(n: number, { kind = 'power-loss', moment, counts = () => true }: CrashAtDiskOperation): void {
    assert(n >= 1, 'operations are counted from 1')
    this.diskState.crashPlan = { remaining: n, kind, moment, counts }
  }

  /** Forgets a crash that waits for a disk operation. */
  cancelCrash(): void {
    this.diskState.crashPlan = undefined
  }

  /**
   * Flips one bit at rest, in a byte near other bytes that hold something, of a file at or below `path` (default any).
   * Undefined when no such file holds anything. `random` may be the scenario's own.
   */
  rot(options: { readonly path?: string; readonly random?: Random } = {}): DiskDamage | undefined {
    return this.diskState.rot(options.path ?? '/', options.random ?? this.rotRandom)
  }

  /** Flips the bits of `mask` in one byte at rest. Undefined when the file has no such byte. */
  flip(path: string, position: number, mask = 1): DiskDamage | undefined {
    return this.diskState.flip(path, position, mask)
  }

  /** What stands between the network and this life's receiver of messages. See {@link MessageGate}. */
  createMessageGate(): MessageGate {
    return this.environment.messages.gate(this.incarnation)
  }

  crash(kind: CrashKind): void {
    assert(this.incarnation.alive, 'only a live node can crash')
    const { kernel, fabric } = this.environment
    this.incarnation.alive = false
    fabric.die(this.incarnation, kind)
    this.diskState.locks.clear()
    this.diskState.waiting = []
    this.diskState.crashPlan = undefined
    kernel.faults.add(kind, this.name)
    if (kind === 'power-loss') {
      this.diskState.fileSystem.losePower(this.random.fork('power-loss'), ({ fate, what, path, position }) => {
        if (what === 'names') kernel.faults.add('name-lost', this.name, path)
        else kernel.faults.add(fate === 'lost' ? 'write-lost' : 'write-torn', this.name, `${path}: at ${position}`)
      })
    } else {
      this.diskState.fileSystem.completeAll()
    }
    this.environment.onCrash(this, kind)
  }

  restart(): Runtime {
    assert(!this.incarnation.alive, 'only a crashed node can restart')
    this.incarnation = this.nextIncarnation(this.incarnation.number + 1)
    this.currentRuntime = this.createRuntime()
    return this.currentRuntime
  }

  private nextIncarnation(number: number): Incarnation {
    const gate: Incarnation['gate'] = new Gate(() => this.speed, this.random.fork(`life-${number}/speed`))
    return { nodeName: this.name, number, gate, alive: true }
  }

  private createRuntime(): Runtime {
    const { incarnation } = this
    const { kernel, fabric, lines } = this.environment
    const life = `life-${incarnation.number}`
    return {
      clock: this.clock,
      random: this.random.fork(`${life}/program`),
      scheduler: new SimulatedScheduler(kernel, incarnation, this.clock),
      disk: new SimulatedDisk(kernel, incarnation, this.diskState, this.random.fork(`${life}/disk`)),
      network: new SimulatedNetwork(fabric, incarnation),
      logger: new SimulatedLogger(kernel, incarnation, lines),
    }
  }
}
