import { assert, Prng } from '../../base/index.ts'
import {
  type Configuration,
  type CoreEffect,
  type Entry,
  type HardState,
  type MemberId,
  type Membership,
  noMember,
  type SnapshotMeta,
} from '../replicated-log.ts'
import { decodeMessage, encodeMessage } from './codec.ts'
import type { RaftMessage } from './message.ts'
import type { RaftOptions } from './options.ts'
import { Raft } from './raft.ts'

/**
 * A cluster of cores for tests, in one process and on one random stream: disks that lose unsynced writes, a network that
 * loses, duplicates, delays and reorders, processes that stop and go on, clocks that drift, members that come and go; and
 * the properties of Raft figure 3 checked after every step. Every message passes through the codec.
 */

/** What is in a member's files. A persist effect changes nothing here before it is synced. */
interface Disk {
  hardState: HardState
  snapshot: SnapshotMeta
  /** What a snapshot of the state machine would hold: a digest of all applied entries. */
  snapshotDigest: string
  /** By index, as a log on disk would: gaps are possible below a stand-in. */
  entries: Map<number, Entry>
}

interface Member {
  readonly id: MemberId
  readonly disk: Disk
  raft: Raft | undefined
  /** Persist effects that are not durable yet, oldest first. */
  unsynced: Extract<CoreEffect<RaftMessage>, { type: 'persist' }>[]
  syncedId: number
  /** Sends that wait for a persist. */
  held: { readonly afterPersist: number; readonly to: MemberId; readonly message: RaftMessage }[]
  effects: CoreEffect<RaftMessage>[]
  appliedIndex: number
  digest: string
  /** Its monotonic clock: what it shows, and how much it goes on in a step of the world. */
  nowMs: number
  readonly msPerStep: number
  /** The process stands still until then, its clock does not; messages wait for it. */
  stoppedUntilStep: number
  /** As the configuration effects told it, to be compared with the status. */
  toldConfigurationIndex: number
}

interface Packet {
  readonly from: MemberId
  readonly to: MemberId
  readonly bytes: Uint8Array
  dueStep: number
}

interface Stream {
  readonly from: MemberId
  readonly to: MemberId
  readonly term: number
  readonly meta: SnapshotMeta
  readonly digest: string
  dueStep: number
}

export interface Faults {
  /** Chances in 1,000. */
  readonly loss: number
  readonly duplication: number
  readonly delay: number
}

const calm: Faults = { loss: 0, duplication: 0, delay: 0 }
const nobody: Configuration = { voters: [], outgoing: [], learners: [] }

/** What passes in a step by the slowest clock. */
export const stepMs = 10

export class TestCluster {
  readonly members = new Map<MemberId, Member>()
  readonly prng: Prng
  faults: Faults = calm
  /** Ordered pairs whose packets are dropped. */
  readonly cut = new Set<string>()
  steps = 0
  /** What some member committed, for all time: index to (term, payload). */
  readonly chosen: string[] = []
  /** For each of them, the term in which a member first knew it. */
  private readonly chosenInTerm: number[] = []
  /** Commands that a member applied, by payload. */
  readonly appliedPayloads = new Set<string>()
  private readonly leaders = new Map<number, MemberId>()
  private packets: Packet[] = []
  private streams: Stream[] = []
  private readonly options: Partial<RaftOptions>
  private readonly founding: Configuration
  /** By how much the fastest clock outruns the slowest. */
  private readonly driftMax: number
  /** Reads under way: by member and id, the highest index acknowledged when they began. */
  private readonly reads = new Map<string, number>()
  private lastReadId = 0
  readsDone = 0
  /** Of these, answered in the step that asked, without a message. */
  readsAtOnce = 0
  private acknowledgedIndex = 0
  /** Configurations that were committed. */
  changesDone = 0

  constructor(seed: string, configuration: Configuration, options: Partial<RaftOptions> = {}, driftMax = 0) {
    this.prng = new Prng(seed)
    this.options = options
    this.founding = configuration
    this.driftMax = driftMax
    for (const id of new Set([...configuration.voters, ...configuration.outgoing, ...configuration.learners])) {
      this.join(id, configuration)
    }
  }

  /** Starts a member that joins, with an empty disk. It may know who founded the cluster, or nobody. */
  joinLater(id: MemberId): void {
    this.join(id, this.prng.below(2) === 0 ? nobody : this.founding)
  }

