import { assert } from '../../base/index.ts'
import {
  type Configuration,
  type CoreEffect,
  type CoreEvent,
  type Entry,
  type HardState,
  type MemberId,
  noMember,
  type SnapshotMeta,
} from '../replicated-log.ts'
import type { RaftMessage } from './message.ts'
import type { RaftOptions } from './options.ts'
import { Raft } from './raft.ts'
import { formatEffect, formatEntry, formatMessage } from './test-trace-format.ts'

/**
 * A world that follows a script, for the traces in `testdata/`. Draws are 0 unless the script says otherwise; messages
 * wait until they are delivered or dropped; disks write when told. Commands, N and M being members:
 *
 *   cluster voters=1,2,3 [outgoing=..] [learners=..] [lease=electionTimeoutMs/clockDriftMax] [option=value ..]
 *   join N ..                  starts members that know of no configuration
 *   log N term term ..         before any step: N restarts with such a log, in the last of these terms
 *   random N number ..         the next draws of N
 *   tick N [count]             stopped N ms  (the process stands still, its clock does not; a tick is a millisecond)
 *   timeout N  (ticks until N does something)
 *   propose N payload ..       read N id           transfer N [M]      lost N M
 *   configure N voters=1,2,3 [learners=..]
 *   sync N ..                  deliver [N>M ..]    drop [N>M ..]       repeat N>M (delivers, and keeps a copy)
 *   stabilize [N ..]           syncs and delivers among these members (all) until nothing moves
 *   crash N                    restart N
 *   snapshot N keep            streamed N>M        stream-failed N>M
 *   status                     entries N
 *   quiet COMMAND ..           says nothing about what happened
 */
interface TraceMember {
  raft: Raft
  running: boolean
  draws: number[]
  effects: CoreEffect<RaftMessage>[]
  hardState: HardState
  snapshot: SnapshotMeta
  entries: Entry[]
  unsynced: Extract<CoreEffect<RaftMessage>, { type: 'persist' }>[]
  syncedId: number
  held: Extract<CoreEffect<RaftMessage>, { type: 'send' }>[]
  nowMs: number
}

interface Letter {
  readonly from: MemberId
  readonly to: MemberId
  readonly message: RaftMessage
}

const stabilizeRoundsMax = 200

