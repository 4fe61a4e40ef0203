/**
 * All machines of a world, and what is seen inside them: who leads, what is applied, what the state hashes to.
 *
 * - C1  Only an excused node may give up, and never by a broken invariant.
 * - C2  Each entry that any node applies is compared with what the first node applied at that index.
 */
import { crc32c } from '../../base/index.ts'
import type { Member } from '../../engine/coordination/index.ts'
import { type Group, type GroupConfiguration, type GroupStatus, messageKind } from '../../engine/replication/index.ts'
import type { RunningNode } from '../../node/index.ts'
import type { Simulation } from '../../runtime/simulation/index.ts'
import { Machine } from './machine.ts'
import type { Recorder } from './recorder.ts'
import { type NodeSettings, nodeConfig, peerUrlOf } from './settings.ts'
import { Violation } from './violation.ts'

/** What entitles a member to give up for as long as it lives. */
const permanentExcuses = ['removed', 'damaged files', 'disk lost', 'wiped disk']

/** State hashes are taken each time so many entries are applied: they cost a walk over the whole state. */
const hashEveryEntries = 100

export class Cluster {
  readonly settings: NodeSettings
  readonly machines: Machine[] = []
  private readonly simulation: Simulation
  private readonly recorder: Recorder
  private readonly names = new Map<bigint, string>()
  /** Members that were asked to be removed: one that was never started may still be taken for its successor. */
  private readonly leaving = new Set<bigint>()
  /** Learners that were asked to be promoted: their set of voters may come about before any member is seen to go by it. */
  private readonly promoted = new Set<bigint>()
  /** How many members have joined on each machine. */
  private readonly generations = new Map<string, number>()
  private readonly leaders = new Map<number, string>()
  /** Term and hash of the entry first applied at each index. */
  private readonly applied = new Map<number, string>()
  /** What went wrong inside an event; the run ends with it. */
  violation: Violation | undefined
  /** Why nodes gave up, so far. */
  readonly reasons: string[] = []
  /** Called when there is another machine. */
  onMachineAdded: () => void = () => {}

  constructor(simulation: Simulation, recorder: Recorder, settings: NodeSettings) {
    this.simulation = simulation
    this.recorder = recorder
    this.settings = settings
    simulation.onCrash(({ name }, kind) => this.onCrash(name, kind))
  }

  /** Makes the founding machines; they stand still until they are started. */
  found(count: number): void {
    const names = Array.from({ length: count }, (_, i) => `n${i + 1}`)
    for (const name of names) {
      const machine = this.addMachine(name, names, 'new')
      machine.memberId = machine.config.memberId
      this.names.set(machine.config.memberId, name)
    }
    const founders = this.machines.map((machine) => machine.config.memberId)
    for (const machine of this.machines) machine.configuration = { voters: founders, outgoing: [], learners: [] }
  }

  private addMachine(name: string, members: readonly string[], clusterState: 'new' | 'existing'): Machine {
    const config = nodeConfig(this.settings, name, members, clusterState)
    const machine = new Machine(this.simulation, name, config, this.settings, {
      started: (started, running) => this.attach(started, running),
      failed: (failed, error) => this.onFailed(failed, error),
      // Only consensus promises to bear messages that come twice or overtake each other.
      delivery: (gate) => (message, deliver) => {
        if (message.kind === messageKind.consensus) gate(this.nameOf(message.from), deliver)
        else deliver()
      },
    })
    this.machines.push(machine)
    return machine
  }

  /** A machine on which no member runs: one that was left, or a new one. */
  spare(): Machine {
    const left = this.machines.find((machine) => machine.standing === 'spare' && !machine.isAlive)
    if (left !== undefined) return left
    const name = `n${this.machines.length + 1}`
    const machine = this.addMachine(name, [...this.machines.map(nameOf), name], 'new')
    machine.standing = 'spare'
    this.onMachineAdded()
    return machine
  }

  /** The next life on `machine` is that of a new member, with an empty data directory, which joins the cluster. */
  prepareJoin(machine: Machine): void {
    const generation = (this.generations.get(machine.name) ?? 0) + 1
    this.generations.set(machine.name, generation)
    const members = [...this.members.filter((each) => each !== machine), machine].map(nameOf)
    machine.config = nodeConfig(this.settings, machine.name, members, 'existing', generation)
    machine.standing = 'joining'
    machine.memberId = undefined
    machine.configuration = undefined
    machine.declaredVoters = []
    machine.isDamaged = false
    machine.isLost = false
    // It gets a disk that works; what else is wrong with the machine stays.
    machine.simulated.setDisk({ misdirectedReadProbability: 0, misdirectedWriteProbability: 0 })
    for (const excuse of permanentExcuses) machine.excuses.delete(excuse)
    // It may find nobody who tells it who it is; then it is started again.
    machine.excuses.add('joining')
  }

