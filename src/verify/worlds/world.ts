/**
 * The life of one world: found a cluster, attack it under load, heal a majority and demand progress, heal the rest and
 * demand agreement, then have the whole history judged.
 *
 * - W1  After every event the invariants of the nodes hold, if `validate` is on.
 * - W2  Whatever is drawn is drawn from the seed; components have streams of their own.
 */
import type { Random } from '../../runtime/index.ts'
import { createSimulation, type Simulation } from '../../runtime/simulation/index.ts'
import { chance, pick, shuffled } from './chance.ts'
import { Cluster } from './cluster.ts'
import { driftBoundPpm } from './faults/clock-faults.ts'
import type { FaultKind, FaultWorld } from './faults/fault.ts'
import { LinkRules } from './faults/link-rules.ts'
import { Nemesis, type NemesisPlan } from './faults/nemesis.ts'
import { judge } from './judge.ts'
import { Calls } from './load/calls.ts'
import { KeySpace } from './load/key-space.ts'
import { drawLoad, Load } from './load/load.ts'
import type { Machine } from './machine.ts'
import { type ClientMachine, drawPrograms, Programs } from './programs/index.ts'
import { Recorder } from './recorder.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { drawSettings } from './settings.ts'
import { Violation, violationOf } from './violation.ts'
import type { WorldOptions } from './world-options.ts'

/** Within which a healed majority must serve, and all that are healed must agree. */
const progressMs = 40_000
/** Longer than an operator waits for a change of members. */
const operatorPatienceMs = 15_000
/** How long a client waits for an answer. */
const clientTimeoutMs = 4000

export class World implements FaultWorld {
  readonly simulation: Simulation
  readonly random: Random
  readonly recorder: Recorder
  readonly cluster: Cluster
  readonly links: LinkRules
  readonly load: Load
  readonly programs: Programs
  readonly durationMs: number
  private readonly scenario: Scenario
  private readonly validate: boolean
  private readonly nemeses: Nemesis[] = []

  constructor(scenario: Scenario, options: WorldOptions) {
    const consensus = options.consensus ?? 'raft'
    this.simulation = createSimulation({ seed: `${scenario.name}/${options.seed}` })
    this.random = this.simulation.random.fork('scenario')
    this.recorder = new Recorder(() => this.simulation.nowMs)
    this.scenario = scenario
    this.validate = options.validate ?? true
    const drawn = drawSettings(this.simulation.random.fork('settings'), consensus)
    this.cluster = new Cluster(this.simulation, this.recorder, scenario.settings?.(drawn) ?? drawn)
    this.cluster.found(options.nodes ?? scenario.nodes ?? pick(this.random, [3, 3, 3, 5]))
    this.links = new LinkRules(this.simulation, () => this.cluster.machines.map((machine) => machine.name))
    this.cluster.onMachineAdded = () => this.links.apply()
    const founders = shuffled(this.simulation.random.fork('damage'), this.cluster.machines)
    for (const machine of founders.slice(0, Math.floor((founders.length - 1) / 2))) machine.mayBeDamaged = true
    this.simulation.onEvent((nodeName) => this.afterEvent(nodeName))
    this.durationMs = options.durationMs ?? scenario.durationMs ?? 20_000
    const { simulation, cluster, recorder } = this
    const calls = new Calls(simulation, simulation.random.fork('calls'), clientTimeoutMs)
    const loadRandom = simulation.random.fork('load')
    const shape = { ...drawLoad(loadRandom), ...scenario.load }
    const driftPpm = scenario.driftPpm ?? driftBoundPpm
    this.load = new Load({ simulation, cluster, recorder, calls, keys: new KeySpace(), driftPpm }, loadRandom, shape)
    this.programs = this.makePrograms(driftPpm)
  }

  get clients(): readonly ClientMachine[] {
    return this.programs.machines
  }

  /** Throws a Violation, or whatever an event threw. */
  async live(): Promise<void> {
    for (const machine of this.cluster.machines) this.cluster.start(machine)
    this.load.start()
    this.programs.start()
    await this.scenario.attack(this)
    for (const nemesis of this.nemeses) nemesis.stop()
    this.load.stopOperator()
    await this.runUntil(() => !this.load.changingMembers, operatorPatienceMs)
    if (this.scenario.outsideModel === true) await this.fallSilent()
    else {
      await this.healCore()
      await this.healAll()
    }
    judge(this.recorder.history())
  }

  /** Sets a nemesis to work until the attack is over. */
  unleash(plan: NemesisPlan): void {
    const nemesis = new Nemesis(this, this.simulation.random.fork('nemesis'), plan)
    this.nemeses.push(nemesis)
    nemesis.start()
  }

  /** Begins one fault now, for as long as a nemesis would let it last. */
  strike(kind: FaultKind, lastsMs: number): void {
    const nemesis = new Nemesis(this, this.simulation.random.fork('strike'), {
      kinds: [kind],
      gapMs: 0,
      lastsMs,
      activeMax: 1,
    })
    this.nemeses.push(nemesis)
    nemesis.begin(kind)
  }

  /** Lets the world go on for so long. */
  async pass(forMs: number): Promise<void> {
    await this.runUntil(() => false, forMs)
  }

  /** Lets the world go on until `done`, or so long. True when it was `done`. */
  async runUntil(done: () => boolean, forMs: number): Promise<boolean> {
    const end = await this.simulation.run({ untilMs: this.simulation.nowMs + forMs, until: done })
    return end === 'until'
  }

  /** W1. */
  private afterEvent(nodeName: string | undefined): void {
    if (this.cluster.violation !== undefined) throw this.cluster.violation
    if (!this.validate || nodeName === undefined) return
    this.cluster.machines.find(({ name }) => name === nodeName)?.validate()
  }