export class TraceWorld {
  private readonly members = new Map<MemberId, TraceMember>()
  private options: Partial<RaftOptions> = {}
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
        return void this.cluster(words)
      case 'join':
        for (const word of words) this.join(BigInt(word), { voters: [], outgoing: [], learners: [] })
        return
      case 'configure':
        return void this.configure(id, rest)
      case 'log':
        return void this.presetLog(id, rest.map(Number))
      case 'random':
        return void this.member(id).draws.push(...rest.map(Number))
      case 'tick':
        for (let i = 0; i < Number(rest[0] ?? 1); i++) this.tick(id)
        return
      case 'stopped':
        this.member(id).nowMs += Number(rest[0])
        return
      case 'timeout':
        return void this.timeout(id)
      case 'propose':
        return void this.propose(id, rest)
      case 'read':
        return void this.step(id, { type: 'readIndex', id: Number(rest[0]), nowMs: this.member(id).nowMs })
      case 'transfer':
        return void this.step(id, { type: 'transferLeadership', to: BigInt(rest[0] ?? 0) })
      case 'lost':
        return void this.step(id, { type: 'connectionLost', peer: BigInt(rest[0] as string) })
      case 'sync':
        for (const word of words) this.sync(BigInt(word))
        return
      case 'stabilize':
        return void this.stabilize(words.length === 0 ? [...this.members.keys()] : words.map(BigInt))
      default:
        this.rareCommand(command, id, words)
    }
  }

  private rareCommand(command: string, id: MemberId, words: readonly string[]): void {
    switch (command) {
      case 'deliver':
        return void this.take(words).forEach((letter) => void this.deliver(letter))
      case 'drop':
        return void this.take(words).forEach((letter) => void this.output.push(`dropped ${formatLetter(letter)}`))
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
        return void this.restart(id)
      case 'snapshot':
        return void this.takeSnapshot(id, Number(words[1] ?? 0))
      case 'streamed':
        return void this.stream(words[0] as string, true)
      case 'stream-failed':
        return void this.stream(words[0] as string, false)
      case 'status':
        for (const [member, { raft }] of this.members) this.output.push(formatStatus(member, raft))
        return
      case 'entries': {
        const { firstIndex, lastIndex } = this.member(id).raft.status()
        return void this.output.push(...this.member(id).raft.entries(firstIndex, lastIndex).map(formatEntry))
      }
      default:
        throw new Error(`unknown command: ${command} ${words.join(' ')}`)
    }
  }

  private cluster(words: readonly string[]): void {
    const settings = settingsOf(words)
    const configuration = configurationOf(settings)
    const options: Record<string, unknown> = { heartbeatTicks: 1, electionTimeoutTicks: 10 }
    for (const [name, value] of settings) {
      if (name in configuration) continue
      const [electionTimeoutMs, clockDriftMax] = value.split('/').map(Number)
      if (name === 'lease') options.leaseReads = { electionTimeoutMs, clockDriftMax }
      else options[name] = value === 'true' || (value !== 'false' && Number(value))
    }
    this.options = options as Partial<RaftOptions>
    for (const member of new Set([...configuration.voters, ...configuration.outgoing, ...configuration.learners])) {
      this.join(member, configuration)
    }
  }

  private join(id: MemberId, configuration: Configuration): void {
    const snapshot = { index: 0, term: 0, configuration }
    this.members.set(id, this.start(id, { term: 0, votedFor: noMember }, snapshot, []))
  }

  private configure(id: MemberId, words: readonly string[]): void {
    const member = this.member(id)
    const { voters, learners } = configurationOf(settingsOf(words))
    const result = member.raft.proposeConfiguration({ voters, learners })
    if (!result.ok) this.output.push(`${id} refused: ${result.reason}, leader ${result.leader}`)
    this.carryOut(id, member)
  }

  private start(id: MemberId, hardState: HardState, snapshot: SnapshotMeta, entries: Entry[]): TraceMember {
    const effects: CoreEffect<RaftMessage>[] = []
    const draws: number[] = []
    const raft = new Raft({
      id,
      restore: { hardState, snapshot, entries },
      sink: (effect) => effects.push(effect),
      random: (bound) => (draws.shift() ?? 0) % bound,
      options: this.options,
    })
    raft.validate()
    return {
      raft,
      running: true,
      draws,
      effects,
      hardState,
      snapshot,
      entries,
      unsynced: [],
      syncedId: 0,
      held: [],
      nowMs: 0,
    }
  }

  private presetLog(id: MemberId, terms: readonly number[]): void {
    const entries = terms.map((term, i) => {
      return { index: i + 1, term, kind: 'command', payload: Buffer.from(`t${term}`) } as const
    })
    const hardState = { term: terms.at(-1) ?? 0, votedFor: noMember }
    this.members.set(id, this.start(id, hardState, this.member(id).snapshot, entries))
  }

  private restart(id: MemberId): void {
    const { hardState, snapshot, entries, nowMs } = this.member(id)
    this.members.set(id, { ...this.start(id, hardState, snapshot, entries), nowMs })
  }

  private member(id: MemberId): TraceMember {
    const member = this.members.get(id)
    assert(member !== undefined, `member ${id} exists`)
    return member
  }

  private step(id: MemberId, event: CoreEvent<RaftMessage>): void {
    const member = this.member(id)
    if (!member.running) return
    member.raft.step(event)
    this.carryOut(id, member)
  }

  private tick(id: MemberId): void {
    const nowMs = ++this.member(id).nowMs
    this.step(id, { type: 'tick', nowMs })
  }

  private timeout(id: MemberId): void {
    const { output } = this
    for (let ticks = 1; output === this.output && ticks < 1000; ticks++) {
      const before = output.length
      this.tick(id)
      if (output.length === before) continue
      output.splice(before, 0, `after ${ticks} ticks`)
      return
    }
  }

  private propose(id: MemberId, payloads: readonly string[]): void {
    const member = this.member(id)
    const result = member.raft.propose(payloads.map((payload) => Buffer.from(payload)))
    if (!result.ok) this.output.push(`${id} refused: ${result.reason}, leader ${result.leader}`)
    this.carryOut(id, member)
  }

  private carryOut(id: MemberId, member: TraceMember): void {
    member.raft.validate()
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
      const first = persist.entries[0]
      if (first !== undefined) {
        member.entries = [...member.entries.filter((entry) => entry.index < first.index), ...persist.entries]
      }
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
    const { commitIndex } = member.raft.status()
    const term = member.raft.termAt(commitIndex)
    assert(term !== undefined, 'a committed entry is in memory')
    member.snapshot = { index: commitIndex, term, configuration: member.raft.configurationAt(commitIndex) }
    this.step(id, { type: 'applied', index: commitIndex })
    this.step(id, { type: 'snapshotTaken', meta: member.snapshot, compactTo: commitIndex - keep })
  }

  /** The host's part of `install-snapshot.ts`. */
  private stream(route: string, ok: boolean): void {
    const [from = noMember, to = noMember] = route.split('>').map(BigInt)
    const { raft, snapshot: meta } = this.member(from)
    const follower = this.member(to)
    const message = { type: 'installSnapshot', term: raft.status().term, meta } as const
    this.deliver({ from, to, message })
    const accepted = follower.raft.acceptsSnapshot(meta)
    this.output.push(`${to} ${accepted ? 'accepts' : 'refuses'} the snapshot`)
    if (ok && accepted) {
      follower.snapshot = meta
      this.step(to, { type: 'snapshotRestored', meta })
    }
    this.step(from, { type: 'snapshotSent', to, index: meta.index, ok: ok && accepted })
  }
}

function settingsOf(words: readonly string[]): Map<string, string> {
  return new Map(words.map((word) => word.split('=') as [string, string]))
}

function configurationOf(settings: ReadonlyMap<string, string>): Configuration {
  const list = (name: string) => (settings.get(name) ?? '').split(',').filter(Boolean).map(BigInt)
  return { voters: list('voters'), outgoing: list('outgoing'), learners: list('learners') }
}

function formatLetter({ from, to, message }: Letter): string {
  return `${from}>${to} ${formatMessage(message)}`
}

function formatStatus(id: MemberId, raft: Raft): string {
  const { role, leader, term, commitIndex, firstIndex, lastIndex, progress } = raft.status()
  const matches = [...progress].map(([member, { matchIndex }]) => ` ${member}:${matchIndex}`).join('')
  const positions = `term=${term} commit=${commitIndex} log=${firstIndex}..${lastIndex}`
  return `${id} ${role} leader=${leader} ${positions}${matches}`
}
