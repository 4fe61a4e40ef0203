/** The configuration in force on this node, and who wants to hear of its changes. */
import type { Configuration, CoreStatus } from '../../core/index.ts'
import type { GroupConfiguration } from './group.ts'

export class ConfigurationWatch {
  private readonly status: () => CoreStatus
  private readonly listeners = new Set<(configuration: GroupConfiguration) => void>()
  private configuration: Configuration
  /** Index of the entry that set it. */
  private index: number
  /** Whether that index is known to be committed. */
  private committed: boolean

  constructor(status: () => CoreStatus) {
    this.status = status
    const { configuration, configurationIndex, commitIndex } = status()
    this.configuration = configuration
    this.index = configurationIndex
    this.committed = configurationIndex <= commitIndex
  }

  current(): GroupConfiguration {
    const { commitIndex, progress } = this.status()
    return { configuration: this.configuration, committed: this.committed, commitIndex, progress }
  }

  add(listener: (configuration: GroupConfiguration) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** The core has another configuration: a newer one, or an older one again. */
  onConfiguration(configuration: Configuration, index: number): void {
    this.configuration = configuration
    this.index = index
    this.committed = index <= this.status().commitIndex
    this.notify()
  }

  onCommit(index: number): void {
    if (this.committed || index < this.index) return
    this.committed = true
    this.notify()
  }

  private notify(): void {
    const current = this.current()
    for (const listener of this.listeners) listener(current)
  }
}
