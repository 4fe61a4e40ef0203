import { assert } from '../../base/index.ts'
import { decodeConfiguration } from '../consensus/index.ts'
import type { Configuration, Entry, MemberId } from '../replicated-log.ts'

interface ChosenConfiguration {
  /** The slot of the value that set it; it governs from the next one on. */
  readonly index: number
  readonly configuration: Configuration
}

/**
 * The configurations in the chosen part of the log. Values that are accepted but not known chosen have no say: see
 * `reconfiguration.ts`.
 *
 * Invariants:
 * - C1  There is at least one element; slots rise. The first is that of the snapshot (or older, before compaction).
 */
export class ChosenConfigurations {
  private history: ChosenConfiguration[]
  private currentMembers: readonly MemberId[]

  constructor(index: number, configuration: Configuration) {
    this.history = [{ index, configuration }]
    this.currentMembers = membersOf(configuration)
  }

  /** The one that governs the next slot to be chosen. */
  get current(): Configuration {
    return this.latest.configuration
  }

  /** The slot of the value that set the current one; at most a snapshot's slot when that brought it. */
  get currentIndex(): number {
    return this.latest.index
  }

  /** All voters and learners, each once. */
  get members(): readonly MemberId[] {
    return this.currentMembers
  }

  isMember(member: MemberId): boolean {
    return this.currentMembers.includes(member)
  }

  isVoter(member: MemberId): boolean {
    return this.current.voters.includes(member) || this.current.outgoing.includes(member)
  }

  /** The configuration that the values up to `index` leave in force, for the snapshot of that slot. */
  at(index: number): Configuration {
    for (let i = this.history.length - 1; i > 0; i--) {
      const element = this.history[i] as ChosenConfiguration
      if (element.index <= index) return element.configuration
    }
    return (this.history[0] as ChosenConfiguration).configuration
  }

  /** A value was chosen; returns whether it set a configuration. */
  chosen(entry: Entry): boolean {
    const configuration = configurationOf(entry)
    if (configuration === undefined) return false
    this.history.push({ index: entry.index, configuration })
    this.currentMembers = membersOf(configuration)
    return true
  }

  /** Slots up to `index` are in a snapshot: only the configuration in force there is kept of theirs. */
  compactedTo(index: number): void {
    if (this.history.length === 1) return
    const later = this.history.filter((element) => element.index > index)
    const base = this.history.findLast((element) => element.index <= index)
    this.history = base === undefined ? this.history : [base, ...later]
  }

  /** A snapshot took the place of everything up to `index`; returns whether the current one changed. */
  reset(index: number, configuration: Configuration): boolean {
    const isSame = sameMembers(configuration, this.current)
    this.history = [{ index, configuration }]
    this.currentMembers = membersOf(configuration)
    return !isSame
  }

  validate(): void {
    assert(this.history.length > 0, 'there is a configuration (C1)')
    for (let i = 1; i < this.history.length; i++) {
      const earlier = this.history[i - 1] as ChosenConfiguration
      assert((this.history[i] as ChosenConfiguration).index > earlier.index, 'configurations rise in slot (C1)')
    }
  }

  private get latest(): ChosenConfiguration {
    return this.history[this.history.length - 1] as ChosenConfiguration
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

function membersOf(configuration: Configuration): readonly MemberId[] {
  return [...new Set([...configuration.voters, ...configuration.outgoing, ...configuration.learners])]
}