  /** A random majority is made whole; the others are gone, or behind a cut, and it must do without them. */
  private async healCore(): Promise<void> {
    const { cluster, recorder } = this
    const fit = shuffled(
      this.random,
      cluster.members.filter((machine) => isFit(machine)),
    )
    // A removal whose fate is not known may never have happened: then there may be no majority without that machine.
    const leaving = cluster.members.filter(
      (machine) => machine.standing === 'member' && !machine.isDamaged && machine.excuses.has('removed'),
    )
    const core = cluster.core([...fit, ...leaving])
    this.links.clear()
    for (const machine of cluster.members) {
      cluster.resume(machine)
      if (core.includes(machine)) cluster.start(machine)
      else if (this.random.below(2) === 0) cluster.crash(machine, 'power-loss')
      else
        this.links.add({
          applies: (from, to) => (from === machine.name) !== (to === machine.name),
          faults: { cut: true },
        })
    }
    recorder.tell(`healed: ${core.map((machine) => machine.name).join(', ')}`)
    await this.demandProgress(core, 'a healed majority')
  }

  /** Everyone comes back. All must serve, then agree. */
  private async healAll(): Promise<void> {
    const { cluster, recorder } = this
    this.links.clear()
    this.load.settleMembers()
    await this.demand(() => this.load.membersSettled, 'liveness', 'the operator gets no answer')
    const fit = cluster.members.filter((machine) => !machine.isDamaged)
    for (const machine of fit) cluster.start(machine)
    recorder.tell(`healed: ${fit.map((machine) => machine.name).join(', ')}`)
    await this.demandProgress(fit, 'the healed cluster')
    await this.demandOfPrograms()
    this.load.stop()
    await this.demandAgreement(fit.filter((machine) => machine.standing === 'member'))
  }

  /** Nobody demands anything of a world outside the model: calls under way end, and what was answered is judged. */
  private async fallSilent(): Promise<void> {
    this.load.stop()
    this.load.stopWatching()
    this.programs.stop()
    this.programs.end()
    await this.runUntil(() => this.load.idle && this.programs.idle, progressMs)
  }

  private async demandProgress(machines: readonly Machine[], who: string): Promise<void> {
    const startMs = this.simulation.nowMs
    const probe = this.load.probe(machines)
    const served = await this.runUntil(() => probe.served, progressMs)
    if (!served)
      throw new Violation(
        'liveness',
        `${who} did not serve within ${progressMs / 1000} s: no write and read went through on ${probe.waiting.join(', ')}. ${this.cluster.describe()}`,
      )
    this.recorder.count('progress ms', Math.round(this.simulation.nowMs - startMs))
  }

  /** Each of them does what it does, then ends; and what all came to is read. */
  private async demandOfPrograms(): Promise<void> {
    const { programs } = this
    if (programs.machines.length === 0) return
    const round = programs.round()
    await this.demand(
      () => round.waiting.length === 0,
      'program-liveness',
      () => `nothing is completed by ${round.waiting.join(', ')}`,
    )
    programs.stop()
    await this.demand(() => programs.idle, 'program-liveness', 'programs do not end what they are about')
    const audit = programs.audit()
    await this.demand(() => audit.done, 'program-liveness', 'what programs came to cannot be read')
    await this.demand(
      () => programs.behind.length === 0,
      'watch-liveness',
      () => `the newest state is not seen by ${programs.behind.join(', ')}`,
    )
    programs.end()
    await this.demand(() => programs.ended, 'program-liveness', 'watches do not end')
  }

  private async demandAgreement(machines: readonly Machine[]): Promise<void> {
    const { load, cluster } = this
    await this.demand(() => load.leasesEnded, 'lease-expiry', 'a lease that nobody renews does not end')
    await this.demand(() => load.idle, 'liveness', 'client calls stay open')
    const applied = (machine: Machine) => machine.running?.inspect().group.status().appliedIndex
    const agree = () => new Set(machines.map(applied)).size === 1 && applied(machines[0] as Machine) !== undefined
    await this.demand(agree, 'liveness', 'the healed nodes do not catch up')
    const { running } = machines[0] as Machine
    const revision = running?.services.engine.revision ?? 0
    await this.demand(() => load.watchersHaveSeen(revision), 'watch-liveness', 'a watcher misses what is there to see')
    load.stopWatching()
    for (const machine of machines) cluster.noteStateHash(machine)
    await this.pass(500)
  }

  private async demand(what: () => boolean, property: string, otherwise: string | (() => string)): Promise<void> {
    if (await this.runUntil(what, progressMs)) return
    const how = typeof otherwise === 'string' ? otherwise : otherwise()
    throw new Violation(property, `${how}, ${progressMs / 1000} s after healing. ${this.cluster.describe()}`)
  }

  private makePrograms(driftPpm: number): Programs {
    const { simulation, recorder, cluster, scenario } = this
    const random = simulation.random.fork('programs')
    const nodes = cluster.machines.map((machine) => machine.name)
    const fail = (error: unknown): void => {
      cluster.violation ??= violationOf(error)
    }
    const drawn = { ...drawPrograms(random), ...scenario.programs }
    const shape = scenario.programs === undefined ? { ...drawn, machines: 0 } : drawn
    const programs = new Programs({ simulation, recorder, nodes, driftPpm, fail }, random, shape)
    this.links.addClients(
      programs.machines.map(({ name }) => name),
      chance(random, 0.5),
    )
    return programs
  }
}

/** Whether a machine holds a member that can serve once its faults are over. */
function isFit(machine: Machine): boolean {
  return machine.standing === 'member' && !machine.isDamaged
}
