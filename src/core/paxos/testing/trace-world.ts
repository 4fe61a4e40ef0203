import { assert } from '../../../base/index.ts'
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
import type { PaxosMessage } from '../message.ts'
import type { PaxosOptions } from '../options.ts'
import { Paxos } from '../paxos.ts'
import { encodeRecords } from '../slot-record.ts'
import { formatEffect, formatMessage, formatSlot } from './trace-format.ts'

/**
 * A world that follows a script, for the traces in `testdata/`. Draws are 0 unless the script says otherwise; messages
 * wait until they are delivered or dropped; disks write when told. Commands, N and M being members:
 *
 *   cluster voters=1,2,3 [learners=..] [joining=..] [option=value ..]
 *   accepted N round slot=value@ballot ..   before any step: N restarts having accepted these, with `round` entered
 *   random N number ..         the next draws of N
 *   tick N [count]             timeout N  (ticks until N does something)
 *   propose N payload ..       read N id           transfer N [M]      lost N M
 *   members N 1,2,3 [4,5]      proposes these voters, and learners
 *   sync N ..                  deliver [N>M ..]    drop [N>M ..]       repeat N>M (delivers, and keeps a copy)
 *   stabilize [N ..]           syncs and delivers among these members (all) until nothing moves
 *   crash N                    restart N
 *   snapshot N keep            streamed N>M        stream-failed N>M
 *   status                     slots N
 *   quiet COMMAND ..           says nothing about what happened
 */
interface TraceMember {
  paxos: Paxos
  running: boolean
  draws: number[]
  effects: CoreEffect<PaxosMessage>[]
  hardState: HardState
  snapshot: SnapshotMeta
  /** The newest record of each slot. */
  records: Map<number, Entry>
  unsynced: Extract<CoreEffect<PaxosMessage>, { type: 'persist' }>[]
  syncedId: number
  held: Extract<CoreEffect<PaxosMessage>, { type: 'send' }>[]
}

interface Letter {
  readonly from: MemberId
  readonly to: MemberId
  readonly message: PaxosMessage
}

const stabilizeRoundsMax = 200

export class TraceWorld {
  private readonly members = new Map<MemberId, TraceMember>()
  private options: Partial<PaxosOptions> = {}
  private letters: Letter[] = []
  private output: string[] = []

  /** Carries out one line of a script and returns what happened. */
  run(line: string): string {
    this.output = []
    const [command = '', ...words] = line.split(/\s+/)
    if (command === 'quiet') {
      this.command(words[0] as string, words.slice(1))
      return 'ok\n'
    }
    this.command(command, words)
    return this.output.length === 0 ? 'ok\n' : `${this.output.join('\n')}\n`
  }

  private command(command: string, words: readonly string[]): void {
    const id = /^\d+$/.test(words[0] ?? '') ? BigInt(words[0] as string) : noMember
    const rest = words.slice(1)
    switch (command) {
      case 'cluster':
        return this.cluster(words)
      case 'accepted':
        return this.presetSlots(id, Number(rest[0]), rest.slice(1))
      case 'random':
        return void this.member(id).draws.push(...rest.map(Number))
      case 'tick':
        for (let i = 0; i < Number(rest[0] ?? 1); i++) this.step(id, { type: 'tick' })
        return
      case 'timeout':
        return this.timeout(id)
      case 'propose':
        return this.propose(id, rest)
      case 'members':
        return this.proposeMembers(id, rest)
      case 'read':
        return this.step(id, { type: 'readIndex', id: Number(rest[0]) })
      case 'transfer':
        return this.step(id, { type: 'transferLeadership', to: BigInt(rest[0] ?? 0) })
      case 'lost':
        return this.step(id, { type: 'connectionLost', peer: BigInt(rest[0] as string) })
      case 'sync':
        for (const word of words) this.sync(BigInt(word))
        return
      case 'stabilize':
        return this.stabilize(words.length === 0 ? [...this.members.keys()] : words.map(BigInt))
      default:
        this.rareCommand(command, id, words)
    }
  }

