/**
 * Whoever runs the cluster: adds members, as learners or voters, promotes, removes, and replaces machines, one change at a
 * time, while the world does what it does.
 *
 * - O1  Members whose disks are damaged stay a minority of the voters, and go first; no learner is promoted that would
 *       make them more.
 * - O2  A member that was removed never comes back: its machine gets an empty data directory and joins as another.
 */
import type { Member } from '../../../engine/coordination/index.ts'
import type { RunningNode } from '../../../node/index.ts'
import type { Random } from '../../../runtime/index.ts'
import { chance, exponential, pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import { peerUrlOf } from '../settings.ts'
import type { ClientWorld } from './kv-client.ts'

/** How an operator goes about it. */
export interface OperatorPlan {
  /** Between two changes, on average. */
  readonly everyMs: number
  readonly votersMin: number
  readonly membersMax: number
  /** How likely the one that is removed leads. */
  readonly removesLeader: number
}

export const defaultOperatorPlan: OperatorPlan = { everyMs: 2000, votersMin: 2, membersMax: 5, removesLeader: 0.4 }

/** Longer than a node keeps a change of members waiting. */
const timeoutMs = 12_000

type Change = { readonly ok: boolean; readonly code: string }

export class Operator {
  private readonly world: ClientWorld
  private readonly random: Random
  private readonly plan: OperatorPlan
  private stopped = false
  /** A change or a survey is under way. */
  busy = false
  /** After `settle`: who is a member was read, and whoever is none is switched off. */
  settled = false

  constructor(world: ClientWorld, random: Random, plan: OperatorPlan) {
    this.world = world
    this.random = random
    this.plan = plan
  }

  start(): void {
    this.busy = false
    if (this.stopped) return
    this.world.simulation.after(exponential(this.random, this.plan.everyMs), () => {
      if (this.stopped) return
      this.survey(
        (members) => (this.stopped ? this.start() : this.act(members)),
        () => this.start(),
      )
    })
  }

  /** Begins no more changes. */
  stop(): void {
    this.stopped = true
  }

  /** Begins no more changes, lets the one under way end, and makes sure who the members are. */
  settle(): void {
    this.stopped = true
    if (this.settled) return
    const again = (): void => this.world.simulation.after(300, () => this.settle())
    if (this.busy) return again()
    this.survey(() => {
      this.busy = false
      this.settled = true
    }, again)
  }

  /** Asks who the members are, and cleans up after changes whose outcome was unknown. */
  private survey(then: (members: readonly Member[]) => void, failed: () => void): void {
    this.call<readonly Member[] | undefined>(
      (node, done) =>
        node.services.engine.linearizableRead((outcome) =>
          done(outcome.ok ? node.services.engine.members() : undefined),
        ),
      (members) => {
        if (members === undefined) return this.over(failed)
        this.world.cluster.reconcile(members)
        for (const machine of this.world.cluster.members)
          if (machine.standing === 'joining' && !machine.isAlive) this.world.cluster.start(machine)
        then(members)
      },
      () => this.over(failed),
    )
  }

  private over(then: () => void): void {
    this.busy = false
    then()
  }

  private act(members: readonly Member[]): void {
    const learners = members.filter((member) => member.isLearner)
    const voters = members.filter((member) => !member.isLearner)
    const { cluster } = this.world
    // A learner may be damaged where a voter may not: it counts only once it is promoted.
    const promotable = learners.filter((member) => cluster.mayPromote(cluster.machineOf(member)))
    const removable = voters.length > this.plan.votersMin ? this.victim(voters) : undefined
    const options = [
      ...(members.length < this.plan.membersMax ? [() => this.add()] : []),
      ...(promotable.length > 0 ? [() => this.promote(pick(this.random, promotable))] : []),
      ...(removable === undefined ? [] : [() => this.remove(removable)]),
      ...(learners.length > 1 || promotable.length < learners.length
        ? [() => this.remove(pick(this.random, learners))]
        : []),
    ]
    if (options.length === 0) this.start()
    else pick(this.random, options)()
  }

  /** O1. One that is damaged for good first; else the leader now and then. */
  private victim(voters: readonly Member[]): Member | undefined {
    const { cluster } = this.world
    const machineOf = (member: Member): Machine | undefined => cluster.machineOf(member)
    const damaged = voters.filter((member) => machineOf(member)?.isDamaged === true)
    if (damaged.length > 0) return pick(this.random, damaged)
    const allowed = voters.filter((member) => cluster.mayRemove(machineOf(member)))
    const leader = allowed.find((member) => machineOf(member) === cluster.leader)
    if (leader !== undefined && chance(this.random, this.plan.removesLeader)) return leader
    return allowed.length === 0 ? undefined : pick(this.random, allowed)
  }

  private add(): void {
    const { cluster, recorder } = this.world
    const machine = cluster.spare()
    const isLearner = chance(this.random, 0.6)
    recorder.tell(`the operator adds ${machine.name} as a ${isLearner ? 'learner' : 'voter'}`)
    this.change(
      'member added',
      (node, done) => node.services.engine.memberAdd([peerUrlOf(machine.name)], isLearner, done),
      ({ ok, code }) => {
        if (!ok && code !== 'unknown') return
        cluster.prepareJoin(machine)
        this.world.simulation.after(this.random.below(1000), () => cluster.start(machine))
      },
    )
  }

  private promote(member: Member): void {
    const { cluster, recorder } = this.world
    cluster.notePromotion(member)
    recorder.tell(`the operator promotes ${cluster.nameOf(member.id)}`)
    this.change(
      'member promoted',
      (node, done) => node.services.engine.memberPromote(member.id, done),
      () => {},
    )
  }

  private remove(member: Member): void {
    const { cluster, recorder } = this.world
    const machine = cluster.machineOf(member)
    recorder.tell(`the operator removes ${cluster.nameOf(member.id)}`)
    // An earlier attempt of unknown outcome may still come about, whatever becomes of this one.
    const wasLeaving = cluster.isLeaving(member)
    cluster.noteRemoval(member)
    const config = machine?.config
    this.change(
      'member removed',
      (node, done) => node.services.engine.memberRemove(member.id, done),
      ({ ok, code }) => {
        const refused = !ok && code !== 'unknown' && code !== 'MEMBER_NOT_FOUND'
        if (refused && !wasLeaving) cluster.noteStay(member)
        // It stands about for a while, as one that nobody has switched off yet.
        if (ok && machine !== undefined)
          this.world.simulation.after(this.random.below(3000), () => {
            // Unless another one joins there by now.
            if (machine.config === config) cluster.retire(machine)
          })
      },
    )
  }

  private change(
    what: string,
    begin: (
      node: RunningNode,
      done: (outcome: { ok: true } | { ok: false; code: string; outcome: string }) => void,
    ) => void,
    ended: (change: Change) => void,
  ): void {
    this.call<Change>(
      (node, done) =>
        begin(node, (outcome) => {
          if (outcome.ok) done({ ok: true, code: '' })
          else done({ ok: false, code: outcome.outcome === 'unknown' ? 'unknown' : outcome.code })
        }),
      (change = { ok: false, code: 'unknown' }) => {
        this.world.recorder.count(change.ok ? what : `${what}: ${change.code}`)
        if (change.ok) this.world.recorder.tell(`the operator is told: ${what}`)
        ended(change)
        this.start()
      },
      () => {
        ended({ ok: false, code: 'refused' })
        this.start()
      },
    )
  }

  /** Asks any member. `ended` gets undefined when it is not known what came of it. */
  private call<T>(
    begin: (node: RunningNode, done: (value: T) => void) => void,
    ended: (value: T | undefined) => void,
    refused: () => void,
  ): void {
    const up = this.world.cluster.members.filter((machine) => machine.running !== undefined)
    if (up.length === 0) return refused()
    this.busy = true
    this.world.calls.make<T>(
      pick(this.random, up),
      begin,
      (answer) => {
        if (answer.kind === 'refused') refused()
        else ended(answer.kind === 'answered' ? answer.value : undefined)
      },
      timeoutMs,
    )
  }
}