  /** The disk of `machine` is empty again, and its member is started as if it were to found the cluster. */
  wipe(machine: Machine): void {
    const generation = (this.generations.get(machine.name) ?? 0) + 1
    this.generations.set(machine.name, generation)
    machine.config = nodeConfig(this.settings, machine.name, this.members.map(nameOf), 'new', generation)
    machine.excuses.add('wiped disk')
  }

  /** No member runs on `machine` any more. */
  retire(machine: Machine): void {
    machine.standing = 'spare'
    machine.memberId = undefined
    machine.excuses.add('removed')
    this.crash(machine, 'process-death')
  }

  /** Switches off who is no member any more, as `declared` says, which is at least as new as anything asked for before. */
  reconcile(declared: readonly Member[]): void {
    const ids = new Set(declared.map((member) => member.id))
    const urls = new Set(declared.flatMap((member) => member.peerUrls))
    for (const machine of this.members) {
      const { memberId } = machine
      const peerUrl = peerUrlOf(machine.name)
      if (memberId === undefined ? !urls.has(peerUrl) : !ids.has(memberId)) this.retire(machine)
    }
  }

  /** From now on the member may be told that it is none any more, and end. */
  noteRemoval(member: Member): void {
    this.leaving.add(member.id)
    this.machineOf(member)?.excuses.add('removed')
  }

  isLeaving(member: Member): boolean {
    return this.leaving.has(member.id)
  }

  /** It certainly was not removed. */
  noteStay(member: Member): void {
    this.leaving.delete(member.id)
    this.machineOf(member)?.excuses.delete('removed')
  }

  machineOf({ id, peerUrls }: Pick<Member, 'id' | 'peerUrls'>): Machine | undefined {
    // One that joins does not know its id yet.
    return this.members.find((machine) =>
      machine.memberId === undefined ? peerUrls.includes(peerUrlOf(machine.name)) : machine.memberId === id,
    )
  }

  /** Whether damage to `machine` leaves every set of voters that anyone goes by, or may yet, a majority without damage. */
  mayDamage(machine: Machine): boolean {
    // The set that one is to join as a voter holds it under an id that is not known yet.
    if (!machine.mayBeDamaged || machine.standing !== 'member') return false
    const sets = this.voterSets()
    const promoted = this.members.flatMap(({ memberId: id }) => (id !== undefined && this.promoted.has(id) ? [id] : []))
    const wider = sets.map((set) => [...new Set([...set, ...promoted])])
    return [...sets, ...wider].every((set) => this.sound(set, machine) * 2 > set.length)
  }

  /** Whether the voters with that learner among them still are mostly sound. */
  mayPromote(machine: Machine | undefined): boolean {
    const { memberId } = machine ?? {}
    if (memberId === undefined) return false
    return this.voterSets().every((set) => {
      const wider = set.includes(memberId) ? set : [...set, memberId]
      return this.sound(wider, undefined) * 2 > wider.length
    })
  }

  /** From now on the learner may be a voter, whatever is heard of its promotion. */
  notePromotion(member: Member): void {
    this.promoted.add(member.id)
  }

  /** Whether the voters without that one still are mostly sound. */
  mayRemove(machine: Machine | undefined): boolean {
    return this.voterSets().every((set) => {
      const others = set.filter((id) => id !== machine?.memberId).length
      return this.sound(set, machine) * 2 > others
    })
  }

  private sound(set: readonly bigint[], without: Machine | undefined): number {
    return this.members.filter(
      (machine) =>
        machine !== without && !machine.isDamaged && machine.memberId !== undefined && set.includes(machine.memberId),
    ).length
  }

  /** Every set of voters that any member was seen to go by, or to aim at. */
  private voterSets(): readonly (readonly bigint[])[] {
    return this.members
      .flatMap(({ configuration, declaredVoters }) =>
        configuration === undefined ? [] : [configuration.voters, configuration.outgoing, declaredVoters],
      )
      .filter((set) => set.length > 0)
  }

