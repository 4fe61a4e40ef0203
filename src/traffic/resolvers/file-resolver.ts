import type { EndpointSource } from '../upstream/index.ts'
import { parseEndpointList } from './endpoint-list.ts'
import { errorText, type Resolver, type ResolverEvents, type TrafficRuntime } from './resolver.ts'

type FileSource = EndpointSource & { readonly type: 'file' }

/**
 * Endpoints from a file, read again when it changes. A file that is missing or wrong is told, and changes nothing.
 *
 * - F1  One reading is under way at a time; a change during it leads to another.
 */
export class FileResolver implements Resolver {
  private readonly source: FileSource
  private readonly outside: TrafficRuntime
  private readonly events: ResolverEvents
  private readonly stopWatching: () => void
  private isReading = false
  private isStale = false
  private closed = false
  /** The text that was told last. */
  private told: string | undefined

  constructor(source: FileSource, outside: TrafficRuntime, events: ResolverEvents) {
    this.source = source
    this.outside = outside
    this.events = events
    this.stopWatching = outside.files?.watch(source.path, () => void this.read()) ?? (() => {})
    void this.read()
  }

  close(): void {
    this.closed = true
    this.stopWatching()
  }

  private async read(): Promise<void> {
    this.isStale = true
    if (this.isReading) return
    this.isReading = true
    while (this.isStale && !this.closed) {
      this.isStale = false
      await this.readOnce()
    }
    this.isReading = false
  }

  private async readOnce(): Promise<void> {
    const { files } = this.outside
    const { path } = this.source
    try {
      if (files === undefined) throw new Error('this process reads no files: file sources cannot be used here')
      const text = await files.read(path)
      if (this.closed || text === this.told) return
      this.told = undefined
      const endpoints = parseEndpointList(text).map((address) => ({ address, unhealthy: '' }))
      this.told = text
      this.events.found(endpoints)
    } catch (error) {
      this.told = undefined
      const message = errorText(error)
      if (!this.closed) this.events.failed(message.includes(path) ? message : `${path}: ${message}`)
    }
  }
}
