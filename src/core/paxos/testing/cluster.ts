import { assert, Prng } from '../../../base/index.ts'
import {
  type Configuration,
  type CoreEffect,
  type CoreEvent,
  type Entry,
  type HardState,
  type MemberId,
  noMember,
  type SnapshotMeta,
} from '../../replicated-log.ts'
import { decodeMessage, encodeMessage } from '../codec.ts'
import type { PaxosMessage } from '../message.ts'
import type { PaxosOptions } from '../options.ts'
import { Paxos } from '../paxos.ts'

/**
 * A cluster of cores for tests, in one process and on one random stream: disks that lose unsynced writes, a network that
 * loses, duplicates, delays and reorders, members that come and go. Checked after every step: one leader a round, a chosen
 * value never changes, values are applied in order without gaps, reads see what was acknowledged. Every message passes
 * through the codec.
 */

type PersistEffect = Extract<CoreEffect<PaxosMessage>, { type: 'persist' }>

/** What is in a member's files. A persist effect changes nothing here before it is synced. */
interface Disk {
  hardState: HardState
  snapshot: SnapshotMeta
  /** What a snapshot of the state machine would hold: a digest of all applied values. */
  snapshotDigest: string
  /** The one before it, which the log reaches back to: it takes the place of the newest should that rot. */
  older: { readonly snapshot: SnapshotMeta; readonly digest: string } | undefined
  /** The newest record of each slot. */
  records: Map<number, Entry>
}

export interface Member {
  readonly id: MemberId
  readonly disk: Disk
  paxos: Paxos | undefined
  /** Persist effects that are not durable yet, oldest first. */
  unsynced: PersistEffect[]
  syncedId: number
  /** Sends that wait for a persist. */
  held: { readonly afterPersist: number; readonly to: MemberId; readonly message: PaxosMessage }[]
  effects: CoreEffect<PaxosMessage>[]
  appliedIndex: number
  appliedTerm: number
  digest: string
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
  readonly round: number
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

export class TestCluster {
  readonly members = new Map<MemberId, Member>()
  readonly prng: Prng
  faults: Faults = calm
  /** Whose newest snapshot is sometimes found damaged at a restart. */
  rotten: MemberId = noMember
  /** Ordered pairs whose packets are dropped. */
  readonly cut = new Set<string>()
  steps = 0
  /** What some member knew chosen, for all time: slot to value. */
  readonly chosen: string[] = []
  /** Commands that a member applied, by payload. */
  readonly appliedPayloads = new Set<string>()
  /** The configuration chosen last, and its slot. */
  configuration: Configuration
  configurationIndex = 0
  /** A later slot was applied: its members can do without the ones before (M5 in `reconfiguration.ts`). */
  isSettled = true
  readonly counts = new Map<string, number>()
  private readonly initialConfiguration: Configuration
  private readonly leaders = new Map<number, MemberId>()
  private packets: Packet[] = []
  private streams: Stream[] = []
  /** Of members that start from here on. */
  options: Partial<PaxosOptions>
  /** Reads under way: by member and id, the highest slot acknowledged when they began. */
  private readonly reads = new Map<string, number>()
  private lastReadId = 0
  readsDone = 0
  private acknowledgedIndex = 0

  constructor(seed: string, configuration: Configuration, options: Partial<PaxosOptions> = {}) {
    this.prng = new Prng(seed)
    this.options = options
    this.configuration = configuration
    this.initialConfiguration = configuration
    for (const id of new Set([...configuration.voters, ...configuration.learners])) this.add(id)
  }

  /** A node joins: with the founders' configuration, or with none. */
  add(id: MemberId, configuration: Configuration = this.initialConfiguration): void {
    const disk: Disk = {
      hardState: { term: 0, votedFor: noMember },
      snapshot: { index: 0, term: 0, configuration },
      snapshotDigest: '',
      older: undefined,
      records: new Map(),
    }
    this.members.set(id, {
      id,
      disk,
      paxos: undefined,
      unsynced: [],
      syncedId: 0,
      held: [],
      effects: [],
      appliedIndex: 0,
      appliedTerm: 0,
      digest: '',
    })
    this.start(id)
  }