  private join(id: MemberId, configuration: Configuration): void {
    const disk: Disk = {
      hardState: { term: 0, votedFor: noMember },
      snapshot: { index: 0, term: 0, configuration },
      snapshotDigest: '',
      entries: new Map(),
    }
    this.members.set(id, {
      id,
      disk,
      raft: undefined,
      unsynced: [],
      syncedId: 0,
      held: [],
      effects: [],
      appliedIndex: 0,
      digest: '',
      nowMs: this.prng.below(1_000_000),
      msPerStep: stepMs * (1 + (this.driftMax * this.prng.below(1001)) / 1000),
      stoppedUntilStep: 0,
      toldConfigurationIndex: 0,
    })
    this.start(id)
  }

  member(id: MemberId): Member {
    const member = this.members.get(id)
    assert(member !== undefined, 'the member exists')
    return member
  }

  get running(): Member[] {
    return [...this.members.values()].filter((member) => member.raft !== undefined)
  }

  /** The leader of the highest term among the running members. */
  get leader(): Member | undefined {
    let best: Member | undefined
    for (const member of this.running) {
      if (member.raft?.status().role !== 'leader') continue
      if (best === undefined || member.raft.status().term > (best.raft as Raft).status().term) best = member
    }
    return best
  }

  /** The members of the configuration that the leader has committed; empty while there is none, or it is joint. */
  get settledMembers(): ReadonlySet<MemberId> {
    const status = this.leader?.raft?.status()
    if (status === undefined || status.configurationIndex > status.commitIndex) return new Set()
    const { voters, outgoing, learners } = status.configuration
    return new Set(outgoing.length > 0 ? [] : [...voters, ...learners])
  }

  start(id: MemberId): void {
    const member = this.member(id)
    const { disk } = member
    const entries = [...disk.entries.values()].sort((a, b) => a.index - b.index)
    member.appliedIndex = disk.snapshot.index
    member.digest = disk.snapshotDigest
    member.syncedId = 0
    member.raft = new Raft({
      id,
      restore: { hardState: disk.hardState, snapshot: disk.snapshot, entries },
      sink: (effect) => member.effects.push(effect),
      random: (bound) => this.prng.below(bound),
      options: this.options,
    })
    member.raft.validate()
    member.toldConfigurationIndex = member.raft.status().configurationIndex
  }

  /** The process dies: what was not synced is gone, and its connections break. */
  crash(id: MemberId, tellPeers = true): void {
    const member = this.member(id)
    member.raft = undefined
    member.stoppedUntilStep = 0
    member.unsynced = []
    member.held = []
    member.effects = []
    this.streams = this.streams.filter((stream) => {
      if (stream.from !== id && stream.to !== id) return true
      this.reportStream(stream, false)
      return false
    })
    if (!tellPeers) return
    for (const peer of this.running) {
      if (!this.isStopped(peer)) this.step(peer, { type: 'connectionLost', peer: id })
    }
  }

  /** The process stands still for so many steps. */
  stop(id: MemberId, steps: number): void {
    this.member(id).stoppedUntilStep = this.steps + steps
  }

  isStopped(member: Member): boolean {
    return member.stoppedUntilStep > this.steps
  }

  step(member: Member, event: Parameters<Raft['step']>[0]): void {
    if (member.raft === undefined) return
    member.raft.step(event)
    this.afterStep(member)
  }

  tick(id: MemberId): void {
    const member = this.member(id)
    if (!this.isStopped(member)) this.step(member, { type: 'tick', nowMs: member.nowMs })
  }

  propose(id: MemberId, payloads: readonly string[]): boolean {
    const member = this.member(id)
    if (member.raft === undefined || this.isStopped(member)) return false
    const result = member.raft.propose(payloads.map((payload) => Buffer.from(payload)))
    this.afterStep(member)
    return result.ok
  }

  configure(id: MemberId, target: Membership): boolean {
    const member = this.member(id)
    if (member.raft === undefined || this.isStopped(member)) return false
    const result = member.raft.proposeConfiguration(target)
    this.afterStep(member)
    return result.ok
  }

  read(id: MemberId): void {
    const member = this.member(id)
    if (this.isStopped(member)) return
    const readId = ++this.lastReadId
    this.reads.set(`${id}/${readId}`, this.acknowledgedIndex)
    const isAlone = member.raft?.status().configuration.voters.length === 1
    const before = this.readsDone
    this.step(member, { type: 'readIndex', id: readId, nowMs: member.nowMs })
    if (!isAlone) this.readsAtOnce += this.readsDone - before
  }

