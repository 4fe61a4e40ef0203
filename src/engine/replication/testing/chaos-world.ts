/** A cluster of replication hosts in a simulated world that a seed makes as hostile as it can, and its judge. */
import assert from 'node:assert/strict'
import { utf8Bytes } from '../../../base/index.ts'
import { type MemberId, noMember } from '../../../core/index.ts'
import type { Address, Random } from '../../../runtime/index.ts'
import { createSimulation, type Simulation } from '../../../runtime/simulation/index.ts'
import type { Algorithm } from '../algorithm.ts'
import type { GroupOptions } from '../options.ts'
import type { ReplicatedGroup } from '../replicated-group.ts'
import { ReplicationHost } from '../replication-host.ts'
import { History } from './history.ts'
import { Journal } from './journal.ts'
import { PausableRuntime } from './pausable-runtime.ts'

interface Member {
  readonly name: string
  readonly id: MemberId
  runtime: PausableRuntime | undefined
  journal: Journal
  host: ReplicationHost | undefined
  group: ReplicatedGroup<number, unknown> | undefined
  failure: unknown
  /** Its syncs fail at the moment, so it may report a failure. */
  mayFail: boolean
  /** Calls of the present life that are not answered yet. */
  openCalls: number
}

/** How long a run goes on after the world healed before lack of progress counts as a failure. */
const healingMs = 30_000

export class ChaosWorld {
  readonly simulation: Simulation
  readonly members: Member[]
  readonly history = new History()
  /** How often what came about, to prove that the attack attacks. */
  readonly counts = new Map<string, number>()
  private readonly algorithm: Algorithm<unknown>
  private readonly random: Random
  private readonly options: Partial<GroupOptions>
  private readonly walSegmentBytes: number
  private readonly leaders = new Map<number, string>()
  /** How likely a round attacks, and how likely it mends something. */
  private readonly fury: number
  private readonly care: number
  private commands = 0

  constructor(seed: string, algorithm: Algorithm<unknown>) {
    this.algorithm = algorithm
    this.simulation = createSimulation({ seed })
    this.random = this.simulation.random
    const count = this.random.below(3) === 0 ? 5 : 3
    this.members = ['a', 'b', 'c', 'd', 'e'].slice(0, count).map((name, i) => {
      this.simulation.createNode(name)
      return {
        name,
        id: BigInt(i + 1),
        runtime: undefined,
        journal: new Journal(),
        host: undefined,
        group: undefined,
        failure: undefined,
        mayFail: false,
        openCalls: 0,
      }
    })
    this.options = this.drawOptions()
    this.walSegmentBytes = this.pick([8, 16, 64]) * 1024
    this.fury = this.pick([0.2, 0.5, 1])
    this.care = this.pick([0.2, 0.5])
  }

  /** The whole life of a world: attack, heal, judge. */
  async live(rounds: number): Promise<void> {
    for (const member of this.members) await this.start(member)
    for (let round = 0; round < rounds; round++) {
      this.load()
      if (this.random.float() < this.fury) await this.attack()
      if (this.random.float() < this.care) await this.mend()
      await this.pass(this.random.below(this.random.below(4) === 0 ? 1500 : 250))
      this.look()
    }
    await this.heal()
    await this.judge()
  }

  private drawOptions(): Partial<GroupOptions> {
    return {
      requestTimeoutMs: this.pick([700, 2500, 7000]),
      snapshotCount: this.pick([5, 20, 60]),
      snapshotLogBytes: this.pick([200, 1000, 4000]),
      tailCount: this.pick([0, 5, 40]),
      tailBytes: this.pick([0, 500, 4000]),
      lagBytesMax: this.pick([500, 2000, 8000]),
      snapshotChunkBytes: this.pick([16, 128, 1024]),
      batchBytesMax: this.pick([256, 4096, 1 << 20]),
      uncommittedBatchesMax: this.pick([1, 2, 4]),
      pendingBytesMax: this.pick([8 * 1024, 1 << 20]),
      undurableBytesMax: this.pick([2000, 1 << 20]),
      // A negative budget yields after every slice: a backlog is then worked off over many turns.
      applyBudgetMs: this.pick([-1, 5]),
    }
  }

