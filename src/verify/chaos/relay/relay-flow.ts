/**
 * Carries the bytes of one direction of one connection, by the rule in force.
 *
 * - W1  Bytes keep their order, whatever the rule: a chunk never leaves before the one ahead of it.
 * - W2  At most `heldBytesMax` wait here; then the source is not read, and the sender feels it, as with a full window.
 * - W3  While the direction is cut nothing is read, not even the end of the stream: a peer that died behind a cut is not
 *       known to be dead.
 */
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { LinkRule } from './link-rule.ts'

const heldBytesMax = 1 << 20

export class RelayFlow {
  private readonly source: Socket
  private readonly target: Socket
  private readonly rule: () => LinkRule
  private readonly draw: () => number
  private held: { readonly chunk: Buffer; readonly dueMs: number }[] = []
  private heldBytes = 0
  /** When the last held chunk is due; the next is due no earlier (W1). */
  private lastDueMs = 0
  private timer: NodeJS.Timeout | undefined
  private sourceEnded = false
  private closed = false

  /** `draw` gives numbers from 0 to 1 for jitter. */
  constructor(source: Socket, target: Socket, rule: () => LinkRule, draw: () => number) {
    this.source = source
    this.target = target
    this.rule = rule
    this.draw = draw
    source.on('data', (chunk: Buffer) => this.take(chunk))
    source.on('end', () => {
      this.sourceEnded = true
      this.deliver()
    })
    target.on('drain', () => this.update())
    this.update()
  }

  /** The rule may have changed. */
  update(): void {
    if (this.closed) return
    const { cut } = this.rule()
    if (cut || this.heldBytes > heldBytesMax || this.target.writableNeedDrain) this.source.pause()
    else this.source.resume()
    this.deliver()
  }

  close(): void {
    this.closed = true
    clearTimeout(this.timer)
    this.held = []
  }

  /** Puts bytes that were read from the source before this flow began in front. */
  take(chunk: Buffer): void {
    if (this.closed) return
    const rule = this.rule()
    const jitterMs = rule.jitterMs === 0 ? 0 : this.draw() * rule.jitterMs
    const startMs = Math.max(performance.now() + rule.delayMs + jitterMs, this.lastDueMs)
    const dueMs = startMs + (chunk.length / rule.bytesPerSecond) * 1000
    this.lastDueMs = dueMs
    this.held.push({ chunk, dueMs })
    this.heldBytes += chunk.length
    this.update()
  }

  private deliver(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.closed || this.rule().cut) return
    const nowMs = performance.now()
    while (this.held.length > 0 && this.held[0]!.dueMs <= nowMs) {
      const { chunk } = this.held.shift()!
      this.heldBytes -= chunk.length
      this.target.write(chunk)
    }
    if (this.held.length > 0) {
      this.timer = setTimeout(() => this.update(), this.held[0]!.dueMs - nowMs)
    } else if (this.sourceEnded) this.target.end()
  }
}
