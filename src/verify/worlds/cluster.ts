/**
 * All machines of a world, and what is seen inside them: who leads, what is applied, what the state hashes to.
 *
 * - C1  Only an excused node may give up, and never by a broken invariant.
 * - C2  Each entry that any node applies is compared with what the first node applied at that index.
 */
import { crc32c } from '../../base/index.ts'
import type { Group, GroupStatus } from '../../engine/replication/index.ts'
import type { RunningNode } from '../../node/index.ts'
import type { Simulation } from '../../runtime/simulation/index.ts'
import { Machine } from './machine.ts'
import type { Recorder } from './recorder.ts'
import { type NodeSettings, nodeConfig } from './settings.ts'
import { Violation } from './violation.ts'

/** State hashes are taken each time so many entries are applied: they cost a walk over the whole state. */
const hashEveryEntries = 100

export class Cluster {
  readonly settings: NodeSettings
  readonly machines: Machine[] = []
  private readonly simulation: Simulation
  private readonly recorder: Recorder
  private readonly names = new Map<bigint, string>()
  private readonly leaders = new Map<number, string>()
  /** Term and hash of the entry first applied at each index. */
  private readonly applied = new Map<number, string>()
  /** What went wrong inside an event; the run ends with it. */
  violation: Violation | undefined

  constructor(simulation: Simulation, recorder: Recorder, settings: NodeSettings) {
    this.simulation = simulation
    this.recorder = recorder
    this.settings = settings
  }

  /** Makes the founding machines; they stand still until they are started. */
  found(count: number): void {
    const names = Array.from({ length: count }, (_, i) => `n${i + 1}`)
    for (const name of names) this.addMachine(name, names, 'new')
  }

  addMachine(name: string, members: readonly string[], clusterState: 'new' | 'existing'): Machine {
    const config = nodeConfig(this.settings, name, members, clusterState)
    const machine = new Machine(this.simulation, name, config, this.settings, {
      started: (started, running) => this.attach(started, running),
      failed: (failed, error) => this.onFailed(failed, error),
    })
    this.machines.push(machine)
    this.names.set(config.memberId, name)
    return machine
  }

  machine(name: string): Machine {
    const found = this.machines.find((each) => each.name === name)
    if (found === undefined) throw new Error(`no machine is called ${name}`)
    return found
  }

  get alive(): Machine[] {
    return this.machines.filter((machine) => machine.isAlive)
  }

  /** The machine that leads in the latest term that any leader knows of. */
  get leader(): Machine | undefined {
    let best: Machine | undefined
    let bestTerm = -1
    for (const machine of this.machines) {
      const status = machine.running?.inspect().group.status()
      if (status?.role !== 'leader' || status.term <= bestTerm) continue
      best = machine
      bestTerm = status.term
    }
    return best
  }

  nameOf(member: bigint): string {
    return this.names.get(member) ?? member.toString(16)
  }

  start(machine: Machine): void {
    if (machine.isAlive) return
    this.recorder.tell(`${machine.name} starts`)
    machine.start()
  }

  crash(machine: Machine, kind: 'power-loss' | 'process-death'): void {
    if (!machine.isAlive) return
    this.recorder.tell(`${machine.name} ${kind === 'power-loss' ? 'loses its power' : 'is killed'}`)
    machine.crash(kind)
  }

  describe(): string {
    return this.machines
      .map((machine) => {
        const status = machine.running?.inspect().group.status()
        if (status === undefined) return `${machine.name} ${machine.isAlive ? 'starting' : 'down'}`
        const paused = machine.isPaused ? ' (stopped)' : ''
        return `${machine.name}${paused} ${status.role} term ${status.term} commit ${status.commitIndex} applied ${status.appliedIndex} last ${status.lastIndex}`
      })
      .join('; ')
  }

  private attach(machine: Machine, running: RunningNode): void {
    const { group, machine: state } = running.inspect()
    this.recorder.count('node started')
    this.watchLeadership(machine, group)
    const apply = state.apply.bind(state)
    state.apply = (command, position, wanted) => {
      this.noteApplied(machine, position.index, position.term, command)
      const result = apply(command, position, wanted)
      if (position.index % hashEveryEntries === 0) this.noteStateHash(machine)
      return result
    }
  }

  private watchLeadership(machine: Machine, group: Group<unknown>): void {
    const note = ({ role, term }: GroupStatus): void => {
      if (role !== 'leader') return
      const known = this.leaders.get(term)
      if (known === machine.name) return
      this.leaders.set(term, machine.name)
      this.recorder.elections++
      this.recorder.tell(`${machine.name} leads in term ${term}`)
      this.recorder.add({ type: 'leader', term, node: machine.name, atMs: this.simulation.nowMs })
    }
    note(group.status())
    group.onStatusChange(note)
  }

  /** C2. A record is made of the first and of each that differs: one each would be most of the history. */
  private noteApplied(machine: Machine, index: number, term: number, command: Uint8Array): void {
    const hash = crc32c(command).toString(16).padStart(8, '0')
    const what = `${term}/${hash}`
    const known = this.applied.get(index)
    if (known === what) return
    if (known === undefined) this.applied.set(index, what)
    this.recorder.add({ type: 'applied', node: machine.name, index, term, hash })
  }

  /** Takes a hash over what the node on `machine` has applied so far. */
  noteStateHash(machine: Machine): void {
    machine.running?.services.engine.stateHash(({ hash, appliedIndex }) => {
      const text = hash.toString(16).padStart(8, '0')
      this.recorder.add({ type: 'stateHash', node: machine.name, at: appliedIndex, hash: text })
    })
  }

  /** C1. */
  private onFailed(machine: Machine, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.recorder.tell(`${machine.name} gives up: ${reason}`)
    this.recorder.count('node gave up')
    if (machine.excuses.size > 0 && !(error instanceof Error && error.name === 'InvariantError')) return
    const stack = error instanceof Error ? (error.stack ?? reason) : reason
    this.violation ??= new Violation(
      error instanceof Error && error.name === 'InvariantError' ? 'invariant' : 'node-failure',
      `${machine.name} gave up, and no fault entitles it to: ${stack}`,
      { cause: error },
    )
  }
}