  private pick<T>(choices: readonly T[]): T {
    return choices[this.random.below(choices.length)]!
  }

  private count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  private async start(member: Member): Promise<void> {
    const runtime = new PausableRuntime(this.simulation.node(member.name).runtime)
    const address = (name: string): Address => ({ host: name, port: 2380 })
    const others = this.members.filter((other) => other !== member)
    const open = async () => {
      await runtime.disk.makeDirectory('/data')
      await runtime.disk.syncDirectory('/')
      const host = await ReplicationHost.open({
        runtime,
        directory: '/data',
        clusterId: 7n,
        memberId: member.id,
        incarnation: member.id,
        listen: [address(member.name)],
        peers: new Map(others.map((other) => [other.id, address(other.name)])),
        groups: [1],
        options: this.options,
        walSegmentBytes: this.walSegmentBytes,
        onFailure: (error) => {
          member.failure = error
        },
        recognises: () => true,
        onRefused: () => {},
        onDiskFull: (full) => this.count(full ? 'disk full' : 'disk room'),
      })
      const journal = new Journal()
      const group = await host.addGroup({
        group: 1,
        algorithm: this.algorithm,
        machine: journal,
        initialConfiguration: { voters: this.members.map((other) => other.id), outgoing: [], learners: [] },
      })
      group.onStatusChange((status) => {
        if (status.role !== 'leader') return
        const known = this.leaders.get(status.term)
        assert.ok(known === undefined || known === member.name, `two leaders in term ${status.term}`)
        if (known === undefined) this.count('election won')
        this.leaders.set(status.term, member.name)
      })
      await host.start()
      Object.assign(member, { runtime, host, journal, group, failure: undefined, openCalls: 0 })
    }
    await this.simulation.runUntilDone(open())
  }

  private write(member: Member): void {
    const { group } = member
    if (group === undefined) return
    const command = `${member.name}${this.commands++}`
    const padding = ' '.repeat(this.random.below(this.random.below(10) === 0 ? 2000 : 60))
    const record = this.history.write(member.name, command)
    member.openCalls++
    group.propose(utf8Bytes(command + padding), (outcome) => {
      if (member.group === group) member.openCalls--
      this.history.end(record)
      if (outcome.ok) {
        record.fate = 'applied'
        record.length = outcome.result
        this.count('write acknowledged')
      } else {
        record.fate = outcome.outcome
        record.reason = outcome.reason
        this.count(`write ${outcome.reason} ${outcome.outcome}`)
      }
    })
  }

  private read(member: Member): void {
    const { group, journal } = member
    if (group === undefined) return
    const record = this.history.read(member.name)
    member.openCalls++
    group.linearizableRead((outcome) => {
      if (member.group === group) member.openCalls--
      this.history.end(record)
      record.fate = outcome.ok ? 'answered' : 'refused'
      record.reason = outcome.ok ? '' : outcome.reason
      record.length = journal.commands.length
      record.last = journal.commands.at(-1)
      this.count(outcome.ok ? 'read answered' : `read ${outcome.reason}`)
    })
  }

  private load(): void {
    for (const member of this.members) {
      if (member.runtime?.isPaused === true) continue
      for (let i = this.random.below(5); i > 0; i--) this.write(member)
      for (let i = this.random.below(4); i > 0; i--) this.read(member)
    }
    if (this.random.below(8) === 0) {
      const member = this.pick(this.members)
      if (member.runtime?.isPaused === false) for (let i = this.random.below(300); i > 0; i--) this.write(member)
    }
  }

