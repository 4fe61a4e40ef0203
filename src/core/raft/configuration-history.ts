import { assert } from '../../base/index.ts'
import { decodeConfiguration } from '../consensus/index.ts'
import type { Configuration, Entry, MemberId } from '../replicated-log.ts'

/** A configuration, and the index of the entry (or of the snapshot) that set it. */
interface Element {
  readonly index: number
  readonly configuration: Configuration
}

/**
 * The configurations in the log. A server always uses the latest one in its log, committed or not (Raft §6), so this
 * follows appends, truncations and compactions.
 *
 * Invariants:
 * - C1  There is at least one element; indexes rise. The first is that of the snapshot (or older, before compaction).
 * - C2  Each element follows from the one before it by a step of joint consensus (see `isStep`), except the first that a
 *       node without any voters learns.
 */
export class ConfigurationHistory {
  private history: Element[]
  private currentMembers: readonly MemberId[]

  constructor(index: number, configuration: Configuration) {
    this.history = [{ index, configuration }]
    this.currentMembers = membersOf(configuration)
  }

  get current(): Configuration {
    return this.latest.configuration
  }

  /** The index of the entry that set it; that of the initial configuration or of the snapshot if none in memory did. */
  get currentIndex(): number {
    return this.latest.index
  }

  /** All voters, outgoing voters and learners, each once. */
  get members(): readonly MemberId[] {
    return this.currentMembers
  }

  isMember(member: MemberId): boolean {
    return this.currentMembers.includes(member)
  }

  isVoter(member: MemberId): boolean {
    return isVoterIn(this.current, member)
  }

  /** Whether `member` votes in the configuration in force at `index`, or in any later one. */
  isVoterSince(member: MemberId, index: number): boolean {
    if (this.isVoter(member)) return true
    for (let position = this.positionAt(index); position < this.history.length - 1; position++) {
      if (isVoterIn((this.history[position] as Element).configuration, member)) return true
    }
    return false
  }

  /** The configuration in force at `index`, for the snapshot of that index. */
  at(index: number): Configuration {
    return (this.history[this.positionAt(index)] as Element).configuration
  }

  /** The members of the configuration in force at `index` and of all later ones, each once. */
  membersSince(index: number): readonly MemberId[] {
    const position = this.positionAt(index)
    if (position === this.history.length - 1) return this.currentMembers
    const since = this.history.slice(position).flatMap(({ configuration }) => membersOf(configuration))
    return [...new Set(since)]
  }

  /** Takes in appended entries; returns whether the current configuration changed. */
  appended(entries: readonly Entry[]): boolean {
    let changed = false
    for (const entry of entries) {
      if (entry.kind !== 'configuration') continue
      const configuration = decodeConfiguration(entry.payload)
      // A payload that makes no sense changes nothing, on every node alike.
      if (configuration === undefined || !isSensible(configuration)) continue
      this.history.push({ index: entry.index, configuration })
      changed = true
    }
    return changed && this.refresh()
  }

  /** Forgets the configurations from `index` on; returns whether the current one changed. */
  truncatedFrom(index: number): boolean {
    const kept = this.history.filter((element, i) => i === 0 || element.index < index)
    if (kept.length === this.history.length) return false
    this.history = kept
    return this.refresh()
  }

  /** Entries up to `index` are in a snapshot: only the configuration in force there is kept of theirs. */
  compactedTo(index: number): void {
    const position = this.positionAt(index)
    if (position > 0) this.history = this.history.slice(position)
  }

  reset(index: number, configuration: Configuration): boolean {
    this.history = [{ index, configuration }]
    return this.refresh()
  }

  validate(): void {
    assert(this.history.length > 0, 'there is a configuration (C1)')
    for (let i = 1; i < this.history.length; i++) {
      const earlier = this.history[i - 1] as Element
      const later = this.history[i] as Element
      assert(later.index > earlier.index, 'configurations rise in index (C1)')
      const isFirstKnown = earlier.configuration.voters.length === 0
      const follows = isFirstKnown || isStep(earlier.configuration, later.configuration)
      assert(follows, 'one change of the members at a time (C2)')
    }
  }

  /** The index of the configuration before the current one; that one's own if it is the only one. */
  get previousIndex(): number {
    return (this.history[Math.max(0, this.history.length - 2)] as Element).index
  }

  private get latest(): Element {
    return this.history[this.history.length - 1] as Element
  }

  /** Where in the history the configuration in force at `index` stands; the first when all are later. */
  private positionAt(index: number): number {
    let position = this.history.length - 1
    while (position > 0 && (this.history[position] as Element).index > index) position--
    return position
  }

  private refresh(): true {
    this.currentMembers = membersOf(this.current)
    return true
  }
}

function isSensible({ voters, learners }: Configuration): boolean {
  return voters.length > 0 && !learners.some((learner) => voters.includes(learner))
}

/** From C_old to C_old,new; from there to C_new; or only the learners change (Raft §6). */
function isStep(earlier: Configuration, later: Configuration): boolean {
  if (earlier.outgoing.length > 0) {
    const sameLearners = isSameSet(later.learners, earlier.learners)
    return later.outgoing.length === 0 && isSameSet(later.voters, earlier.voters) && sameLearners
  }
  return isSameSet(later.outgoing.length > 0 ? later.outgoing : later.voters, earlier.voters)
}

function isVoterIn({ voters, outgoing }: Configuration, member: MemberId): boolean {
  return voters.includes(member) || outgoing.includes(member)
}

/** Whether both hold the same members; neither holds one twice. */
export function isSameSet(a: readonly MemberId[], b: readonly MemberId[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member))
}

function membersOf(configuration: Configuration): readonly MemberId[] {
  return [...new Set([...configuration.voters, ...configuration.outgoing, ...configuration.learners])]
}
