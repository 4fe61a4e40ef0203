import { assert, unreachable } from '../../base/index.ts'
import {
  type Configuration,
  type CoreEvent,
  type CoreRestore,
  type CoreStatus,
  type EffectSink,
  type Entry,
  type MemberId,
  type Membership,
  noMember,
  type ProposeConfigurationResult,
  type ProposeResult,
  type ReplicatedLog,
  type SnapshotMeta,
} from '../replicated-log.ts'
import { learnHeld } from './accept.ts'
import { chooseByCounting } from './chosen.ts'
import { onConnectionLost } from './connection-lost.ts'
import { acceptsSnapshot, onSnapshotRestored, onSnapshotSent, onSnapshotTaken } from './install-snapshot.ts'
import type { PaxosMessage } from './message.ts'
import { dispatchMessage } from './message-dispatch.ts'
import { type PaxosOptions, resolveOptions } from './options.ts'
import { PaxosState } from './paxos-state.ts'
import { ownPromisePersisted } from './phase-one.ts'
import { proposeCommands } from './propose.ts'
import { advanceReads, onReadIndex } from './read-index.ts'
import { proposeConfiguration } from './reconfiguration.ts'
import { replicate } from './replication.ts'
import { onTick } from './ticks.ts'
import { onTransferLeadership } from './timeout-now.ts'
import { validatePaxos } from './validate.ts'

/** What a {@link Paxos} is made from. */
export interface PaxosInit {
  readonly id: MemberId
  readonly restore: CoreRestore
  /** Takes the effects, in order. It must not call the core. */
  readonly sink: EffectSink<PaxosMessage>
  /** A uniform draw from 0 to `bound - 1`; `bound` is 1 to 2^32. All randomness comes from here. */
  readonly random: (bound: number) => number
  /** What differs from `defaultPaxosOptions`. */
  readonly options?: Partial<PaxosOptions>
}

/**
 * One node of Multi-Paxos (Lamport, Paxos Made Simple, 2001): a pure object, events in, effects out. Acceptor, learner and,
 * when it comes to that, distinguished proposer in one. A ballot is a round: an acceptor promises a round to its first
 * proposer only, so a round has one leader, and serves as the interface's term.
 *
 * The host's duties stand in `replicated-log.ts`; the protocol for snapshots in `install-snapshot.ts`. Three more notes:
 *
 * - The entries of persist effects are records of the acceptor (`slot-record.ts`) and come in any order of indexes: the
 *   newest record of an index counts, and a restart hands over what is there. `entries()` gives the clean values.
 * - An applied entry's `term` is the round that proposed its value first. It may fall along the log.
 * - Entries handed to `propose` or received are kept, so their bytes must not change.
 *
 * The construction emits nothing. A restart may know more to be chosen than its snapshot holds: the first step tells it.
 */
export class Paxos implements ReplicatedLog<PaxosMessage> {
  private readonly state: PaxosState
  private isStepping = false
  private hasStepped = false
  /** The last status effect told, or the state at construction. */
  private toldLeader: MemberId
  private toldTerm: number
  private toldRole: CoreStatus['role']
  private toldConfiguration: Configuration

  constructor(init: PaxosInit) {
    this.state = new PaxosState({ ...init, options: resolveOptions(init.options ?? {}) })
    this.toldLeader = this.leader
    this.toldTerm = this.state.round
    this.toldRole = this.state.role
    this.toldConfiguration = this.state.configurations.reported
  }

  step(event: CoreEvent<PaxosMessage>): void {
    this.begin()
    this.dispatch(event)
    this.finish()
  }

  propose(payloads: readonly Uint8Array[]): ProposeResult {
    this.begin()
    const result = proposeCommands(this.state, payloads)
    this.finish()
    return result
  }

  proposeConfiguration(target: Membership): ProposeConfigurationResult {
    this.begin()
    const result = proposeConfiguration(this.state, target)
    this.finish()
    return result
  }

  entries(fromIndex: number, toIndex: number): readonly Entry[] {
    return this.state.log.entries(fromIndex, toIndex)
  }

  /** What the window of slots in memory is accounted for: payloads and 16 bytes a slot. */
  get logBytes(): number {
    return this.state.log.bytes
  }

  /** Whether a snapshot offered by the leader is needed, and may be taken in: see `install-snapshot.ts`. */
  acceptsSnapshot(meta: SnapshotMeta): boolean {
    return acceptsSnapshot(this.state, meta)
  }