  private rareCommand(command: string, id: MemberId, words: readonly string[]): void {
    switch (command) {
      case 'deliver':
        for (const letter of this.take(words)) this.deliver(letter)
        return
      case 'drop':
        for (const letter of this.take(words)) this.output.push(`dropped ${formatLetter(letter)}`)
        return
      case 'repeat':
        for (const letter of this.take(words)) {
          this.letters.push(letter)
          this.deliver(letter)
        }
        return
      case 'crash':
        this.member(id).running = false
        return
      case 'restart':
        return this.restart(id)
      case 'snapshot':
        return this.takeSnapshot(id, Number(words[1] ?? 0))
      case 'streamed':
        return this.stream(words[0] as string, true)
      case 'stream-failed':
        return this.stream(words[0] as string, false)
      case 'status':
        for (const [member, { paxos, running }] of this.members) {
          if (running) this.output.push(formatStatus(member, paxos))
        }
        return
      case 'slots':
        return this.showSlots(id)
      default:
        throw new Error(`unknown command: ${command} ${words.join(' ')}`)
    }
  }

  private cluster(words: readonly string[]): void {
    const settings = new Map(words.map((word) => word.split('=') as [string, string]))
    const list = (name: string) => (settings.get(name) ?? '').split(',').filter(Boolean).map(BigInt)
    const configuration: Configuration = { voters: list('voters'), outgoing: [], learners: list('learners') }
    const options: Record<string, number | boolean> = { heartbeatTicks: 1, electionTimeoutTicks: 10 }
    for (const [name, value] of settings) {
      if (name in configuration || name === 'joining') continue
      options[name] = value === 'true' || (value !== 'false' && Number(value))
    }
    this.options = options as Partial<PaxosOptions>
    const blank = { term: 0, votedFor: noMember }
    for (const member of [...configuration.voters, ...configuration.learners]) {
      this.members.set(member, this.start(member, blank, { index: 0, term: 0, configuration }, new Map()))
    }
    const nobody = { index: 0, term: 0, configuration: { voters: [], outgoing: [], learners: [] } }
    for (const member of list('joining')) this.members.set(member, this.start(member, blank, nobody, new Map()))
  }

  private start(
    id: MemberId,
    hardState: HardState,
    snapshot: SnapshotMeta,
    records: Map<number, Entry>,
    draws: number[] = [],
  ): TraceMember {
    const effects: CoreEffect<PaxosMessage>[] = []
    const paxos = new Paxos({
      id,
      restore: { hardState, snapshot, entries: [...records.values()].sort((a, b) => a.index - b.index) },
      sink: (effect) => effects.push(effect),
      random: (bound) => (draws.shift() ?? 0) % bound,
      options: this.options,
    })
    paxos.validate()
    return {
      paxos,
      running: true,
      draws,
      effects,
      hardState,
      snapshot,
      records,
      unsynced: [],
      syncedId: 0,
      held: [],
    }
  }

  private presetSlots(id: MemberId, round: number, words: readonly string[]): void {
    const slots = words.map((word) => {
      const [, index, text, ballot] = /^(\d+)=(\w+)@(\d+)$/.exec(word) as unknown as [string, string, string, string]
      const value = { index: Number(index), term: Number(ballot), kind: 'command', payload: Buffer.from(text) } as const
      return { ballot: Number(ballot), value }
    })
    const records = encodeRecords(slots, { chosenAfter: 0, chosenThrough: 0 })
    const { snapshot } = this.member(id)
    const byIndex = new Map(records.map((record) => [record.index, record]))
    this.members.set(id, this.start(id, { term: round, votedFor: noMember }, snapshot, byIndex))
  }

  private restart(id: MemberId): void {
    const { hardState, snapshot, records } = this.member(id)
    this.members.set(id, this.start(id, hardState, snapshot, records))
  }

  private member(id: MemberId): TraceMember {
    const member = this.members.get(id)
    assert(member !== undefined, `member ${id} exists`)
    return member
  }

  private step(id: MemberId, event: CoreEvent<PaxosMessage>): void {
    const member = this.member(id)
    if (!member.running) return
    member.paxos.step(event)
    this.carryOut(id, member)
  }

  private timeout(id: MemberId): void {
    const { output } = this
    for (let ticks = 1; output === this.output && ticks < 1000; ticks++) {
      const before = output.length
      this.step(id, { type: 'tick' })
      if (output.length === before) continue
      output.splice(before, 0, `after ${ticks} ticks`)
      return
    }
  }

  private propose(id: MemberId, payloads: readonly string[]): void {
    const member = this.member(id)
    const result = member.paxos.propose(payloads.map((payload) => Buffer.from(payload)))
    if (!result.ok) this.output.push(`${id} refused: ${result.reason}, leader ${result.leader}`)
    this.carryOut(id, member)
  }

  private proposeMembers(id: MemberId, words: readonly string[]): void {
    const [voters = [], learners = []] = words.map((word) => word.split(',').map(BigInt))
    const member = this.member(id)
    const result = member.paxos.proposeConfiguration({ voters, learners })
    if (!result.ok) this.output.push(`${id} refused: ${result.reason}, leader ${result.leader}`)
    this.carryOut(id, member)
  }

