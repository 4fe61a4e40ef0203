import type { Logger } from '../../runtime/index.ts'
import { errorText } from '../resolvers/index.ts'

/** Whoever wants to hear of changes. One that throws is logged, and keeps nobody else from hearing. */
export class Listeners {
  private readonly logger: Logger
  private readonly listeners = new Set<() => void>()

  constructor(logger: Logger) {
    this.logger = logger
  }

  add(listener: () => void): () => void {
    // Wrapped, so that the same function added twice is two listeners.
    const own = (): void => listener()
    this.listeners.add(own)
    return () => {
      this.listeners.delete(own)
    }
  }

  tell(): void {
    for (const listener of [...this.listeners]) {
      // One told before it may have ended another.
      if (!this.listeners.has(listener)) continue
      try {
        listener()
      } catch (error) {
        this.logger.error('a listener of upstream changes threw', { error: errorText(error) })
      }
    }
  }

  clear(): void {
    this.listeners.clear()
  }
}
