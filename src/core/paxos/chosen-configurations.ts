import { assert } from '../../base/index.ts'
import { decodeConfiguration } from '../consensus/index.ts'
import type { Configuration, Entry, MemberId, SnapshotMeta } from '../replicated-log.ts'

interface ChosenConfiguration {
  /** The slot of the value that set it; it governs from the next one on. */
  readonly index: number
  /** Without `outgoing`. */
  readonly configuration: Configuration
  /** The voters before it. */
  readonly former: readonly MemberId[]
}

/**
 * The configurations in the chosen part of the log. Values that are accepted but not known chosen have no say: see
 * `reconfiguration.ts`. Told to the host, a configuration names the former voters as `outgoing` until it is settled.
 *
 * Invariants:
 * - C1  There is at least one element; slots rise. The first is that of the snapshot (or older, before compaction).
 * - C2  `former` is not empty only while no slot after the current configuration's is known chosen (M5).
 * - C3  A configuration value sets nothing when a value of a later round stands before it: its leader was deposed, its value
 *       was recovered long after, and others have been set meanwhile. Taken for good, it would undo those, and bring back
 *       voters that were removed and are gone. All nodes judge alike, from what is chosen.
 */
export class ChosenConfigurations {
  private history: ChosenConfiguration[]
  /** The current one as the host sees it: another object whenever it changes. */
  reported: Configuration
  private currentMembers: readonly MemberId[] = []
  /** The voters before the current configuration, until that is settled: they may still lead. */
  private formerVoters: readonly MemberId[] = []
  /** The highest round that proposed a value of the chosen part of the log (C3). */
  private highestTerm = 0

  /** What a snapshot holds: `term` is the highest of any value in it. */
  constructor(snapshot: SnapshotMeta) {
    this.history = []
    this.reported = snapshot.configuration
    this.reset(snapshot)
  }

  /** The one that decides on the next slot to be chosen. */
  get current(): Configuration {
    return this.latest.configuration
  }

  /** The slot of the value that set the current one; at most a snapshot's slot when that brought it. */
  get currentIndex(): number {
    return this.latest.index
  }

  /** Whether the current configuration can do without the one before it (M5). */
  get isSettled(): boolean {
    return this.formerVoters.length === 0
  }

  /** All voters, learners and former voters, each once. */
  get members(): readonly MemberId[] {
    return this.currentMembers
  }

  isMember(member: MemberId): boolean {
    return this.currentMembers.includes(member)
  }

  isVoter(member: MemberId): boolean {
    return this.current.voters.includes(member)
  }

  /** Whether `member` may propose: a voter, or one of before as long as it takes. */
  mayLead(member: MemberId): boolean {
    return this.isVoter(member) || this.formerVoters.includes(member)
  }

  /** The configuration that the values up to `index` leave in force, for the snapshot of that slot. */
  at(index: number): Configuration {
    const element = this.history.findLast((candidate, i) => i === 0 || candidate.index <= index) as ChosenConfiguration
    const { configuration, former } = element
    return element.index === index && former.length > 0 ? { ...configuration, outgoing: former } : configuration
  }

  /** A value was chosen, the next in order; returns whether it set or settled a configuration. */
  chosen(entry: Entry): boolean {
    const settles = !this.isSettled
    const configuration = entry.term < this.highestTerm ? undefined : configurationOf(entry)
    this.highestTerm = Math.max(this.highestTerm, entry.term)
    if (configuration === undefined) {
      if (settles) this.enter([])
      return settles
    }
    const former = this.current.voters
    this.history.push({ index: entry.index, configuration, former })
    this.enter(former)
    return true
  }

  /** Slots up to `index` are in a snapshot: only the configuration in force there is kept of theirs. */
  compactedTo(index: number): void {
    const base = this.history.findLastIndex((element) => element.index <= index)
    if (base > 0) this.history = this.history.slice(base)
  }

  /** A snapshot took the place of everything up to `index`. */
  reset({ index, term, configuration: { voters, outgoing, learners } }: SnapshotMeta): void {
    this.highestTerm = Math.max(this.highestTerm, term)
    this.history = [{ index, configuration: { voters, outgoing: [], learners }, former: outgoing }]
    this.enter(outgoing)
  }

  validate(chosenIndex: number): void {
    assert(this.history.length > 0, 'there is a configuration (C1)')
    for (let i = 1; i < this.history.length; i++) {
      const earlier = this.history[i - 1] as ChosenConfiguration
      assert((this.history[i] as ChosenConfiguration).index > earlier.index, 'configurations rise in slot (C1)')
    }
    assert(this.isSettled || this.currentIndex === chosenIndex, 'a later slot settles a configuration (C2)')
  }

  private get latest(): ChosenConfiguration {
    return this.history[this.history.length - 1] as ChosenConfiguration
  }

  private enter(former: readonly MemberId[]): void {
    const { voters, learners } = this.current
    this.formerVoters = former
    this.reported = former.length === 0 ? this.current : { voters, outgoing: former, learners }
    this.currentMembers = [...new Set([...voters, ...learners, ...former])]
  }
}

/** The configuration that a value sets. A payload that does not decode, or names no voter, sets none, on every node alike. */
export function configurationOf(entry: Entry): Configuration | undefined {
  if (entry.kind !== 'configuration') return undefined
  const configuration = decodeConfiguration(entry.payload)
  return configuration === undefined || configuration.voters.length === 0 ? undefined : configuration
}

/** Whether two configurations give everybody the same part. */
export function sameMembers(a: Configuration, b: Configuration): boolean {
  return sameSet(a.voters, b.voters) && sameSet(a.outgoing, b.outgoing) && sameSet(a.learners, b.learners)
}

function sameSet(a: readonly MemberId[], b: readonly MemberId[]): boolean {
  return a.length === b.length && a.every((member) => b.includes(member))
}