  /** Makes the oldest `count` persists of a member durable. */
  sync(id: MemberId, count = Number.POSITIVE_INFINITY): void {
    const member = this.member(id)
    if (member.raft === undefined || member.unsynced.length === 0 || this.isStopped(member)) return
    const done = member.unsynced.splice(0, Math.min(count, member.unsynced.length))
    for (const persist of done) writeToDisk(member.disk, persist)
    member.syncedId = (done[done.length - 1] as { id: number }).id
    const free = member.held.filter((held) => held.afterPersist <= member.syncedId)
    member.held = member.held.filter((held) => held.afterPersist > member.syncedId)
    for (const held of free) this.transmit(member.id, held.to, held.message)
    this.step(member, { type: 'persisted', id: member.syncedId })
  }

  /** Takes a snapshot of what is applied, keeping `keep` entries before it. */
  snapshot(id: MemberId, keep: number): void {
    const member = this.member(id)
    const { raft, appliedIndex } = member
    if (raft === undefined || this.isStopped(member) || appliedIndex <= member.disk.snapshot.index) return
    const term = raft.termAt(appliedIndex)
    assert(term !== undefined, 'an applied entry has a term')
    if (raft.configurationAt(appliedIndex).voters.length === 0) return
    const meta = { index: appliedIndex, term, configuration: raft.configurationAt(appliedIndex) }
    member.disk.snapshot = meta
    member.disk.snapshotDigest = member.digest
    const compactTo = Math.max(0, appliedIndex - keep)
    for (const index of member.disk.entries.keys()) if (index <= compactTo) member.disk.entries.delete(index)
    this.step(member, { type: 'snapshotTaken', meta, compactTo })
  }

  /** Delivers the packets and streams that are due. */
  deliver(delivered: (to: MemberId) => void = () => {}): void {
    this.steps++
    for (const member of this.members.values()) member.nowMs += member.msPerStep
    const isDue = (packet: Packet) => packet.dueStep <= this.steps && !this.isStopped(this.member(packet.to))
    const due = this.packets.filter(isDue)
    this.packets = this.packets.filter((packet) => !isDue(packet))
    for (const { from, to, bytes } of due) {
      const member = this.member(to)
      if (member.raft === undefined || this.cut.has(`${from}>${to}`)) continue
      const message = decodeMessage(bytes)
      assert(message !== undefined, 'an encoded message decodes')
      this.step(member, { type: 'message', from, message })
      delivered(to)
    }
    const isFinished = (stream: Stream) =>
      stream.dueStep <= this.steps && ![stream.from, stream.to].some((id) => this.isStopped(this.member(id)))
    const finished = this.streams.filter(isFinished)
    this.streams = this.streams.filter((stream) => !isFinished(stream))
    for (const stream of finished) this.finishStream(stream)
  }

  private finishStream(stream: Stream): void {
    const follower = this.member(stream.to)
    if (follower.raft !== undefined && !this.cut.has(`${stream.from}>${stream.to}`)) {
      const message = { type: 'installSnapshot', term: stream.term, meta: stream.meta } as const
      this.step(follower, { type: 'message', from: stream.from, message })
      if (follower.raft.status().leader === stream.from && follower.raft.acceptsSnapshot(stream.meta)) {
        follower.disk.snapshot = stream.meta
        follower.disk.snapshotDigest = stream.digest
        // A crash may come between the durable snapshot and the stand-in.
        if (this.prng.below(10) === 0) {
          this.crash(stream.to)
          this.start(stream.to)
        } else {
          follower.appliedIndex = stream.meta.index
          follower.digest = stream.digest
          this.step(follower, { type: 'snapshotRestored', meta: stream.meta })
          this.reportStream(stream, true)
          return
        }
      }
    }
    this.reportStream(stream, false)
  }

  private reportStream(stream: Stream, ok: boolean): void {
    this.step(this.member(stream.from), { type: 'snapshotSent', to: stream.to, index: stream.meta.index, ok })
  }

  private afterStep(member: Member): void {
    const { raft } = member
    assert(raft !== undefined, 'the member runs')
    raft.validate()
    const effects = member.effects
    member.effects = []
    for (const effect of effects) this.carryOut(member, effect)
    this.checkLeader(member)
    const { configurationIndex } = raft.status()
    assert(member.toldConfigurationIndex === configurationIndex, 'each configuration in force is told')
  }

  private carryOut(member: Member, effect: CoreEffect<RaftMessage>): void {
    switch (effect.type) {
      case 'persist':
        member.unsynced.push(effect)
        break
      case 'send':
        if (effect.afterPersist > member.syncedId) member.held.push(effect)
        else this.transmit(member.id, effect.to, effect.message)
        break
      case 'commit':
        this.apply(member, effect.index)
        break
      case 'readReady':
        this.checkRead(member, effect.id, effect.index)
        break
      case 'configuration':
        member.toldConfigurationIndex = effect.index
        break
      case 'sendSnapshot': {
        const meta = member.disk.snapshot
        const term = (member.raft as Raft).status().term
        const dueStep = this.steps + 1 + this.prng.below(5)
        this.streams.push({ from: member.id, to: effect.to, term, meta, digest: member.disk.snapshotDigest, dueStep })
        break
      }
      default:
        break
    }
  }

