import { assert } from '../../base/index.ts'
import type { Runtime } from '../index.ts'
import { type ClockFaults, SimulatedClock } from './clock.ts'
import { createDiskState, type DiskFaults, SimulatedDisk } from './disk.ts'
import type { Incarnation, Kernel } from './kernel.ts'
import { SimulatedLogger, type SimulatedLogLine } from './logger.ts'
import { type NetworkFabric, SimulatedNetwork } from './network.ts'
import { SimulatedRandom } from './random.ts'
import { SimulatedScheduler } from './scheduler.ts'

/**
 * How a node goes down. `power-loss`: what its disk had not synced is kept, lost or torn, each change by a draw.
 * `process-death`: the disk keeps all that was written, as after a SIGKILL.
 */
export type CrashKind = 'power-loss' | 'process-death'

/** A simulated machine: its disk and clock outlive the processes that run on it, one after another. */
export class SimulatedNode {
  readonly name: string
  private readonly kernel: Kernel
  private readonly fabric: NetworkFabric
  private readonly lines: SimulatedLogLine[]
  private readonly diskState = createDiskState()
  private readonly random: SimulatedRandom
  private readonly clock: SimulatedClock
  private incarnation: Incarnation
  private currentRuntime: Runtime

  constructor(kernel: Kernel, fabric: NetworkFabric, name: string, lines: SimulatedLogLine[]) {
    this.kernel = kernel
    this.fabric = fabric
    this.name = name
    this.lines = lines
    this.random = new SimulatedRandom(kernel, `node/${name}`)
    this.clock = new SimulatedClock(kernel)
    this.incarnation = { nodeName: name, number: 1, alive: true }
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

  setClock(faults: Partial<ClockFaults>): void {
    this.clock.setFaults(faults)
  }

  setDisk(faults: Partial<DiskFaults>): void {
    this.diskState.faults = { ...this.diskState.faults, ...faults }
  }

  crash(kind: CrashKind): void {
    assert(this.incarnation.alive, 'only a live node can crash')
    this.incarnation.alive = false
    this.fabric.die(this.incarnation, kind)
    this.diskState.locks.clear()
    if (kind === 'power-loss') this.diskState.fileSystem.losePower(this.random.fork('power-loss'))
    else this.diskState.fileSystem.completeAll()
  }

  restart(): Runtime {
    assert(!this.incarnation.alive, 'only a crashed node can restart')
    this.incarnation = { nodeName: this.name, number: this.incarnation.number + 1, alive: true }
    this.currentRuntime = this.createRuntime()
    return this.currentRuntime
  }

  private createRuntime(): Runtime {
    const { kernel, incarnation } = this
    const life = `life-${incarnation.number}`
    return {
      clock: this.clock,
      random: this.random.fork(`${life}/program`),
      scheduler: new SimulatedScheduler(kernel, incarnation, this.clock),
      disk: new SimulatedDisk(kernel, incarnation, this.diskState, this.random.fork(`${life}/disk`)),
      network: new SimulatedNetwork(this.fabric, incarnation),
      logger: new SimulatedLogger(kernel, incarnation, this.lines),
    }
  }
}