  private async attack(): Promise<void> {
    const member = this.pick(this.members)
    const other = this.pick(this.members)
    const { simulation, random } = this
    switch (random.below(20)) {
      case 0:
        return this.crash(member, 'power-loss')
      case 1:
        return this.crash(member, 'process-death')
      case 2:
        return this.blackout()
      case 3:
      case 4:
      case 5:
        for (const each of this.members) if (random.below(2) === 0) await this.restart(each)
        return
      case 6:
        if (other !== member) simulation.setLink(member.name, other.name, { cut: true })
        return
      case 7:
        if (other !== member) simulation.setOneWayLink(member.name, other.name, { cut: true })
        return
      case 8:
        for (const each of this.members) if (each !== member) simulation.setLink(member.name, each.name, { cut: true })
        return
      case 9:
        simulation.heal()
        return
      case 10:
        if (other !== member)
          simulation.setOneWayLink(
            member.name,
            other.name,
            this.pick([{ lossProbability: 0.3 }, { lossProbability: 0, delayMs: [0.1, 0.5] }, { delayMs: [20, 120] }]),
          )
        return
      case 11:
        simulation.node(member.name).setDisk({
          syncDelayMs: this.pick([
            [0.1, 0.4],
            [5, 60],
            [100, 900],
          ]),
        })
        return
      case 12:
        simulation.node(member.name).setDisk({ full: random.below(3) > 0 })
        return
      case 13:
        this.pause(member)
        return
      case 14:
        for (const each of this.members) this.wake(each)
        return
      case 15:
        member.group?.transferLeadership(random.below(2) === 0 ? noMember : other.id)
        return
      case 16:
        if (random.below(3) === 0 && simulation.node(member.name).alive) {
          simulation.node(member.name).setDisk({ failSyncs: true })
          member.mayFail = true
        }
        return
      case 17:
      case 18:
        return this.oust()
      default:
        // Crash the leader at a moment of its choosing: right after it took proposals.
        for (const each of this.members)
          if (each.group?.status().role === 'leader') {
            for (let i = 0; i < 20; i++) this.write(each)
            await this.pass(random.float() * 2)
            this.crash(each, this.pick(['power-loss', 'process-death']))
            return
          }
    }
  }

  /** The leader stands still until another one leads and has written; then it goes on, and is asked. */
  private async oust(): Promise<void> {
    const leader = this.members.find((each) => each.group?.status().role === 'leader')
    if (leader?.runtime === undefined || leader.runtime.isPaused) return
    leader.runtime.pause()
    this.count('pause')
    await this.pass(1000 + this.random.below(2000))
    for (const each of this.members) if (each !== leader && each.runtime?.isPaused === false) this.write(each)
    await this.pass(this.random.below(50))
    this.wake(leader)
  }

  /** The followers' disks become slow, something is written, the power fails everywhere, and the leader stays away. */
  private async blackout(): Promise<void> {
    const leader = this.members.find((each) => each.group?.status().role === 'leader')
    if (leader === undefined) return
    const followers = this.members.filter((each) => each !== leader)
    for (const each of followers) this.simulation.node(each.name).setDisk({ syncDelayMs: [50, 400] })
    for (let i = 0; i < 5; i++) this.write(leader)
    await this.pass(this.random.float() * 60)
    for (const each of this.members) this.crash(each, 'power-loss')
    for (const each of followers) {
      this.mendDisk(each)
      await this.restart(each)
    }
    await this.pass(3000)
    for (const each of followers) this.write(each)
  }

  private async mend(): Promise<void> {
    const { simulation } = this
    const member = this.pick(this.members)
    switch (this.random.below(4)) {
      case 0:
        simulation.heal()
        return
      case 1:
        for (const each of this.members) await this.restart(each)
        return
      case 2:
        for (const each of this.members) this.wake(each)
        return
      default:
        this.mendDisk(member)
        for (const each of this.members) if (each !== member) this.mendLinks(member, each)
        this.wake(member)
        return this.restart(member)
    }
  }

  private mendDisk(member: Member): void {
    this.simulation.node(member.name).setDisk({ full: false, syncDelayMs: [0.1, 0.4] })
  }

  private mendLinks(a: Member, b: Member): void {
    this.simulation.setLink(a.name, b.name, { cut: false, lossProbability: 0, delayMs: [0.1, 0.5] })
  }

