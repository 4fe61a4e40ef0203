/**
 * The deterministic state machine behind the coordination plane: a multi-version store, leases, alarms and members. The consensus
 * group feeds it; the engine and its parts read it and observe it.
 *
 * - I1  Nothing in `apply` depends on anything but the state and the command: no clock, no configuration of this node.
 * - I2  `apply` never throws for what a command contains. Requests were validated before they were proposed; one that
 *       cannot be decoded all the same gets MALFORMED_REQUEST, everywhere.
 * - I3  Observers hear of a change in the turn of its apply, after it is complete.
 */
import { emptyBytes, ProtobufReader } from '../../../base/index.ts'
import type { MvccStore, StoreLoader } from '../../../storage/mvcc/index.ts'
import type { CommandPosition, StateMachine, StateRestorer, StateSnapshot } from '../../replication/index.ts'
import type { CoordinationState, LeaseTable, StateObserver } from '../api.ts'
import {
  commandTypes,
  decodeAlarmRequest,
  decodeCompactRequest,
  decodeDeleteRangeRequest,
  decodeLeaseRevokeRequest,
  decodeMemberAttributes,
  decodeMemberChange,
  decodePutRequest,
  decodeTxnRequest,
  leaseExpiredInTerm,
  leaseGrantChoice,
  payloadOffset,
} from '../codec/index.ts'
import { fail } from '../failures.ts'
import { MemoryLeaseTable } from '../leases/index.ts'
import type { Alarm, Member } from '../messages.ts'
import type { CommandResult, Failure } from '../results.ts'
import { AlarmSet } from './alarm-set.ts'
import { applyAlarm } from './apply-alarm.ts'
import { applyCompact } from './apply-compact.ts'
import { applyLeaseGrant, applyLeaseRevoke } from './apply-lease.ts'
import {
  applyMemberAdd,
  applyMemberAttributes,
  applyMemberPromote,
  applyMemberRemove,
  applyMemberUpdate,
} from './apply-member.ts'
import { applyTxn } from './apply-txn.ts'
import { applyDeleteRange, applyPut } from './apply-writes.ts'
import type { StateData } from './data.ts'
import { MemberDirectory } from './member-directory.ts'
import { Observers } from './observers.ts'
import { txnCost } from './quota-cost.ts'
import { StateImageRestorer } from './state-restorer.ts'
import { StateImage } from './state-snapshot.ts'

/** Makes stores. The node chooses which kind. */
export interface StoreFactory {
  create(): MvccStore
  loader(): StoreLoader
}

export class CoordinationStateMachine implements StateMachine<CommandResult>, CoordinationState {
  private readonly stores: StoreFactory
  private readonly initialMembers: readonly Member[]
  private readonly observers = new Observers()
  private readonly reader = new ProtobufReader(emptyBytes)
  private data: StateData
  private applied: CommandPosition = { index: 0, term: 0 }
  private pinCount = 0

  /** `initialMembers`: the founders of the cluster, the same on all its nodes for good. */
  constructor(stores: StoreFactory, initialMembers: readonly Member[]) {
    this.stores = stores
    this.initialMembers = initialMembers
    this.data = {
      store: stores.create(),
      leases: new MemoryLeaseTable(),
      alarms: new AlarmSet(),
      members: new MemberDirectory(initialMembers),
    }
  }

  get store(): MvccStore {
    return this.data.store
  }

  get leases(): LeaseTable {
    return this.data.leases
  }

  /** All of the state, for evaluation of read-only transactions. */
  get present(): StateData {
    return this.data
  }

  get appliedIndex(): number {
    return this.applied.index
  }

  get pins(): number {
    return this.pinCount
  }

  alarms(): readonly Alarm[] {
    return this.data.alarms.list()
  }

  /** The declared members, in ascending order of id. */
  members(): readonly Member[] {
    return this.data.members.list()
  }

  /** The declared member with this id. */
  member(id: bigint): Member | undefined {
    return this.data.members.get(id)
  }

  /** Whether a member with this id was removed: it never comes back. */
  isRemoved(id: bigint): boolean {
    return this.data.members.isRemoved(id)
  }

  /**
   * Puts `members` in place of all others, who count as removed. For making a new cluster of what a survivor has, with
   * the node stopped: never while a group feeds this machine (I1).
   */
  replaceMembers(members: readonly Member[]): void {
    const before = this.data.members
    const kept = new Set(members.map((member) => member.id))
    const removed = before.list().filter((member) => !kept.has(member.id))
    const directory = new MemberDirectory(members, [...before.removedIds(), ...removed.map((member) => member.id)])
    this.data = { ...this.data, members: directory }
    this.observers.membersChanged()
  }

