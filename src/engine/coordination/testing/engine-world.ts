import { silentLogger } from '../../../runtime/index.ts'
import { MemoryStore, MemoryStoreLoader } from '../../../storage/mvcc/index.ts'
import type { CoordinationOptions } from '../api.ts'
import { ReplicatedCoordinationEngine } from '../engine.ts'
import type { Member, Operation } from '../messages.ts'
import type { CommandResult, Done, Failure, RangeResult } from '../results.ts'
import { CoordinationStateMachine } from '../state/index.ts'
import { FakeLoop } from '../watch/testing/fake-loop.ts'
import { encodeRequest } from './encode-requests.ts'
import { FakeMembership } from './fake-membership.ts'
import { LoopbackGroup } from './loopback-group.ts'
import type { NaiveResult } from './naive-kv.ts'
import { readResult } from './read-result.ts'

export const testOptions: CoordinationOptions = {
  clusterId: 0xf123456789abcdefn,
  memberId: 7n,
  quotaBytes: 0,
  maxRequestBytes: 1.5 * 1024 * 1024,
  maxTxnOps: 128,
  minLeaseTtlSeconds: 2,
  autoCompaction: { mode: 'off' },
  requestTimeoutMs: 7000,
}

/** The one member of a test's cluster. */
export const testFounder: Member = {
  id: testOptions.memberId,
  name: 'one',
  peerUrls: ['http://h:2380'],
  clientUrls: [],
  isLearner: false,
}

/** An engine of one node whose time and turns a test controls. */
export class EngineWorld {
  readonly loop = new FakeLoop()
  readonly machine: CoordinationStateMachine
  readonly membership = new FakeMembership(this.loop.scheduler)
  readonly group: LoopbackGroup<CommandResult>
  readonly engine: ReplicatedCoordinationEngine

  constructor(options: Partial<CoordinationOptions> = {}, founders: readonly Member[] = [testFounder]) {
    const { clock, scheduler, random } = this.loop
    this.machine = new CoordinationStateMachine(
      { create: () => new MemoryStore(), loader: () => new MemoryStoreLoader() },
      founders,
    )
    this.group = new LoopbackGroup(this.machine, scheduler)
    const runtime = { clock, scheduler, random, logger: silentLogger }
    this.engine = new ReplicatedCoordinationEngine(
      { runtime, machine: this.machine, group: this.group, membership: this.membership },
      { ...testOptions, ...options },
    )
  }

  /** Calls an engine method, lets time pass until it answers, and returns the outcome. */
  call<Result>(method: (done: Done<Result>) => void): Result | Failure {
    const outcomes = this.start(method)
    for (let i = 0; i < 10_000 && outcomes.length === 0; i++) this.loop.advance(1)
    const [outcome] = outcomes
    if (outcome === undefined) throw new Error('the engine never answered')
    return outcome
  }

  /** Calls an engine method; its outcome appears in the array, later. */
  start<Result>(method: (done: Done<Result>) => void): (Result | Failure)[] {
    const outcomes: (Result | Failure)[] = []
    method((outcome) => outcomes.push(outcome))
    if (outcomes.length > 0) throw new Error('the engine answered inside the call')
    return outcomes
  }

  /** Sends a request and reads its result as the naive twin would word it, in the turn in which it comes. */
  run(request: Operation): NaiveResult {
    let answer: NaiveResult | undefined
    const bytes = encodeRequest(request)
    const done = (outcome: CommandResult | RangeResult): void => {
      answer = readResult(this.machine.store, outcome)
      if (outcome.ok && outcome.type === 'range') outcome.pin?.close()
    }
    if (request.type === 'range') this.engine.range(request, done)
    else if (request.type === 'put') this.engine.put(request, bytes, done)
    else if (request.type === 'deleteRange') this.engine.deleteRange(request, bytes, done)
    else if (request.type === 'txn') this.engine.txn(request, bytes, done)
    if (answer !== undefined) throw new Error('the engine answered inside the call')
    for (let i = 0; i < 10_000 && answer === undefined; i++) this.loop.advance(1)
    if (answer === undefined) throw new Error('the engine never answered')
    return answer
  }
}
