import { assert, unreachable } from '../../base/index.ts'
import type {
  Configuration,
  CoreEvent,
  CoreRestore,
  CoreStatus,
  EffectSink,
  Entry,
  MemberId,
  Membership,
  ProposeConfigurationResult,
  ProposeResult,
  ReplicatedLog,
  SnapshotMeta,
} from '../replicated-log.ts'
import { commitByCounting } from './commit.ts'
import { leaveJoint, proposeConfiguration, settleConfiguration } from './configuration-change.ts'
import { onConnectionLost } from './connection-lost.ts'
import { ownVotePersisted } from './election.ts'
import { acceptsSnapshot, onSnapshotRestored, onSnapshotSent, onSnapshotTaken } from './install-snapshot.ts'
import type { RaftMessage } from './message.ts'
import { dispatchMessage } from './message-dispatch.ts'
import { type RaftOptions, resolveOptions } from './options.ts'
import { proposeCommands } from './propose.ts'
import { RaftState } from './raft-state.ts'
import { advanceReads, onReadIndex } from './read-index.ts'
import { replicate } from './replication.ts'
import { settleRole } from './roles.ts'
import { onTick } from './ticks.ts'
import { onTransferLeadership } from './timeout-now.ts'
import { validateRaft } from './validate.ts'

/** What a {@link Raft} is made from. */
export interface RaftInit {
  readonly id: MemberId
  readonly restore: CoreRestore
  /** Takes the effects, in order. It must not call the core. */
  readonly sink: EffectSink<RaftMessage>
  /** A uniform draw from 0 to `bound - 1`; `bound` is 1 to 2^32. All randomness comes from here. */
  readonly random: (bound: number) => number
  /** What differs from `defaultRaftOptions`. */
  readonly options?: Partial<RaftOptions>
}

/**
 * One node of Raft (Ongaro and Ousterhout 2014, extended version; Ongaro's thesis): a pure object, events in, effects out.
 *
 * The host's duties stand in `replicated-log.ts`; the protocol for snapshots in `install-snapshot.ts`. Two more notes:
 * an `appendEntries` message sent to several peers in one step is one and the same object, so it can be encoded once; and
 * entries handed to `propose` or received are kept, so their bytes must not change.
 *
 * The construction emits nothing; `status()` tells the state a restart begins in.
 */
export class Raft implements ReplicatedLog<RaftMessage> {
  private readonly state: RaftState
  private isStepping = false
  /** The last status effect told, or the state at construction. */
  private toldLeader: MemberId
  private toldTerm: number
  private toldRole: CoreStatus['role']
  /** As the last configuration effect told, or at construction. */
  private toldConfiguration: Configuration
  private toldConfigurationIndex: number

  constructor(init: RaftInit) {
    this.state = new RaftState({ ...init, options: resolveOptions(init.options ?? {}) })
    this.toldLeader = this.state.leader
    this.toldTerm = this.state.term
    this.toldRole = this.state.role
    this.toldConfiguration = this.state.configuration
    this.toldConfigurationIndex = this.state.configurations.currentIndex
  }

  step(event: CoreEvent<RaftMessage>): void {
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
    return this.state.log.slice(fromIndex, toIndex)
  }

  /** What the window of the log in memory is accounted for: payloads and 16 bytes an entry. */
  get logBytes(): number {
    return this.state.log.bytes
  }

  /** Whether a snapshot offered by the leader is needed: see `install-snapshot.ts`. */
  acceptsSnapshot(meta: SnapshotMeta): boolean {
    return acceptsSnapshot(this.state, meta)
  }

  /**
   * The configuration in force at `index`, from `commitIndex` at construction on: it belongs in the snapshot of `index`. It
   * has no voters while a node that began without a configuration has not learned of one by then: such a state makes no
   * snapshot, for nobody could start from it. So who joins had better begin with the cluster's founding configuration.
   */
  configurationAt(index: number): Configuration {
    return this.state.configurations.at(index)
  }

  /** The term of the entry at `index`: from `firstIndex - 1` to `lastIndex`, else undefined. */
  termAt(index: number): number | undefined {
    return this.state.log.termAt(index)
  }

  status(): CoreStatus {
    const { id, role, leader, term, commitIndex, log, configuration } = this.state
    const { lastIndex, firstIndex } = log
    const progress = new Map<MemberId, { readonly matchIndex: number; readonly recentlyActive: boolean }>()
    for (const [member, { matchIndex, answersLately }] of this.state.progress) {
      progress.set(member, { matchIndex, recentlyActive: answersLately })
    }
    const configurationIndex = this.state.configurations.currentIndex
    return { id, role, leader, term, commitIndex, lastIndex, firstIndex, configuration, configurationIndex, progress }
  }

  validate(): void {
    validateRaft(this.state)
  }

  private dispatch(event: CoreEvent<RaftMessage>): void {
    const raft = this.state
    switch (event.type) {
      case 'tick':
        onTick(raft, event.nowMs)
        break
      case 'message':
        dispatchMessage(raft, event.from, event.message)
        break
      case 'persisted':
        raft.durability.persisted(event.id)
        ownVotePersisted(raft)
        break
      case 'applied':
        assert(event.index <= raft.commitIndex, 'only committed entries are applied (S1)')
        raft.lastApplied = Math.max(raft.lastApplied, event.index)
        break
      case 'readIndex':
        onReadIndex(raft, event.id, event.nowMs)
        break
      case 'transferLeadership':
        onTransferLeadership(raft, event.to)
        break
      case 'connectionLost':
        onConnectionLost(raft, event.peer)
        break
      case 'snapshotTaken':
        onSnapshotTaken(raft, event.meta, event.compactTo)
        break
      case 'snapshotSent':
        onSnapshotSent(raft, event.to, event.index, event.ok)
        break
      case 'snapshotRestored':
        onSnapshotRestored(raft, event.meta)
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
    const raft = this.state
    if (raft.role === 'leader') {
      commitByCounting(raft)
      leaveJoint(raft)
    }
    raft.flushPersist()
    this.tellConfiguration()
    settleRole(raft)
    if (raft.role === 'leader') {
      replicate(raft)
      settleConfiguration(raft)
    }
    if (raft.commitIndex > raft.emittedCommitIndex) {
      raft.emittedCommitIndex = raft.commitIndex
      raft.sink({ type: 'commit', index: raft.commitIndex })
    }
    advanceReads(raft)
    this.tellStatus()
    this.isStepping = false
  }

  /** Before anything is sent under it, so that the host knows whom it has to reach. */
  private tellConfiguration(): void {
    const { current: configuration, currentIndex: index } = this.state.configurations
    if (configuration === this.toldConfiguration && index === this.toldConfigurationIndex) return
    this.toldConfiguration = configuration
    this.toldConfigurationIndex = index
    this.state.sink({ type: 'configuration', configuration, index })
  }

  private tellStatus(): void {
    const { leader, term, role } = this.state
    if (leader === this.toldLeader && term === this.toldTerm && role === this.toldRole) return
    this.toldLeader = leader
    this.toldTerm = term
    this.toldRole = role
    this.state.sink({ type: 'status', leader, term, role })
  }
}
