import type { Scheduler } from '../../runtime/index.ts'
import type { Group } from '../replication/index.ts'
import type { HashKvResult, StateHash } from './api.ts'
import type { TurnSlicer } from './background/turn-slicer.ts'
import { fail, failureOf } from './failures.ts'
import type { Operation, RangeRequest, TxnRequest } from './messages.ts'
import { checkRevision, evaluateInSteps, evaluateKey } from './ranges/index.ts'
import type { CommandResult, Done, RangeResult, TxnResult } from './results.ts'
import { type CoordinationStateMachine, evaluateReadOnlyTxn, StateHashJob } from './state/index.ts'

const hashRecordsPerStep = 500

/**
 * Everything that is answered from this node's state, after a read index when the answer must be linearizable. Short
 * answers come in the turn of the read index; long ones are worked on in slices, on a pinned revision.
 */
export class Reads {
  private readonly machine: CoordinationStateMachine
  private readonly group: Group<CommandResult>
  private readonly scheduler: Scheduler
  private readonly slicer: TurnSlicer

  constructor(
    machine: CoordinationStateMachine,
    group: Group<CommandResult>,
    scheduler: Scheduler,
    slicer: TurnSlicer,
  ) {
    this.machine = machine
    this.group = group
    this.scheduler = scheduler
    this.slicer = slicer
  }

  range(request: RangeRequest, done: Done<RangeResult>): void {
    this.whenReadable(request.serializable, () => this.rangeNow(request, done), done)
  }

  /** A transaction of ranges only. */
  txn(request: TxnRequest, done: Done<TxnResult>): void {
    this.whenReadable(isSerializable(request), () => done(evaluateReadOnlyTxn(this.machine.present, request)), done)
  }

  /** Runs `read` in a later turn: the next one when `serializable`, else once this node has caught up. */
  whenReadable(serializable: boolean, read: () => void, refuse: Done<never>): void {
    if (serializable) {
      this.scheduler.endOfTurn(read)
      return
    }
    this.group.linearizableRead((outcome) => {
      if (outcome.ok) read()
      else refuse(failureOf(outcome))
    })
  }

  hashKv(revision: number, done: Done<HashKvResult>): void {
    const { store } = this.machine
    const { compactedRevision: compactRevision, revision: current } = store
    if (revision > current || (revision > 0 && revision < compactRevision)) {
      const failure = fail(revision > current ? 'FUTURE_REVISION' : 'COMPACTED')
      this.scheduler.endOfTurn(() => done(failure))
      return
    }
    const hashRevision = revision > 0 ? revision : current
    const job = store.hash(hashRevision)
    const unpin = this.machine.pin()
    this.slicer.run(() => {
      const hash = job.step(hashRecordsPerStep)
      if (hash === undefined) return true
      job.close()
      unpin()
      done({ ok: true, hash, compactRevision, hashRevision, revision: current })
      return false
    })
  }

  stateHash(done: (hash: StateHash) => void): void {
    const job = new StateHashJob(this.machine.present, this.machine.appliedIndex)
    const unpin = this.machine.pin()
    this.slicer.run(() => {
      const hash = job.step()
      if (hash === undefined) return true
      job.close()
      unpin()
      done(hash)
      return false
    })
  }

  private rangeNow(request: RangeRequest, done: Done<RangeResult>): void {
    const { store } = this.machine
    const current = store.revision
    if (request.end === undefined) {
      done(evaluateKey(store, request, current))
      return
    }
    const failure = checkRevision(store, request, current)
    if (failure !== undefined) {
      done(failure)
      return
    }
    const steps = evaluateInSteps(store, request, current)
    const first = steps.next()
    if (first.done === true && first.value.pin === undefined) done(first.value)
    else this.finishPinned(steps, first, done)
  }

  /** Works off the other steps of a long range. */
  private finishPinned(
    steps: Generator<void, RangeResult>,
    first: IteratorResult<void, RangeResult>,
    done: Done<RangeResult>,
  ): void {
    const unpin = this.machine.pin()
    const finish = (result: RangeResult): void => {
      const { pin } = result
      if (pin === undefined) {
        unpin()
        done(result)
        return
      }
      const close = (): void => {
        pin.close()
        unpin()
      }
      done({ ...result, pin: { close } })
    }
    if (first.done === true) {
      finish(first.value)
      return
    }
    this.slicer.run(() => {
      const step = steps.next()
      if (step.done !== true) return true
      finish(step.value)
      return false
    })
  }
}

/** Whether a transaction changes nothing whatever branch it takes, by etcd's rule: only ranges, none nested. */
export function isReadOnly({ success, failure }: TxnRequest): boolean {
  return success.every(isRange) && failure.every(isRange)
}

/** Whether a read-only transaction may be answered without asking the leader: no range in it minds. */
function isSerializable({ success, failure }: TxnRequest): boolean {
  const minds = (operation: Operation): boolean => operation.type === 'range' && !operation.serializable
  return !success.some(minds) && !failure.some(minds)
}

function isRange(operation: Operation): boolean {
  return operation.type === 'range'
}