  member(id: MemberId): Member {
    const member = this.members.get(id)
    assert(member !== undefined, 'the member exists')
    return member
  }

  get running(): Member[] {
    return [...this.members.values()].filter((member) => member.paxos !== undefined)
  }

  /** The leader of the highest round among the running members. */
  get leader(): Member | undefined {
    let best: Member | undefined
    for (const member of this.running) {
      if (member.paxos?.status().role !== 'leader') continue
      if (best === undefined || member.paxos.status().term > (best.paxos as Paxos).status().term) best = member
    }
    return best
  }

  start(id: MemberId): void {
    const member = this.member(id)
    const { disk } = member
    if (id === this.rotten && disk.older !== undefined && this.prng.below(3) === 0) {
      disk.snapshot = disk.older.snapshot
      disk.snapshotDigest = disk.older.digest
      disk.older = undefined
      this.count('snapshot rotten')
    }
    const entries = [...disk.records.values()].sort((a, b) => a.index - b.index)
    member.appliedIndex = disk.snapshot.index
    member.appliedTerm = disk.snapshot.term
    member.digest = disk.snapshotDigest
    member.syncedId = 0
    member.paxos = new Paxos({
      id,
      restore: { hardState: disk.hardState, snapshot: disk.snapshot, entries },
      sink: (effect) => member.effects.push(effect),
      random: (bound) => this.prng.below(bound),
      options: this.options,
    })
    member.paxos.validate()
  }

  /** The process dies: what was not synced is gone, but for a prefix of it, and its connections break. */
  crash(id: MemberId, tellPeers = true): void {
    const member = this.member(id)
    if (member.paxos !== undefined) this.keepPrefix(member)
    member.paxos = undefined
    member.unsynced = []
    member.held = []
    member.effects = []
    this.streams = this.streams.filter((stream) => {
      if (stream.from !== id && stream.to !== id) return true
      this.reportStream(stream, false)
      return false
    })
    if (!tellPeers) return
    for (const peer of this.running) this.step(peer, { type: 'connectionLost', peer: id })
  }

  step(member: Member, event: CoreEvent<PaxosMessage>): void {
    if (member.paxos === undefined) return
    member.paxos.step(event)
    this.afterStep(member)
  }

  tick(id: MemberId): void {
    this.step(this.member(id), { type: 'tick' })
  }

  propose(id: MemberId, payloads: readonly string[]): boolean {
    const member = this.member(id)
    if (member.paxos === undefined) return false
    const result = member.paxos.propose(payloads.map((payload) => Buffer.from(payload)))
    this.afterStep(member)
    return result.ok
  }

  reconfigure(id: MemberId, voters: readonly MemberId[], learners: readonly MemberId[]): boolean {
    const member = this.member(id)
    if (member.paxos === undefined) return false
    const result = member.paxos.proposeConfiguration({ voters, learners })
    this.afterStep(member)
    this.count(result.ok ? 'reconfiguration proposed' : `reconfiguration refused: ${result.reason}`)
    return result.ok
  }

  read(id: MemberId): void {
    const readId = ++this.lastReadId
    this.reads.set(`${id}/${readId}`, this.acknowledgedIndex)
    this.step(this.member(id), { type: 'readIndex', id: readId })
  }

  /** Makes the oldest `count` persists of a member durable. */
  sync(id: MemberId, count = Number.POSITIVE_INFINITY): void {
    const member = this.member(id)
    if (member.paxos === undefined || member.unsynced.length === 0) return
    const done = member.unsynced.splice(0, Math.min(count, member.unsynced.length))
    for (const persist of done) writeToDisk(member.disk, persist, persist.entries.length)
    member.syncedId = (done[done.length - 1] as { id: number }).id
    const free = member.held.filter((held) => held.afterPersist <= member.syncedId)
    member.held = member.held.filter((held) => held.afterPersist > member.syncedId)
    for (const held of free) this.transmit(member.id, held.to, held.message)
    this.step(member, { type: 'persisted', id: member.syncedId })
  }

