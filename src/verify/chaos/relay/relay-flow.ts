/**
 * Carries the bytes of one direction of one connection, by the rule in force.
 *
 * - W1  Bytes keep their order, whatever the rule: nothing leaves before what is ahead of it.
 * - W2  At most `heldBytesMax`, and one chunk, wait here; then the source is not read, and the sender feels it, as with a
 *       full window.
 * - W3  While the direction is cut nothing is read, not even the end of the stream: a peer that died behind a cut is not
 *       known to be dead.
 * - W4  What waits because of a rule does not wait for longer than the rule is in force.
 */
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { LinkRule } from './link-rule.ts'

const heldBytesMax = 1 << 20
/** A narrow link passes on, at a time, what it carries in so many milliseconds. */
const pieceMs = 10

interface Held {
  chunk: Buffer
  dueMs: number
}

export class RelayFlow {
  private readonly source: Socket
  private readonly target: Socket
  private readonly rule: () => LinkRule
  private readonly draw: () => number
  private held: Held[] = []
  private heldBytes = 0
  private passedBytes = 0
  /** The narrow link is busy until then. */
  private busyUntilMs = 0
  /** The rule by which the times above were reckoned. */
  private reckonedBy: LinkRule
  private timer: NodeJS.Timeout | undefined
  private sourceEnded = false
  private closed = false

  /** `draw` gives numbers from 0 to 1 for jitter. */
  constructor(source: Socket, target: Socket, rule: () => LinkRule, draw: () => number) {
    this.source = source
    this.target = target
    this.rule = rule
    this.draw = draw
    this.reckonedBy = rule()
    source.on('data', (chunk: Buffer) => this.take(chunk))
    source.on('end', () => {
      this.sourceEnded = true
      this.update()
    })
    target.on('drain', () => this.update())
    this.update()
  }

  /** The rule may have changed. */
  update(): void {
    if (this.closed) return
    this.reckonAnew()
    this.deliver()
    if (this.rule().cut || this.heldBytes > heldBytesMax || this.target.writableNeedDrain) this.source.pause()
    else this.source.resume()
  }

  /** Takes bytes as if they had been read from the source. */
  take(chunk: Buffer): void {
    if (this.closed) return
    const previousMs = this.held.at(-1)?.dueMs ?? 0
    this.held.push({ chunk, dueMs: Math.max(previousMs, performance.now() + this.delayMs()) })
    this.heldBytes += chunk.length
    this.update()
  }

  /** What it is doing, for whoever looks for the cause of a standstill. */
  describe(): string {
    const reads = this.source.isPaused() ? 'not reading' : 'reading'
    return `${this.passedBytes} B passed, ${this.heldBytes + this.target.writableLength} B held, ${reads}`
  }

  close(): void {
    this.closed = true
    clearTimeout(this.timer)
    this.held = []
  }

  private delayMs(): number {
    const { delayMs, jitterMs } = this.rule()
    return jitterMs === 0 ? delayMs : delayMs + this.draw() * jitterMs
  }

  /** W4. */
  private reckonAnew(): void {
    const rule = this.rule()
    if (rule === this.reckonedBy) return
    this.reckonedBy = rule
    this.busyUntilMs = 0
    const latestMs = performance.now() + rule.delayMs + rule.jitterMs
    for (const each of this.held) each.dueMs = Math.min(each.dueMs, latestMs)
  }

  private deliver(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    const { cut, bytesPerSecond } = this.rule()
    if (cut) return
    const nowMs = performance.now()
    for (let first = this.held[0]; first !== undefined; first = this.held[0]) {
      const waitMs = Math.max(first.dueMs, this.busyUntilMs) - nowMs
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.update(), waitMs)
        return
      }
      const length = Math.min(first.chunk.length, Math.max(1, Math.floor((bytesPerSecond * pieceMs) / 1000)))
      this.target.write(first.chunk.subarray(0, length))
      this.heldBytes -= length
      this.passedBytes += length
      this.busyUntilMs = Math.max(nowMs, this.busyUntilMs) + (length / bytesPerSecond) * 1000
      if (length === first.chunk.length) this.held.shift()
      else first.chunk = first.chunk.subarray(length)
    }
    if (this.sourceEnded) this.target.end()
  }
}
