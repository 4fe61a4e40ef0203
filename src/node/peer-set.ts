/**
 * Whom this node is connected with, kept as the members change.
 *
 * - P1  The declared members and those of the configuration in force: a member may vote before this node has applied its
 *       addition, and its vote may be needed until the configuration without it is committed.
 * - P2  One that left stays connected for a moment: it still has to hear that it did.
 * - P3  Those whom others named (`learn`) stay until they are known to be removed: the state of a node that joins, or comes
 *       back after long, may not tell who the members are by now. At most `learnedMax` of them: each is dialled for good.
 * - P4  So does the address book, and its addresses stand until the state tells a change: until a leader is elected after a
 *       restart, the state may be older.
 * - P5  Of a member with several URLs one is tried after the other until it is connected.
 */
import type { MemberId } from '../core/index.ts'
import type { CoordinationState, Member } from '../engine/coordination/index.ts'
import type { Group } from '../engine/replication/index.ts'
import type { Address, Logger, Scheduler, Timer } from '../runtime/index.ts'
import type { AddressBook } from './address-book.ts'
import { addressOf, parseUrls } from './config/index.ts'

export interface PeerSetContext {
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly self: MemberId
  readonly group: Pick<Group<unknown>, 'configuration' | 'onConfigurationChange'>
  readonly machine: Pick<CoordinationState, 'observe'> & {
    members(): readonly Member[]
    isRemoved(id: MemberId): boolean
  }
  readonly lingerMs: number
  readonly setPeers: (peers: ReadonlyMap<MemberId, Address>) => void
  readonly isConnected: (peer: MemberId) => boolean
  /** Whom this node knew when it last ran, and where. */
  readonly book: Pick<AddressBook, 'members' | 'note'>
}

/** A URL gets so long to lead to a connection: longer than one attempt takes. */
const rotateEveryMs = 3000

/** More members than any cluster has. */
const learnedMax = 256

/** A member and where the others reach it. */
export type PeerAddress = Pick<Member, 'id' | 'peerUrls'>

export class PeerSet {
  private readonly context: PeerSetContext
  private readonly unsubscribe: readonly (() => void)[]
  private readonly addresses = new Map<MemberId, Address>()
  private readonly leaving = new Map<MemberId, Timer>()
  private readonly learned = new Set<MemberId>()
  /** What was noted of each member in `addresses`. */
  private readonly noted = new Map<MemberId, PeerAddress>()
  /** P5: which of its URLs is tried, counted on. */
  private readonly turns = new Map<MemberId, number>()
  private rotation: Timer | undefined
  /** P4. Empty from the first change on that the state tells. */
  private readonly booked: Map<MemberId, PeerAddress>

  constructor(context: PeerSetContext) {
    this.context = context
    const update = (): void => this.update()
    const hear = (): void => {
      this.booked.clear()
      this.update()
    }
    this.unsubscribe = [
      context.machine.observe({ onMembersChanged: hear, onRestored: hear }),
      context.group.onConfigurationChange(update),
    ]
    this.booked = new Map(context.book.members.map((member) => [member.id, member]))
    this.learn(context.book.members)
  }

  /** Another member says who the members are. What this node's own state declares goes before. */
  learn(members: readonly PeerAddress[]): void {
    for (const member of members) {
      if (this.learned.size >= learnedMax && !this.learned.has(member.id)) continue
      this.learned.add(member.id)
      this.noteAddress(member)
    }
    this.update()
  }

  /** Whether `peer` is no member any more, for good: removed, and in no configuration that could need its vote. */
  isRemoved(peer: MemberId): boolean {
    const { group, machine } = this.context
    if (!machine.isRemoved(peer)) return false
    const { configuration, committed } = group.configuration()
    const { voters, outgoing, learners } = configuration
    return committed && ![voters, outgoing, learners].some((set) => set.includes(peer))
  }

  stop(): void {
    for (const end of this.unsubscribe) end()
    for (const timer of this.leaving.values()) timer.cancel()
    this.rotation?.cancel()
  }

  private update(): void {
    const { book, group, machine, lingerMs, scheduler, self, setPeers } = this.context
    const declared = machine.members()
    for (const member of declared) this.noteAddress(this.booked.get(member.id) ?? member)
    for (const peer of this.learned) if (machine.isRemoved(peer)) this.learned.delete(peer)
    const { voters, outgoing, learners } = group.configuration().configuration
    const declaredIds = declared.map((member) => member.id)
    const members = new Set([...declaredIds, ...voters, ...outgoing, ...learners, ...this.learned])
    members.delete(self)
    for (const peer of this.addresses.keys()) {
      if (members.has(peer) || peer === self) {
        this.leaving.get(peer)?.cancel()
        this.leaving.delete(peer)
      } else if (!this.leaving.has(peer)) {
        const leave = (): void => {
          this.leaving.delete(peer)
          this.addresses.delete(peer)
          this.noted.delete(peer)
          this.turns.delete(peer)
          this.update()
        }
        this.leaving.set(peer, scheduler.setTimer(lingerMs, leave))
      }
    }
    book.note([...this.noted.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)))
    setPeers(new Map([...this.addresses].filter(([peer]) => peer !== self)))
    this.rotateLater()
  }

  /** P5. */
  private rotateLater(): void {
    const { scheduler, self, isConnected } = this.context
    const several = [...this.noted.values()].filter(({ id, peerUrls }) => id !== self && peerUrls.length > 1)
    if (this.rotation !== undefined || several.length === 0) return
    this.rotation = scheduler.setTimer(rotateEveryMs, () => {
      this.rotation = undefined
      for (const { id } of several) if (!isConnected(id)) this.turns.set(id, (this.turns.get(id) ?? 0) + 1)
      for (const member of several) if (this.noted.get(member.id) === member) this.noteAddress(member)
      this.update()
    })
  }

  private noteAddress({ id, peerUrls }: PeerAddress): void {
    const problems: string[] = []
    const text = peerUrls[(this.turns.get(id) ?? 0) % peerUrls.length] ?? ''
    const [url] = parseUrls('a member', text, problems)
    if (url !== undefined) {
      this.addresses.set(id, addressOf(url))
      this.noted.set(id, { id, peerUrls })
    } else this.context.logger.warn('a member cannot be reached', { member: id.toString(16), reason: problems.join() })
  }
}
