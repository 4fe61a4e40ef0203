import { assert, assertDefined } from '../../base/index.ts'
import { PendingReads } from '../consensus/index.ts'
import {
  type Configuration,
  type CoreRestore,
  type EffectSink,
  type MemberId,
  noMember,
  type Role,
} from '../replicated-log.ts'
import { ChosenConfigurations } from './chosen-configurations.ts'
import { Durability } from './durability.ts'
import type { PaxosMessage } from './message.ts'
import type { PaxosOptions, TickRange } from './options.ts'
import type { Progress } from './progress.ts'
import type { Recovery } from './recovery.ts'
import { restoreSlots } from './restore.ts'
import { entryBytes, type Slot, type SlotLog } from './slot-log.ts'
import { encodeRecords } from './slot-record.ts'

/** What a {@link PaxosState} is made from. */
export interface PaxosStateInit {
  readonly id: MemberId
  readonly restore: CoreRestore
  readonly sink: EffectSink<PaxosMessage>
  readonly random: (bound: number) => number
  readonly options: PaxosOptions
}

/**
 * The whole state of one Multi-Paxos node and its elementary moves. `paxos.ts` owns it; the handlers (one file a message,
 * one for each other concern) work on it. Its invariants S1 to S10 stand in `validate.ts`.
 *
 * A node is acceptor and learner at all times, and proposer while it is a candidate or leads. Changes of the promise and
 * of the accepted slots are collected and become one persist effect: when a message is sent that must wait for them, or
 * at the end of the step.
 */
export class PaxosState {
  readonly id: MemberId
  readonly options: PaxosOptions
  readonly sink: EffectSink<PaxosMessage>
  readonly log: SlotLog
  readonly configurations: ChosenConfigurations
  readonly durability = new Durability()
  readonly reads = new PendingReads()

  // The acceptor.

  /** The highest round heard of: nothing of a lower one is accepted. Rises only. */
  round: number
  /** Who asked first for `round`, and got the promise: nobody else will. */
  promisedTo: MemberId
  /** Pages of the report to that proposer are still to be asked for. */
  isReporting = false
  /** Every slot up to here is accepted in `round` or known chosen, durable or not. */
  acceptedThrough: number
  /** As `acceptedThrough`, but it stands still while more than `maxUndurableBytes` wait for the disk. */
  receivedThrough: number

  // The learner.

  /** Every slot up to here is known to be chosen, and its value is here. Rises only. */
  chosenIndex: number
  /** The slot of the last commit effect; equal to `chosenIndex` between steps. */
  emittedChosenIndex: number
  /** What the leader of `round` said is chosen, whether its values are here or not. */
  toldChosenIndex = 0
  /** The highest slot that the state machine reported applied. */
  lastApplied: number
  /** The slot of the snapshot last taken in from a leader: see `slot-record.ts`. */
  chosenAfter: number

  // Who leads.

  role: Role
  /** The proposer that leads in `round`, when known; this node itself from the moment its phase 1 succeeded. */
  leader: MemberId = noMember
  /** Ticks since construction. */
  tickCount = 0
  /** Ticks since the leader was heard or a promise given. Leader: since the quorum was checked. */
  electionElapsedTicks = 0
  /** When `electionElapsedTicks` reaches this, a voter campaigns: drawn from [t, 2t). */
  electionDeadlineTicks: number
  /** Leader: ticks since the last heartbeats. */
  heartbeatElapsedTicks = 0
  /** Pre-candidate: the answers heard. */
  readonly votes = new Map<MemberId, boolean>()
  /** The leader whose connection was lost, until a leader is heard again: see `connection-lost.ts`. */
  lostLeader: MemberId = noMember
  /** Ticks to the next quick attempt; 0: none is planned. */
  quickCountdownTicks = 0
  quickAttemptsLeft = 0

  // The proposer.

  /** Phase 1 of `round`, while this node is its candidate and as long as it leads. */
  recovery: Recovery | undefined = undefined
  /** The persist that makes the own promise durable; it counts afterwards. 0: none is awaited. */
  ownPromisePersistId = 0
  /** Phase 1 succeeded once: this node proposes in `round`. `role` is `leader` when all that it found is proposed. */
  isProposing = false
  /** A promise of a quorum of the configuration in force covers all open slots. */
  isCovered = false
  /** A configuration that is proposed and not known chosen: nothing is proposed after its slot. 0: none. */
  pendingConfigurationIndex = 0
  /** Proposer: the slot of the opening value; reads wait until it is chosen. */
  openingIndex = 0
  /** Proposer: the other members. */
  readonly progress = new Map<MemberId, Progress>()
  /** Leader: who shall lead next. */
  transferee: MemberId = noMember
  /** Proposer: the bytes of its proposals after `chosenIndex`. */
  unchosenBytes = 0

  private readonly random: (bound: number) => number
  private hardStateChanged = false
  /** Accepted slots that no persist effect carries yet. */
  private unpersisted: Slot[] = []

  constructor(init: PaxosStateInit) {
    const { restore } = init
    assert(init.id !== noMember, 'a member has an id')
    this.id = init.id
    this.options = init.options
    this.sink = init.sink
    this.random = init.random
    const restored = restoreSlots(restore)
    this.log = restored.log
    this.chosenIndex = restored.chosenIndex
    this.chosenAfter = restored.chosenAfter
    this.round = restore.hardState.term
    this.promisedTo = restore.hardState.votedFor
    this.configurations = new ChosenConfigurations(restore.snapshot)
    for (let slot = restore.snapshot.index + 1; slot <= this.chosenIndex; slot++) {
      this.configurations.chosen(this.log.entryAt(slot))
    }
    this.emittedChosenIndex = restore.snapshot.index
    this.lastApplied = restore.snapshot.index
    this.acceptedThrough = this.chosenIndex
    this.advanceAccepted()
    this.receivedThrough = this.acceptedThrough
    this.role = this.followingRole
    this.electionDeadlineTicks = this.drawElectionDeadline()
    // Contexts of an earlier life must never match: an old answer would carry an old read index.
    this.reads.lastContext = this.random(0x10_0000) * 0x1_0000_0000 + this.random(0x1_0000_0000)
    // A snapshot can become durable before the round that brought it.
    if (this.round < restore.snapshot.term) this.enterRound(restore.snapshot.term)
  }

