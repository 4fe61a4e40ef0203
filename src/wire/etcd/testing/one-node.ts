import { assert } from '../../../base/index.ts'
import { CoordinationStateMachine, ReplicatedCoordinationEngine } from '../../../engine/coordination/index.ts'
import { FakeMembership } from '../../../engine/coordination/testing/fake-membership.ts'
import type { Group, GroupStatus, ProposalOutcome } from '../../../engine/replication/index.ts'
import { type Clock, type Random, type Scheduler, silentLogger } from '../../../runtime/index.ts'
import { MemoryStore, MemoryStoreLoader } from '../../../storage/mvcc/index.ts'
import type { GrpcRoutes } from '../../grpc/index.ts'
import { type CallAnswer, fakeCall } from './fake-call.ts'

type Result = ReturnType<CoordinationStateMachine['apply']>

/** Callbacks run in order, and only when a test asks for it; time does not pass. */
class StillScheduler implements Scheduler {
  private readonly callbacks: (() => void)[] = []

  setTimer(_delayMs: number, callback: () => void) {
    this.callbacks.push(callback)
    return { cancel() {} }
  }

  endOfTurn(callback: () => void): void {
    this.callbacks.push(callback)
  }

  /** Runs what was registered, and what that registers, until `done`. */
  runUntil(done: () => boolean): void {
    while (!done()) {
      const callback = this.callbacks.shift()
      assert(callback !== undefined, 'something is left to run')
      callback()
    }
  }
}

/** A coordination engine of one node without network or disk, called as a connection would call its services. */
export class OneNode {
  readonly machine: CoordinationStateMachine
  readonly engine: ReplicatedCoordinationEngine
  /** What `Group.status` says. Change it before the engine is asked. */
  status: GroupStatus
  private readonly scheduler = new StillScheduler()
  private index = 0
  private readonly listeners: ((status: GroupStatus) => void)[] = []

  constructor(clusterId: bigint, memberId: bigint, term: number) {
    const indexes = { commitIndex: 0, appliedIndex: 0, lastIndex: 0 }
    this.status = { memberId, role: 'leader', leader: memberId, term, ...indexes }
    this.machine = new CoordinationStateMachine(
      { create: () => new MemoryStore(), loader: () => new MemoryStoreLoader() },
      [{ id: memberId, name: 'one', peerUrls: ['http://h:2380'], clientUrls: [], isLearner: false }],
    )
    const clock: Clock = { wallMs: () => 0, monotonicMs: () => 0 }
    const random: Pick<Random, 'bytes'> = { bytes: (length) => new Uint8Array(length).fill(1) }
    const runtime = { clock, scheduler: this.scheduler, random: random as Random, logger: silentLogger }
    this.engine = new ReplicatedCoordinationEngine(
      { runtime, machine: this.machine, group: this.group(), membership: new FakeMembership(this.scheduler) },
      {
        clusterId,
        memberId,
        quotaBytes: 0,
        maxRequestBytes: 1_572_864,
        maxTxnOps: 128,
        minLeaseTtlSeconds: 2,
        autoCompaction: { mode: 'off' },
        requestTimeoutMs: 7000,
      },
    )
  }

  /** Calls a unary method and waits for its answer. */
  call(routes: GrpcRoutes, path: string, message: Uint8Array, metadata?: Record<string, string>): CallAnswer {
    const route = routes[path]
    assert(route?.kind === 'unary', `${path} is a unary method`)
    const { call, answer } = fakeCall(message, metadata)
    route.handler(call)
    this.scheduler.runUntil(() => answer.answers > 0)
    assert(answer.answers === 1, 'a call is answered once')
    return answer
  }

  changeStatus(change: Partial<GroupStatus>): void {
    this.status = { ...this.status, ...change }
    for (const listener of this.listeners) listener(this.status)
  }

  /** Commands are applied at the end of the turn. */
  private group(): Group<Result> {
    return {
      propose: (command: Uint8Array, done: (outcome: ProposalOutcome<Result>) => void) => {
        this.scheduler.endOfTurn(() => {
          const position = { index: ++this.index, term: this.status.term }
          done({ ok: true, result: this.machine.apply(command, position, true), ...position })
        })
      },
      linearizableRead: (done) => this.scheduler.endOfTurn(() => done({ ok: true })),
      callLeader: () => {},
      setLeaderService: () => {},
      transferLeadership: () => {},
      proposeConfiguration: () => ({ ok: false, reason: 'unchanged', leader: this.status.leader }),
      configuration: () => {
        const configuration = { voters: [this.status.memberId], outgoing: [], learners: [] }
        return { configuration, committed: true, commitIndex: 0, progress: new Map() }
      },
      onConfigurationChange: () => () => {},
      status: () => this.status,
      onStatusChange: (listener) => {
        this.listeners.push(listener)
        return () => {}
      },
    }
  }
}