  /** The configuration in force after `index`, from the first index in memory on: it belongs in the snapshot of `index`. */
  configurationAt(index: number): Configuration {
    return this.state.configurations.at(index)
  }

  /** The round that first proposed the value at `index`, and the ballot in which it was accepted here. */
  slotAt(index: number): { readonly term: number; readonly ballot: number } | undefined {
    const slot = this.state.log.at(index)
    return slot === undefined ? undefined : { term: slot.value.term, ballot: slot.ballot }
  }

  status(): CoreStatus {
    const { id, role, round: term, chosenIndex: commitIndex, log, configurations } = this.state
    const { lastIndex, firstIndex } = log
    const progress = new Map<MemberId, { readonly matchIndex: number; readonly recentlyActive: boolean }>()
    for (const [member, { matchIndex, answersLately }] of this.state.progress) {
      progress.set(member, { matchIndex, recentlyActive: answersLately })
    }
    const { reported: configuration, currentIndex: configurationIndex } = configurations
    const { leader } = this
    return { id, role, leader, term, commitIndex, lastIndex, firstIndex, configuration, configurationIndex, progress }
  }

  validate(): void {
    validatePaxos(this.state)
    const { emittedChosenIndex, chosenIndex } = this.state
    assert(!this.hasStepped || emittedChosenIndex === chosenIndex, 'each choice was told')
  }

  /** A proposer that has not finished phase 1 is nobody's leader yet: see `reconfiguration.ts`. */
  private get leader(): MemberId {
    const { role, leader } = this.state
    return role === 'candidate' ? noMember : leader
  }

  private dispatch(event: CoreEvent<PaxosMessage>): void {
    const paxos = this.state
    switch (event.type) {
      case 'tick':
        onTick(paxos)
        break
      case 'message':
        dispatchMessage(paxos, event.from, event.message)
        break
      case 'persisted':
        paxos.durability.persisted(event.id)
        paxos.advanceReceived()
        if (!paxos.isProposing) learnHeld(paxos)
        ownPromisePersisted(paxos)
        break
      case 'applied':
        assert(event.index <= paxos.chosenIndex, 'only chosen values are applied (S1)')
        paxos.lastApplied = Math.max(paxos.lastApplied, event.index)
        break
      case 'readIndex':
        onReadIndex(paxos, event.id)
        break
      case 'transferLeadership':
        onTransferLeadership(paxos, event.to)
        break
      case 'connectionLost':
        onConnectionLost(paxos, event.peer)
        break
      case 'snapshotTaken':
        onSnapshotTaken(paxos, event.meta, event.compactTo)
        break
      case 'snapshotSent':
        onSnapshotSent(paxos, event.to, event.index, event.ok)
        break
      case 'snapshotRestored':
        onSnapshotRestored(paxos, event.meta)
        break
      default:
        unreachable(event)
    }
  }

  private begin(): void {
    assert(!this.isStepping, 'the core is not re-entrant')
    this.isStepping = true
  }

  /** What follows from any event: the disk first, so that it works while the rest is sent. */
  private finish(): void {
    const paxos = this.state
    paxos.flushPersist()
    if (paxos.isProposing) {
      chooseByCounting(paxos)
      // What a chosen configuration let go out.
      paxos.flushPersist()
    }
    if (paxos.isProposing) replicate(paxos)
    if (paxos.chosenIndex > paxos.emittedChosenIndex) {
      paxos.emittedChosenIndex = paxos.chosenIndex
      paxos.sink({ type: 'commit', index: paxos.chosenIndex })
    }
    advanceReads(paxos)
    this.tellConfiguration()
    this.tellStatus()
    this.hasStepped = true
    this.isStepping = false
  }

  private tellConfiguration(): void {
    const { reported: configuration, currentIndex: index } = this.state.configurations
    if (configuration === this.toldConfiguration) return
    this.toldConfiguration = configuration
    this.state.sink({ type: 'configuration', configuration, index })
  }

  private tellStatus(): void {
    const { leader } = this
    const { round: term, role } = this.state
    if (leader === this.toldLeader && term === this.toldTerm && role === this.toldRole) return
    this.toldLeader = leader
    this.toldTerm = term
    this.toldRole = role
    this.state.sink({ type: 'status', leader, term, role })
  }
}