  /** Decides on the next slot to be chosen. */
  get configuration(): Configuration {
    return this.configurations.current
  }

  /** A follower that may not lead is called a learner. */
  get followingRole(): Role {
    return this.configurations.mayLead(this.id) ? 'follower' : 'learner'
  }

  /** A draw from `range`, both ends included. */
  draw(range: TickRange): number {
    return range.min + this.random(range.max - range.min + 1)
  }

  /** Time-outs differ, so that proposers rarely duel (Paxos Made Simple §2.4). */
  drawElectionDeadline(): number {
    return this.options.electionTimeoutTicks + this.random(this.options.electionTimeoutTicks)
  }

  /** Enters `round`, promised to nobody yet. */
  enterRound(round: number): void {
    assert(round > this.round, 'rounds rise')
    this.round = round
    this.promisedTo = noMember
    this.isReporting = false
    this.acceptedThrough = this.chosenIndex
    this.receivedThrough = this.chosenIndex
    this.toldChosenIndex = 0
    this.hardStateChanged = true
  }

  promiseTo(proposer: MemberId): void {
    assert(this.promisedTo === noMember || this.promisedTo === proposer, 'a round is promised to one proposer')
    if (this.promisedTo === proposer) return
    this.promisedTo = proposer
    this.hardStateChanged = true
  }

  /** A leader was heard or chosen: no quick election is due (Q1 in `connection-lost.ts`). */
  forgetLostLeader(): void {
    this.lostLeader = noMember
    this.quickCountdownTicks = 0
    this.quickAttemptsLeft = 0
  }

  /** Accepts, in memory now, and with the next persist effect on disk. Chosen slots are never accepted anew. */
  accept(slot: Slot): void {
    assert(slot.value.index > this.chosenIndex, 'what is known chosen stays as it is')
    this.log.put(slot)
    this.unpersisted.push(slot)
  }

  /** Writes the record of an accepted slot once more, for the claim that it carries. */
  writeAgain(index: number): void {
    const slot = this.log.at(index)
    if (slot !== undefined && !this.unpersisted.includes(slot)) this.unpersisted.push(slot)
  }

  /** Follows the slots accepted in this round as far as they go without a gap. */
  advanceAccepted(): void {
    while (this.log.ballotAt(this.acceptedThrough + 1) === this.round && this.round > 0) this.acceptedThrough++
    this.advanceReceived()
  }

  /** Something was accepted, or became durable. */
  advanceReceived(): void {
    if (this.durability.pendingBytes <= this.options.maxUndurableBytes) this.receivedThrough = this.acceptedThrough
  }

  /** Learns that everything up to `index` is chosen; its values are here. */
  learnChosen(index: number): void {
    if (index <= this.chosenIndex) return
    if (this.isProposing) {
      for (let slot = this.chosenIndex + 1; slot <= Math.min(index, this.acceptedThrough); slot++) {
        this.unchosenBytes -= entryBytes(this.log.entryAt(slot))
      }
    }
    this.chosenIndex = index
    if (this.acceptedThrough < index) this.acceptedThrough = index
    if (this.receivedThrough < index) this.receivedThrough = index
  }

  /** A durable snapshot takes the place of everything up to `index`. What was accepted after it stays. */
  replaceThrough(index: number): void {
    this.learnChosen(index)
    this.log.compactTo(index)
    this.unpersisted = this.unpersisted.filter((slot) => slot.value.index > index)
    this.chosenAfter = index
  }

  /** Issues what is not yet part of a persist effect, and returns the id to wait for (0: all is durable already). */
  flushPersist(): number {
    if (this.hardStateChanged || this.unpersisted.length > 0) {
      let bytes = 0
      for (const slot of this.unpersisted) bytes += entryBytes(slot.value)
      const id = this.durability.issued(this.round, this.acceptedThrough, bytes, this.hardStateChanged)
      const hardState = this.hardStateChanged ? { term: this.round, votedFor: this.promisedTo } : undefined
      const claim = { chosenAfter: this.chosenAfter, chosenThrough: this.chosenIndex }
      const entries = encodeRecords(this.unpersisted, claim)
      this.hardStateChanged = false
      this.unpersisted = []
      this.sink({ type: 'persist', id, hardState, entries })
    }
    return this.durability.fence
  }

  /** Whether the round and the promise, as they stand, are on disk. */
  get roundIsDurable(): boolean {
    return !this.hardStateChanged && this.durability.hardStateIsDurable
  }

  /** Sends at once, in parallel with the disk. */
  send(to: MemberId, message: PaxosMessage): void {
    this.sink({ type: 'send', to, message, afterPersist: 0 })
  }

  /** Sends when everything up to now is durable. */
  sendDurably(to: MemberId, message: PaxosMessage): void {
    this.sink({ type: 'send', to, message, afterPersist: this.flushPersist() })
  }

  /** The phase 1 under way. */
  get openRecovery(): Recovery {
    return assertDefined(this.recovery, 'a proposer has a phase 1')
  }
}