  private carryOut(id: MemberId, member: TraceMember): void {
    member.paxos.validate()
    for (const effect of member.effects.splice(0)) {
      this.output.push(`${id} ${formatEffect(effect)}`)
      if (effect.type === 'persist') member.unsynced.push(effect)
      if (effect.type !== 'send') continue
      if (effect.afterPersist > member.syncedId) member.held.push(effect)
      else this.letters.push({ from: id, to: effect.to, message: effect.message })
    }
  }

  private sync(id: MemberId): void {
    const member = this.member(id)
    const last = member.unsynced.at(-1)
    if (!member.running || last === undefined) return
    for (const persist of member.unsynced.splice(0)) {
      if (persist.hardState !== undefined) member.hardState = persist.hardState
      for (const record of persist.entries) member.records.set(record.index, record)
    }
    member.syncedId = last.id
    this.output.push(`${id} synced ${last.id}`)
    for (const { to, message } of member.held.splice(0)) this.letters.push({ from: id, to, message })
    this.step(id, { type: 'persisted', id: last.id })
  }

  /** Takes the letters of the given routes (all) out of the network. */
  private take(routes: readonly string[]): Letter[] {
    const isTaken = (letter: Letter) => routes.length === 0 || routes.includes(`${letter.from}>${letter.to}`)
    const taken = this.letters.filter(isTaken)
    this.letters = this.letters.filter((letter) => !isTaken(letter))
    return taken
  }

  private deliver(letter: Letter): void {
    this.output.push(formatLetter(letter))
    this.step(letter.to, { type: 'message', from: letter.from, message: letter.message })
  }

  private stabilize(ids: readonly MemberId[]): void {
    for (let round = 0; round < stabilizeRoundsMax; round++) {
      const before = this.output.length
      for (const id of ids) this.sync(id)
      const routes = ids.flatMap((from) => ids.map((to) => `${from}>${to}`))
      for (const letter of this.take(routes)) this.deliver(letter)
      if (this.output.length === before) return
    }
    throw new Error('the cluster does not become quiet')
  }

  private takeSnapshot(id: MemberId, keep: number): void {
    const member = this.member(id)
    const { commitIndex: index } = member.paxos.status()
    const { firstIndex } = member.paxos.status()
    const terms = member.paxos.entries(firstIndex, index).map((entry) => entry.term)
    const term = Math.max(member.snapshot.term, ...terms)
    member.snapshot = { index, term, configuration: member.paxos.configurationAt(index) }
    this.step(id, { type: 'applied', index })
    this.step(id, { type: 'snapshotTaken', meta: member.snapshot, compactTo: index - keep })
  }

  /** The host's part of `install-snapshot.ts`. */
  private stream(route: string, ok: boolean): void {
    const [from = noMember, to = noMember] = route.split('>').map(BigInt)
    const { paxos, snapshot: meta } = this.member(from)
    const follower = this.member(to)
    this.deliver({ from, to, message: { type: 'installSnapshot', round: paxos.status().term, meta } })
    const accepted = follower.paxos.acceptsSnapshot(meta)
    this.output.push(`${to} ${accepted ? 'accepts' : 'refuses'} the snapshot`)
    if (ok && accepted) {
      follower.snapshot = meta
      this.step(to, { type: 'snapshotRestored', meta })
    }
    this.step(from, { type: 'snapshotSent', to, index: meta.index, ok: ok && accepted })
  }

  private showSlots(id: MemberId): void {
    const { paxos } = this.member(id)
    const { firstIndex, lastIndex } = paxos.status()
    for (let index = firstIndex; index <= lastIndex; index++) {
      const slot = paxos.slotAt(index)
      if (slot === undefined) this.output.push(`${index} gap`)
      else this.output.push(formatSlot({ ballot: slot.ballot, value: paxos.entries(index, index)[0] as Entry }))
    }
  }
}

function formatLetter({ from, to, message }: Letter): string {
  return `${from}>${to} ${formatMessage(message)}`
}

function formatStatus(id: MemberId, paxos: Paxos): string {
  const { role, leader, term, commitIndex, firstIndex, lastIndex, progress } = paxos.status()
  const matches = [...progress].map(([member, { matchIndex }]) => ` ${member}:${matchIndex}`).join('')
  return `${id} ${role} leader=${leader} round=${term} chosen=${commitIndex} slots=${firstIndex}..${lastIndex}${matches}`
}
