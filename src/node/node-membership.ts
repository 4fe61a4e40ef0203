/**
 * Everything about members on one node, composed: who its peers are, the reconciler, what the engine asks, what a node
 * that joins is told, and this member's own removal.
 */
import type { MemberId } from '../core/index.ts'
import type { CoordinationStateMachine } from '../engine/coordination/index.ts'
import type { Group } from '../engine/replication/index.ts'
import type { Address, Runtime, Timer } from '../runtime/index.ts'
import type { AddressBook } from './address-book.ts'
import { MemberRemovedError } from './data-directory-error.ts'
import { GroupMembership } from './group-membership.ts'
import type { Identity } from './identity.ts'
import { decodeClusterDescription, encodeClusterDescription } from './join-codec.ts'
import { MembershipReconciler } from './membership-reconciler.ts'
import { PeerSet } from './peer-set.ts'

/** A member that left stays connected, and a node that knows of its own removal runs on, for so long, in milliseconds. */
const lingerMs = 2000

export interface NodeMembershipContext {
  readonly runtime: Runtime
  readonly identity: Identity
  readonly group: Group<unknown>
  readonly machine: CoordinationStateMachine
  readonly setPeers: (peers: ReadonlyMap<MemberId, Address>) => void
  readonly isConnected: (peer: MemberId) => boolean
  readonly book: AddressBook
  /** This member is none any more. */
  readonly onRemoved: (error: MemberRemovedError) => void
}

export class NodeMembership {
  /** For the engine on this node. */
  readonly view: GroupMembership
  private readonly context: NodeMembershipContext
  private readonly peers: PeerSet
  private readonly reconciler: MembershipReconciler
  private readonly unsubscribe: readonly (() => void)[]
  private farewell: Timer | undefined
  private stopped = false

  constructor(context: NodeMembershipContext) {
    const { runtime, identity, group, machine, setPeers, isConnected, book } = context
    const { scheduler, logger } = runtime
    this.context = context
    const self = identity.memberId
    this.peers = new PeerSet({ scheduler, logger, self, group, machine, lingerMs, setPeers, isConnected, book })
    if (book.members.length === 0) this.peers.learn(identity.peers)
    this.view = new GroupMembership({ runtime, self, group, machine, isConnected })
    this.reconciler = new MembershipReconciler({ runtime, self, group, machine })
    const look = (): void => this.lookForOwnRemoval()
    this.unsubscribe = [
      machine.observe({ onMembersChanged: look, onRestored: look }),
      group.onConfigurationChange(look),
    ]
    this.lookForOwnRemoval()
  }

  isRemoved(peer: MemberId): boolean {
    return this.peers.isRemoved(peer)
  }

  /** Somebody refused this node as removed. */
  onRefusedAsRemoved(): void {
    this.leave()
  }

  /** A member that is not known here says who the members are: this node may have missed that while it was away. */
  onIntroduction(body: Uint8Array): void {
    const cluster = decodeClusterDescription(body)
    if (!this.stopped && cluster?.clusterId === this.context.identity.clusterId) this.peers.learn(cluster.members)
  }

  /** What a node that wants to join, or a peer that does not know this one, is told. */
  describeCluster(): Uint8Array {
    const { clusterId, algorithm, founders } = this.context.identity
    return encodeClusterDescription({ clusterId, algorithm, founders, members: this.context.machine.members() })
  }

  stop(): void {
    this.stopped = true
    this.farewell?.cancel()
    this.reconciler.stop()
    this.peers.stop()
    this.view.stop()
    for (const end of this.unsubscribe) end()
  }

  /** The log may tell a member of its removal before anybody refuses it. It stays a moment for answers under way. */
  private lookForOwnRemoval(): void {
    if (this.farewell !== undefined || this.stopped || !this.peers.isRemoved(this.context.identity.memberId)) return
    this.farewell = this.context.runtime.scheduler.setTimer(lingerMs, () => this.leave())
  }

  private leave(): void {
    if (this.stopped) return
    const { name, memberId, clusterId } = this.context.identity
    this.context.onRemoved(
      new MemberRemovedError(
        `member ${name} (${memberId.toString(16)}) was removed from cluster ${clusterId.toString(16)}: it ends, for good. To bring the machine back, delete its data directory, add it as a new member (synod member add) and start it with --initial-cluster-state existing.`,
      ),
    )
  }
}
