/**
 * When the events of one life of a node may run: at once, later (a slow node), or only after a resume (a stopped one).
 * The {@link Kernel} asks before it runs an event of that life.
 *
 * I1. Events of one life run in the order in which they fell due, however each was held.
 */
import type { DelayRangeMs, SimulatedRandom } from './random.ts'

/** What a machine's speed is, for all its lives. */
export interface NodeSpeed {
  /** Each event of the node is held for this long, though never past one that came earlier. */
  readonly eventDelayMs: DelayRangeMs
}

export class Gate<Event> {
  private readonly speed: () => NodeSpeed | undefined
  private readonly random: SimulatedRandom
  private stopped = false
  /** Events that fell due while stopped, in order. All count as held. */
  private gathered: Event[] = []
  /** How many events were held and have not run yet. While there are any, later ones are held behind them (I1). */
  private held = 0
  /** No event that falls due later runs before this. */
  private busyUntilMs = 0

  constructor(speed: () => NodeSpeed | undefined, random: SimulatedRandom) {
    this.speed = speed
    this.random = random
  }

  get isStopped(): boolean {
    return this.stopped
  }

  /** Whether an event that falls due now can run at once. */
  get isOpen(): boolean {
    return !this.stopped && this.held === 0 && this.speed() === undefined
  }

  stop(): void {
    this.stopped = true
  }

  /** Ends the stop. Returns what gathered. */
  start(): Event[] {
    this.stopped = false
    const gathered = this.gathered
    this.gathered = []
    return gathered
  }

  /** Holds an event that fell due at `nowMs`. Returns when it may run, unless the gate is stopped then. */
  hold(nowMs: number): number {
    const speed = this.speed()
    const delayMs = speed === undefined ? 0 : this.random.delayMs(speed.eventDelayMs)
    this.held++
    this.busyUntilMs = Math.max(this.busyUntilMs, nowMs + delayMs)
    return this.busyUntilMs
  }

  /** A held event may run by its time, and the gate is stopped. */
  gather(event: Event): void {
    this.gathered.push(event)
  }

  /** A held event runs, or was cancelled. */
  letGo(): void {
    this.held--
  }
}
