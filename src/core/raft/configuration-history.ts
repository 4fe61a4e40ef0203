import { assert } from '../../base/index.ts'
import type { Configuration, Entry, MemberId } from '../replicated-log.ts'
import { decodeConfiguration } from './configuration-codec.ts'

/**
 * The configurations in the log. A server always uses the latest one in its log, committed or not (Raft §6), so this
 * follows appends, truncations and compactions.
 *
 * Invariants:
 * - C1  There is at least one element; indexes rise. The first is that of the snapshot (or older, before compaction).
 */
export class ConfigurationHistory {
  private history: { readonly index: number; readonly configuration: Configuration }[]
  private currentMembers: readonly MemberId[]

  constructor(index: number, configuration: Configuration) {
    this.history = [{ index, configuration }]
    this.currentMembers = membersOf(configuration)
  }

  get current(): Configuration {
    return (this.history[this.history.length - 1] as { configuration: Configuration }).configuration
  }

  /** All voters, outgoing voters and learners, each once. */
  get members(): readonly MemberId[] {
    return this.currentMembers
  }

  isMember(member: MemberId): boolean {
    return this.currentMembers.includes(member)
  }

  isVoter(member: MemberId): boolean {
    return this.current.voters.includes(member) || this.current.outgoing.includes(member)
  }

  /** The configuration in force at `index`, for the snapshot of that index. */
  at(index: number): Configuration {
    for (let i = this.history.length - 1; i > 0; i--) {
      const element = this.history[i] as { index: number; configuration: Configuration }
      if (element.index <= index) return element.configuration
    }
    return (this.history[0] as { configuration: Configuration }).configuration
  }

  /** Takes in appended entries; returns whether the current configuration changed. */
  appended(entries: readonly Entry[]): boolean {
    let changed = false
    for (const entry of entries) {
      if (entry.kind !== 'configuration') continue
      const configuration = decodeConfiguration(entry.payload)
      // A payload that does not decode changes nothing, on every node alike.
      if (configuration === undefined || configuration.voters.length === 0) continue
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
    if (this.history.length === 1) return
    const base = { index, configuration: this.at(index) }
    this.history = [base, ...this.history.filter((element) => element.index > index)]
  }

  reset(index: number, configuration: Configuration): boolean {
    this.history = [{ index, configuration }]
    return this.refresh()
  }

  validate(): void {
    assert(this.history.length > 0, 'there is a configuration (C1)')
    for (let i = 1; i < this.history.length; i++) {
      const earlier = this.history[i - 1] as { index: number }
      assert((this.history[i] as { index: number }).index > earlier.index, 'configurations rise in index (C1)')
    }
  }

  private refresh(): true {
    this.currentMembers = membersOf(this.current)
    return true
  }
}

function membersOf(configuration: Configuration): readonly MemberId[] {
  return [...new Set([...configuration.voters, ...configuration.outgoing, ...configuration.learners])]
}
