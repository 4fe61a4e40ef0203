/** What the cluster knows of its members: this one's client URLs are published through the log, the others' read there. */
import type { ReplicatedCoordinationEngine } from '../engine/coordination/index.ts'
import type { Runtime, Timer } from '../runtime/index.ts'
import type { NodeConfig } from './config/index.ts'

/** After a publication whose fate is not known, before it is tried again. Publishing twice does no harm. */
const retryMs = 500

export class MemberPublisher {
  private readonly runtime: Runtime
  private readonly config: NodeConfig
  private readonly engine: ReplicatedCoordinationEngine
  private timer: Timer | undefined
  private stopped = false

  constructor(runtime: Runtime, config: NodeConfig, engine: ReplicatedCoordinationEngine) {
    this.runtime = runtime
    this.config = config
    this.engine = engine
  }

  /** Publishes once the log is readable, unless the log says the same already; then calls `published`. */
  start(published: () => void): void {
    this.engine.linearizableRead((outcome) => {
      if (this.stopped) return
      if (!outcome.ok) return this.retry(published)
      if (this.isPublished()) return published()
      const { memberId, name } = this.config
      this.engine.publishMember({ memberId, name, clientUrls: this.clientUrls() }, (result) => {
        if (this.stopped) return
        if (result.ok) published()
        else this.retry(published)
      })
    })
  }

  stop(): void {
    this.stopped = true
    this.timer?.cancel()
  }

  private clientUrls(): string[] {
    return this.config.advertiseClientUrls.map((url) => url.text)
  }

  private isPublished(): boolean {
    const published = this.engine.members().find((member) => member.id === this.config.memberId)
    return (
      published !== undefined &&
      published.name === this.config.name &&
      published.clientUrls.join() === this.clientUrls().join()
    )
  }

  private retry(published: () => void): void {
    this.timer = this.runtime.scheduler.setTimer(retryMs, () => this.start(published))
  }
}
