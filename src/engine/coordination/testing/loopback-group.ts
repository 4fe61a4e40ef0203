import { emptyBytes } from '../../../base/index.ts'
import type { Configuration, Membership, ProposeConfigurationResult } from '../../../core/index.ts'
import type { Scheduler } from '../../../runtime/index.ts'
import type {
  Group,
  GroupConfiguration,
  GroupStatus,
  LeaderAnswer,
  ProposalOutcome,
  ReadOutcome,
  Refusal,
  StateMachine,
} from '../../replication/index.ts'

/** A consensus group of one, without a disk: commands are applied at the end of the turn. For tests. */
export class LoopbackGroup<Result> implements Group<Result> {
  /** Every command applied, in order. */
  readonly log: Uint8Array[] = []
  /** When set, everything is refused so. */
  refusal: Refusal | undefined
  /** How many reads asked for a read index. */
  reads = 0
  private readonly machine: StateMachine<Result>
  private readonly scheduler: Scheduler
  private current: GroupStatus
  private currentConfiguration: GroupConfiguration
  private configurationListeners: ((configuration: GroupConfiguration) => void)[] = []
  private listeners: ((status: GroupStatus) => void)[] = []
  private leaderService: (request: Uint8Array, reply: (response: Uint8Array) => void) => void = (_, reply) => {
    reply(emptyBytes)
  }

  constructor(machine: StateMachine<Result>, scheduler: Scheduler, memberId = 7n) {
    this.machine = machine
    this.scheduler = scheduler
    const indexes = { commitIndex: 0, appliedIndex: 0, lastIndex: 0 }
    const configuration = { voters: [memberId], outgoing: [], learners: [] }
    this.currentConfiguration = { configuration, committed: true, commitIndex: 0, progress: new Map() }
    this.current = { memberId, role: 'leader', leader: memberId, term: 3, ...indexes }
  }

  propose(command: Uint8Array, done: (outcome: ProposalOutcome<Result>) => void): void {
    this.scheduler.endOfTurn(() => {
      if (this.refusal !== undefined) {
        done(this.refusal)
        return
      }
      this.log.push(command)
      const position = { index: this.log.length, term: this.current.term }
      const result = this.machine.apply(command, position, true)
      done({ ok: true, result, ...position })
    })
  }

  linearizableRead(done: (outcome: ReadOutcome) => void): void {
    this.reads++
    this.scheduler.endOfTurn(() => done(this.refusal ?? { ok: true }))
  }

  callLeader(request: Uint8Array, done: (answer: LeaderAnswer) => void): void {
    this.scheduler.endOfTurn(() => {
      if (this.refusal === undefined) this.leaderService(request, (response) => done({ ok: true, response }))
      else done(this.refusal)
    })
  }

  setLeaderService(handler: (request: Uint8Array, reply: (response: Uint8Array) => void) => void): void {
    this.leaderService = handler
  }

  transferLeadership(): void {}

  /** Takes effect, committed, at the end of the turn. */
  proposeConfiguration({ voters, learners }: Membership): ProposeConfigurationResult {
    this.scheduler.endOfTurn(() => this.changeConfiguration({ voters, outgoing: [], learners }))
    return { ok: true, term: this.current.term, index: this.log.length }
  }

  configuration(): GroupConfiguration {
    return this.currentConfiguration
  }

  onConfigurationChange(listener: (configuration: GroupConfiguration) => void): () => void {
    this.configurationListeners.push(listener)
    return () => {
      this.configurationListeners = this.configurationListeners.filter((other) => other !== listener)
    }
  }

  status(): GroupStatus {
    return this.current
  }

  onStatusChange(listener: (status: GroupStatus) => void): () => void {
    this.listeners.push(listener)
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener)
    }
  }

  /** Pretends that a change of the configuration was committed. */
  changeConfiguration(configuration: Configuration): void {
    this.currentConfiguration = { ...this.currentConfiguration, configuration }
    for (const listener of this.configurationListeners) listener(this.currentConfiguration)
  }

  /** Pretends that the leader, term or role changed. */
  changeStatus(change: Partial<GroupStatus>): void {
    this.current = { ...this.current, ...change }
    for (const listener of this.listeners) listener(this.current)
  }
}