  /** Stands still, as after SIGSTOP; and often just where it hurts: the leader, with writes under way. */
  private pause(member: Member): void {
    const leader = this.members.find((each) => each.group?.status().role === 'leader')
    const victim = leader !== undefined && this.random.below(2) === 0 ? leader : member
    if (victim.runtime === undefined) return
    this.count('pause')
    victim.runtime.pause()
  }

  /** Goes on, and is asked at once: it may still hold itself for the leader. */
  private wake(member: Member): void {
    if (member.runtime?.isPaused !== true) return
    member.runtime.resume()
    for (let i = 0; i < 3; i++) {
      this.read(member)
      this.write(member)
    }
  }

  private crash(member: Member, kind: 'power-loss' | 'process-death'): void {
    if (!this.simulation.node(member.name).alive) return
    this.simulation.crash(member.name, kind)
    this.count(kind)
    member.group = undefined
    member.host = undefined
    member.runtime = undefined
  }

  private async restart(member: Member): Promise<void> {
    if (this.simulation.node(member.name).alive) return
    this.simulation.restart(member.name)
    this.simulation.node(member.name).setDisk({ failSyncs: false })
    member.mayFail = false
    await this.start(member)
  }

  /** Between rounds: nobody broke an invariant, and who failed was to. */
  private look(): void {
    for (const member of this.members) {
      if (member.group === undefined) continue
      if (member.failure !== undefined) {
        if (!member.mayFail) throw member.failure
        this.count('sync failed')
        this.crash(member, 'power-loss')
        continue
      }
      member.group.validate()
    }
  }

  private async heal(): Promise<void> {
    for (const member of this.members) {
      for (const other of this.members) if (other !== member) this.mendLinks(member, other)
      this.mendDisk(member)
      member.runtime?.resume()
      // A sync that fails may have lost anything: such a node must restart, whether it noticed or not.
      if (member.mayFail) this.crash(member, 'power-loss')
    }
    for (const member of this.members) await this.restart(member)
  }

  private async judge(): Promise<void> {
    const { simulation } = this
    const endMs = simulation.nowMs + healingMs
    const waiting = new Set(this.members)
    while (waiting.size > 0) {
      assert.ok(
        simulation.nowMs < endMs,
        `no progress after healing, on ${[...waiting].map((m) => m.name)}: ${this.describe()}`,
      )
      const before = this.history.writes.length
      const readsBefore = this.history.reads.length
      for (const member of waiting) {
        this.write(member)
        this.read(member)
      }
      await this.pass(1000)
      for (const member of waiting) {
        const wrote = this.history.writes.slice(before).some((w) => w.member === member.name && w.fate === 'applied')
        const hasRead = this.history.reads
          .slice(readsBefore)
          .some((r) => r.member === member.name && r.fate === 'answered')
        if (wrote && hasRead) waiting.delete(member)
      }
      this.look()
    }
    const equal = () => new Set(this.members.map((member) => member.journal.commands.join())).size === 1
    const answered = () => this.members.every((member) => member.openCalls === 0)
    const end = await simulation.run({ until: () => equal() && answered(), untilMs: simulation.nowMs + healingMs })
    assert.equal(end, 'until', `calls stay open, or journals differ: ${this.describe()}`)
    this.look()
    this.history.check(this.members[0]!.journal.commands)
    for (const line of simulation.logLines)
      if (telling.has(line.message)) {
        this.count(line.message)
      }
  }

  private describe(): string {
    return this.members
      .map((member) => {
        const status = member.group?.status()
        return `${member.name} ${status?.role} term ${status?.term} commit ${status?.commitIndex} applied ${status?.appliedIndex} last ${status?.lastIndex} journal ${member.journal.commands.length} open ${member.openCalls}`
      })
      .join('; ')
  }

  private async pass(forMs: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + forMs })
  }
}

/** Lines of the log that are worth counting. */
const telling = new Set([
  'receiving a snapshot',
  'could not take in a snapshot',
  'could not write a snapshot; will try again',
  'cut a torn frame off the log',
])