  private transmit(from: MemberId, to: MemberId, message: RaftMessage): void {
    const { loss, duplication, delay } = this.faults
    const copies = this.prng.below(1000) < duplication ? 2 : 1
    for (let i = 0; i < copies; i++) {
      if (this.prng.below(1000) < loss) continue
      const dueStep = this.steps + 1 + (this.prng.below(1000) < delay ? this.prng.below(30) : 0)
      this.packets.push({ from, to, bytes: encodeMessage(message), dueStep })
    }
  }

  /** State-machine safety and, over members, log matching of the committed part (Raft figure 3). */
  private apply(member: Member, index: number): void {
    for (const entry of (member.raft as Raft).entries(member.appliedIndex + 1, index)) {
      const text = `${entry.term}:${entry.kind}:${Buffer.from(entry.payload).toString()}`
      const known = this.chosen[entry.index]
      assert(known === undefined || known === text, `committed entry ${entry.index} never changes: ${known} ${text}`)
      if (known === undefined && entry.kind === 'configuration') this.changesDone++
      this.chosen[entry.index] = text
      this.chosenInTerm[entry.index] ??= (member.raft as Raft).status().term
      member.digest = digestAfter(member.digest, text)
      member.appliedIndex = entry.index
      if (entry.kind === 'command') this.appliedPayloads.add(Buffer.from(entry.payload).toString())
    }
    this.acknowledgedIndex = Math.max(this.acknowledgedIndex, index)
    member.raft?.step({ type: 'applied', index })
  }

  /** Election safety, and leader completeness at the moment of the election (Raft figure 3). */
  private checkLeader(member: Member): void {
    const status = (member.raft as Raft).status()
    if (status.role !== 'leader') return
    const known = this.leaders.get(status.term)
    assert(known === undefined || known === member.id, `one leader in term ${status.term}`)
    if (known !== undefined) return
    this.leaders.set(status.term, member.id)
    for (let index = status.firstIndex; index < this.chosen.length; index++) {
      const text = this.chosen[index]
      // A late winner of an old term owes nothing to what later terms committed.
      if ((this.chosenInTerm[index] ?? 0) > status.term) continue
      const term = (member.raft as Raft).termAt(index)
      assert(
        text === undefined || text.startsWith(`${term}:`),
        `the leader of term ${status.term} holds entry ${index}`,
      )
    }
  }

  /** A read sees everything that was acknowledged before it began. */
  private checkRead(member: Member, id: number, index: number): void {
    const acknowledged = this.reads.get(`${member.id}/${id}`)
    assert(acknowledged !== undefined, 'a read is answered once')
    this.reads.delete(`${member.id}/${id}`)
    assert(index >= acknowledged, `read ${id} got index ${index} after ${acknowledged} was acknowledged`)
    this.readsDone++
  }

  /** Log matching (Raft figure 3): same index and term, same entries up to there. */
  checkLogs(): void {
    const rafts = this.running.map((member) => member.raft as Raft)
    for (const [i, a] of rafts.entries()) for (const b of rafts.slice(i + 1)) checkLogMatching(a, b)
  }
}

function writeToDisk(disk: Disk, persist: Extract<CoreEffect<RaftMessage>, { type: 'persist' }>): void {
  if (persist.hardState !== undefined) disk.hardState = persist.hardState
  const first = persist.entries[0]
  if (first === undefined) return
  for (const index of disk.entries.keys()) if (index >= first.index) disk.entries.delete(index)
  for (const entry of persist.entries) disk.entries.set(entry.index, entry)
}

function digestAfter(digest: string, text: string): string {
  let hash = 17
  for (const unit of `${digest}|${text}`) hash = (Math.imul(hash, 31) + unit.charCodeAt(0)) | 0
  return String(hash)
}

function checkLogMatching(a: Raft, b: Raft): void {
  const from = Math.max(a.status().firstIndex, b.status().firstIndex)
  let agree = false
  for (let index = Math.min(a.status().lastIndex, b.status().lastIndex); index >= from; index--) {
    const same = a.termAt(index) === b.termAt(index)
    assert(!agree || same, `logs match below an agreement: entry ${index}`)
    agree ||= same
    if (!same) continue
    const mine = a.entries(index, index)[0] as Entry
    const theirs = b.entries(index, index)[0] as Entry
    assert(Buffer.compare(mine.payload, theirs.payload) === 0, `entries of one index and term are equal: ${index}`)
  }
}