  observe(observer: StateObserver): () => void {
    return this.observers.add(observer)
  }

  pin(): () => void {
    this.pinCount++
    return () => {
      this.pinCount--
      if (this.pinCount === 0) this.observers.unpinned()
    }
  }

  apply(command: Uint8Array, position: CommandPosition, wanted: boolean): CommandResult {
    this.applied = position
    const { store } = this.data
    const before = store.revision
    const result = this.applyCommand(command, wanted)
    if (store.revision !== before) this.observers.revision(store.revision)
    return result
  }

  snapshot(): StateSnapshot {
    return new StateImage(this.data, this.applied, this.pin())
  }

  restore(): StateRestorer {
    return new StateImageRestorer(this.stores.loader(), this.initialMembers, (data, applied) => {
      this.data = data
      this.applied = applied
      this.observers.restored()
    })
  }

  private applyCommand(command: Uint8Array, wanted: boolean): CommandResult {
    const offset = payloadOffset(command)
    if (offset < 0) return fail('MALFORMED_REQUEST')
    const { reader, data } = this
    reader.reset(command, offset)
    switch (command[0]) {
      case commandTypes.put: {
        const request = decodePutRequest(reader)
        return this.refusal(true) ?? applyPut(data, request, wanted)
      }
      case commandTypes.deleteRange: {
        const request = decodeDeleteRangeRequest(reader)
        return this.refusal(false) ?? applyDeleteRange(data, request, wanted)
      }
      case commandTypes.txn: {
        const request = decodeTxnRequest(reader)
        return this.refusal(data.alarms.noSpace && txnCost(request) > 0) ?? applyTxn(data, request, wanted)
      }
      case commandTypes.compact: {
        const request = decodeCompactRequest(reader)
        return this.refusal(false) ?? applyCompact(data, request, this.observers)
      }
      case commandTypes.leaseGrant: {
        const { id, ttlSeconds } = leaseGrantChoice(command)
        return this.refusal(true) ?? applyLeaseGrant(data, id, ttlSeconds, this.observers)
      }
      case commandTypes.leaseRevoke: {
        const id = decodeLeaseRevokeRequest(reader)
        const refusal = this.refusal(false)
        if (refusal !== undefined) return refusal
        // Only the leader that judged it expired may end it: a later leader has renewed all leases.
        const expiredInTerm = leaseExpiredInTerm(command)
        if (expiredInTerm !== 0 && expiredInTerm !== this.applied.term)
          return { ok: true, type: 'leaseRevoke', revision: data.store.revision }
        return applyLeaseRevoke(data, id, this.observers)
      }
      case commandTypes.alarm: {
        const request = decodeAlarmRequest(reader)
        return reader.malformed ? fail('MALFORMED_REQUEST') : applyAlarm(data, request)
      }
      case commandTypes.memberAttributes: {
        const attributes = decodeMemberAttributes(reader)
        return reader.malformed ? fail('MALFORMED_REQUEST') : applyMemberAttributes(data, attributes, this.observers)
      }
      case commandTypes.memberAdd:
      case commandTypes.memberRemove:
      case commandTypes.memberUpdate:
      case commandTypes.memberPromote:
        return this.applyMemberChange(command[0])
      default:
        return fail('UNKNOWN_COMMAND')
    }
  }

  /** The reader stands at the payload. No alarm refuses these: they may be what heals the cluster. */
  private applyMemberChange(type: number): CommandResult {
    const { data, observers, reader } = this
    const change = decodeMemberChange(reader)
    if (reader.malformed) return fail('MALFORMED_REQUEST')
    if (type === commandTypes.memberAdd) return applyMemberAdd(data, change, observers)
    if (type === commandTypes.memberRemove) return applyMemberRemove(data, change, observers)
    if (type === commandTypes.memberUpdate) return applyMemberUpdate(data, change, observers)
    return applyMemberPromote(data, change, observers)
  }

  /** Why the command just decoded is not carried out, if so. `adds`: it needs space, which a NOSPACE alarm denies. */
  private refusal(adds: boolean): Failure | undefined {
    if (this.reader.malformed) return fail('MALFORMED_REQUEST')
    const { alarms } = this.data
    if (alarms.corrupt) return fail('CORRUPT')
    return adds && alarms.noSpace ? fail('NO_SPACE') : undefined
  }
}