  /** Takes a snapshot of what is applied, keeping `keep` slots before it. */
  snapshot(id: MemberId, keep: number): void {
    const member = this.member(id)
    const { paxos, appliedIndex } = member
    if (paxos === undefined || appliedIndex <= member.disk.snapshot.index) return
    const meta = { index: appliedIndex, term: member.appliedTerm, configuration: paxos.configurationAt(appliedIndex) }
    storeSnapshot(member.disk, meta, member.digest)
    const compactTo = Math.max(0, appliedIndex - keep)
    this.count('snapshot taken')
    this.step(member, { type: 'snapshotTaken', meta, compactTo })
  }

  /** Delivers the packets and streams that are due. */
  deliver(): void {
    this.steps++
    const due = this.packets.filter((packet) => packet.dueStep <= this.steps)
    this.packets = this.packets.filter((packet) => packet.dueStep > this.steps)
    for (const { from, to, bytes } of due) {
      const member = this.member(to)
      if (member.paxos === undefined || this.cut.has(`${from}>${to}`)) continue
      const message = decodeMessage(bytes)
      assert(message !== undefined, 'an encoded message decodes')
      this.step(member, { type: 'message', from, message })
    }
    const finished = this.streams.filter((stream) => stream.dueStep <= this.steps)
    this.streams = this.streams.filter((stream) => stream.dueStep > this.steps)
    for (const stream of finished) this.finishStream(stream)
  }

  private count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  /** Of what was not synced, any prefix may be on the disk all the same, in the middle of a persist too. */
  private keepPrefix(member: Member): void {
    for (const persist of member.unsynced) {
      if (this.prng.below(2) === 0) return
      const whole = this.prng.below(2) === 0
      writeToDisk(member.disk, persist, whole ? persist.entries.length : this.prng.below(persist.entries.length + 1))
      if (!whole) return
    }
  }

