// Watches for stale linearizable reads, on all members at once.
import { setTimeout as delay } from 'node:timers/promises'
import type { Channel } from './channel.ts'
import { keyValuesOf, put, range, revisionOf } from './rpc.ts'

const readEveryMs = 20

/** A key that one writer keeps changing, and readers that must never see it older than it was when they asked. */
export class FreshnessProbe {
  /** The revision of the newest acknowledged change. */
  acknowledgedRevision = 0
  answered = 0
  failed = 0
  readonly stale: string[] = []
  readonly #channels: readonly Channel[]
  readonly #reads = new Set<Promise<void>>()
  #stopping = false
  #running: Promise<unknown> | undefined

  constructor(channels: readonly Channel[]) {
    this.#channels = channels
  }

  start(): void {
    this.#running = Promise.all([this.#write(), ...this.#channels.map((channel) => this.#read(channel))])
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
    await Promise.all(this.#reads)
  }

  async #write(): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      const reply = await put(this.#channels[n % this.#channels.length]!, 'probe', String(n), 300)
      if (reply.kind === 'ok')
        this.acknowledgedRevision = Math.max(this.acknowledgedRevision, revisionOf(reply.message))
      await delay(2)
    }
  }

  async #read(channel: Channel): Promise<void> {
    while (!this.#stopping) {
      const read = this.#readOnce(channel).finally(() => this.#reads.delete(read))
      this.#reads.add(read)
      await delay(readEveryMs)
    }
  }

  async #readOnce(channel: Channel): Promise<void> {
    const floor = this.acknowledgedRevision
    const reply = await range(channel, 'probe', { timeoutMs: 20_000 })
    if (reply.kind !== 'ok') {
      this.failed++
      return
    }
    this.answered++
    const seen = keyValuesOf(reply.message)[0]?.modRevision ?? 0
    if (seen < floor) this.stale.push(`${channel.endpoint} saw revision ${seen}, ${floor} was acknowledged before`)
  }
}