  /** The same, as they may become if changes of unknown outcome come about after all. */
  private possibleVoterSets(): readonly (readonly bigint[])[] {
    const sets = this.voterSets()
    const leaving = this.members.filter((machine) => machine.excuses.has('removed')).map((machine) => machine.memberId)
    const all = this.members.flatMap(({ memberId }) => (memberId === undefined ? [] : [memberId]))
    return [...sets, ...sets.map((set) => set.filter((id) => !leaving.includes(id))), all].filter(
      (set) => set.length > 0,
    )
  }

  /**
   * Members, in random order, that can serve without the others, whatever configuration any log may hold: enough for a
   * majority of every set of voters that any member was seen to go by, or to aim at.
   */
  core(candidates: readonly Machine[]): readonly Machine[] {
    const sets = this.possibleVoterSets()
    const core: Machine[] = []
    const suffices = (): boolean =>
      sets.every((set) => {
        const there = set.filter((id) => core.some((machine) => machine.memberId === id)).length
        return there * 2 > set.length
      })
    for (const machine of candidates) {
      if (suffices() && core.length > 0) break
      core.push(machine)
    }
    return core
  }

  /** Machines that belong to the cluster, or are about to. */
  get members(): Machine[] {
    return this.machines.filter((machine) => machine.standing !== 'spare')
  }

  machine(name: string): Machine {
    const found = this.machines.find((each) => each.name === name)
    if (found === undefined) throw new Error(`no machine is called ${name}`)
    return found
  }

  get alive(): Machine[] {
    return this.members.filter((machine) => machine.isAlive)
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
    // Who does not wait for the end of a process kills it.
    if (machine.life?.stopping === true) this.crash(machine, 'process-death')
    if (machine.isAlive || machine.isLost || machine.standing === 'spare') return
    this.recorder.tell(`${machine.name} starts`)
    machine.start()
  }

  crash(machine: Machine, kind: 'power-loss' | 'process-death'): void {
    if (!machine.isAlive) return
    this.recorder.tell(`${machine.name} ${kind === 'power-loss' ? 'loses its power' : 'is killed'}`)
    machine.crash(kind)
  }

  /** Asks the node to stop; it may be killed before it has. */
  stop(machine: Machine): void {
    if (machine.running === undefined || machine.isPaused) return
    this.recorder.tell(`${machine.name} is asked to stop`)
    machine.stop()
  }

  pause(machine: Machine): void {
    if (!machine.isAlive || machine.isPaused) return
    this.recorder.tell(`${machine.name} stands still`)
    machine.simulated.pause()
  }

  resume(machine: Machine): void {
    if (!machine.isPaused) return
    this.recorder.tell(`${machine.name} goes on`)
    machine.simulated.resume()
  }

  /** From now on the files of that machine may be wrong, for good, and its node may say so and give up. */
  noteDamage(machine: Machine): void {
    machine.isDamaged = true
    machine.excuses.add('damaged files')
  }

  /** A crash that the world had planned for one of its disk operations. */
  private onCrash(name: string, kind: 'power-loss' | 'process-death'): void {
    const machine = this.machines.find((each) => each.name === name)
    if (machine?.isAlive !== true) return
    this.recorder.tell(`${name} ${kind === 'power-loss' ? 'loses its power' : 'is killed'}`)
    machine.noteEnd()
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
    machine.memberId = running.config.memberId
    if (this.leaving.has(machine.memberId)) machine.excuses.add('removed')
    this.names.set(running.config.memberId, machine.name)
    if (machine.standing === 'joining') {
      machine.standing = 'member'
      machine.excuses.delete('joining')
      this.recorder.tell(`${machine.name} has joined`)
    }
    this.watchLeadership(machine, group)
    const noteConfiguration = ({ configuration }: GroupConfiguration): void => {
      machine.configuration = configuration
    }
    noteConfiguration(group.configuration())
    group.onConfigurationChange(noteConfiguration)
    const noteDeclared = (): void => {
      machine.declaredVoters = state.members().flatMap(({ id, isLearner }) => (isLearner ? [] : [id]))
    }
    noteDeclared()
    state.observe({ onMembersChanged: noteDeclared, onRestored: noteDeclared })
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
    this.reasons.push(reason)
    if (machine.excuses.size > 0 && !(error instanceof Error && error.name === 'InvariantError')) return
    const stack = error instanceof Error ? (error.stack ?? reason) : reason
    this.violation ??= new Violation(
      error instanceof Error && error.name === 'InvariantError' ? 'invariant' : 'node-failure',
      `${machine.name} gave up, and no fault entitles it to: ${stack}`,
      { cause: error },
    )
  }
}

function nameOf({ name }: Machine): string {
  return name
}