  private finishStream(stream: Stream): void {
    const follower = this.member(stream.to)
    if (follower.paxos !== undefined && !this.cut.has(`${stream.from}>${stream.to}`)) {
      const { round, meta } = stream
      this.step(follower, { type: 'message', from: stream.from, message: { type: 'installSnapshot', round, meta } })
      if (follower.paxos.status().leader === stream.from && follower.paxos.acceptsSnapshot(meta)) {
        storeSnapshot(follower.disk, meta, stream.digest)
        this.count('snapshot restored')
        // A crash may come between the durable snapshot and the next record.
        if (this.prng.below(10) === 0) {
          this.crash(stream.to)
          this.start(stream.to)
        } else {
          follower.appliedIndex = meta.index
          follower.appliedTerm = meta.term
          follower.digest = stream.digest
          this.step(follower, { type: 'snapshotRestored', meta })
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
    const { paxos } = member
    assert(paxos !== undefined, 'the member runs')
    paxos.validate()
    const effects = member.effects
    member.effects = []
    for (const effect of effects) this.carryOut(member, effect)
    this.checkLeader(member)
  }

  private carryOut(member: Member, effect: CoreEffect<PaxosMessage>): void {
    switch (effect.type) {
      case 'persist':
        member.unsynced.push(effect)
        break
      case 'send':
        if (!this.members.has(effect.to)) break
        if (effect.afterPersist > member.syncedId) member.held.push(effect)
        else this.transmit(member.id, effect.to, effect.message)
        break
      case 'commit':
        this.apply(member, effect.index)
        break
      case 'readReady':
        this.checkRead(member, effect.id, effect.index)
        break
      case 'sendSnapshot':
        this.stream(member, effect.to)
        break
      default:
        break
    }
  }

  /** As a host does: of the state as it is, not of the newest file. */
  private stream(member: Member, to: MemberId): void {
    const paxos = member.paxos as Paxos
    const { term: round } = paxos.status()
    const { appliedIndex: index, appliedTerm: term, digest } = member
    const meta = { index, term, configuration: paxos.configurationAt(index) }
    this.streams.push({ from: member.id, to, round, meta, digest, dueStep: this.steps + 1 + this.prng.below(5) })
  }

  private transmit(from: MemberId, to: MemberId, message: PaxosMessage): void {
    const { loss, duplication, delay } = this.faults
    const copies = this.prng.below(1000) < duplication ? 2 : 1
    for (let i = 0; i < copies; i++) {
      if (this.prng.below(1000) < loss) continue
      const dueStep = this.steps + 1 + (this.prng.below(1000) < delay ? this.prng.below(30) : 0)
      this.packets.push({ from, to, bytes: encodeMessage(message), dueStep })
    }
  }

  /** A chosen value never changes; slots are applied in order, without gaps. */
  private apply(member: Member, index: number): void {
    const paxos = member.paxos as Paxos
    for (const entry of paxos.entries(member.appliedIndex + 1, index)) {
      assert(entry.index === member.appliedIndex + 1, 'slots are applied without gaps')
      const text = `${entry.term}:${entry.kind}:${Buffer.from(entry.payload).toString('latin1')}`
      const known = this.chosen[entry.index]
      assert(known === undefined || known === text, `chosen slot ${entry.index} never changes: ${known} ${text}`)
      this.chosen[entry.index] = text
      member.digest = digestAfter(member.digest, text)
      member.appliedIndex = entry.index
      member.appliedTerm = Math.max(member.appliedTerm, entry.term)
      if (entry.kind === 'command') this.appliedPayloads.add(Buffer.from(entry.payload).toString())
      if (entry.index > this.configurationIndex) this.isSettled = true
      if (entry.kind === 'configuration' && entry.index > this.configurationIndex) {
        this.configurationIndex = entry.index
        this.configuration = paxos.configurationAt(entry.index)
        this.isSettled = false
        this.count('reconfiguration chosen')
      }
    }
    this.acknowledgedIndex = Math.max(this.acknowledgedIndex, index)
    paxos.step({ type: 'applied', index })
  }

  private checkLeader(member: Member): void {
    const { role, term } = (member.paxos as Paxos).status()
    if (role !== 'leader') return
    const known = this.leaders.get(term)
    assert(known === undefined || known === member.id, `one leader in round ${term}`)
    if (known === undefined) this.count('election')
    this.leaders.set(term, member.id)
  }

  /** A read sees everything that was acknowledged before it began. */
  private checkRead(member: Member, id: number, index: number): void {
    const acknowledged = this.reads.get(`${member.id}/${id}`)
    assert(acknowledged !== undefined, 'a read is answered once')
    this.reads.delete(`${member.id}/${id}`)
    assert(index >= acknowledged, `read ${id} got slot ${index} after ${acknowledged} was acknowledged`)
    this.readsDone++
  }
}

/** The hard state is durable before the records that come with it. */
function writeToDisk(disk: Disk, persist: PersistEffect, count: number): void {
  if (persist.hardState !== undefined) disk.hardState = persist.hardState
  for (const record of persist.entries.slice(0, count)) disk.records.set(record.index, record)
}

/** The log is released up to the older one of two snapshots. */
function storeSnapshot(disk: Disk, meta: SnapshotMeta, digest: string): void {
  const older = { snapshot: disk.snapshot, digest: disk.snapshotDigest }
  disk.older = older
  disk.snapshot = meta
  disk.snapshotDigest = digest
  for (const index of disk.records.keys()) if (index <= older.snapshot.index) disk.records.delete(index)
}

function digestAfter(digest: string, text: string): string {
  let hash = 17
  for (const unit of `${digest}|${text}`) hash = (Math.imul(hash, 31) + unit.charCodeAt(0)) | 0
  return String(hash)
}
