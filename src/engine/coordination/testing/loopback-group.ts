import { emptyBytes } from '../../../base/index.ts'
import type { Scheduler } from '../../../runtime/index.ts'
import type {
  Group,
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
  private listeners: ((status: GroupStatus) => void)[] = []
  private leaderService: (request: Uint8Array, reply: (response: Uint8Array) => void) => void = (_, reply) => {
    reply(emptyBytes)
  }

  constructor(machine: StateMachine<Result>, scheduler: Scheduler, memberId = 7n) {
    this.machine = machine
    this.scheduler = scheduler
    const indexes = { commitIndex: 0, appliedIndex: 0, lastIndex: 0 }
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

  status(): GroupStatus {
    return this.current
  }

  onStatusChange(listener: (status: GroupStatus) => void): () => void {
    this.listeners.push(listener)
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener)
    }
  }

  /** Pretends that the leader, term or role changed. */
  changeStatus(change: Partial<GroupStatus>): void {
    this.current = { ...this.current, ...change }
    for (const listener of this.listeners) listener(this.current)
  }
}
