/**
 * The time line of a simulation: a queue of events, the virtual clock, and the fingerprint of the run. Owned by
 * {@link Simulation}; every simulated capability puts its events here.
 *
 * I1. Events run in the order of (time, sequence), and sequences are given out in the order of `push`.
 * I2. Times are multiples of `quantumMs`, rounded up, so that things happening close together share a moment, as the
 *     I/O events of one turn of a real event loop do.
 * I3. Each event run and each random draw changes the fingerprint, so equal fingerprints mean equal runs.
 */
import { Prng } from '../../base/index.ts'

/** A life of a node: from its creation or a restart to its next crash. */
export interface Incarnation {
  readonly nodeName: string
  /** 1 for the first life. */
  readonly number: number
  alive: boolean
}

export interface ScheduledEvent {
  readonly atMs: number
  readonly sequence: number
  /** For the fingerprint and for people: 'timer', 'disk', 'deliver', … */
  readonly kind: string
  /** It runs only while this life lasts. */
  readonly owner: Incarnation | undefined
  /** Undefined once cancelled. */
  run: (() => void) | undefined
}

/** A power of two, so that sums of multiples stay exact. About one turn of an event loop. */
const quantumMs = 1 / 64

export class Kernel {
  readonly seed: string
  nowMs = 0
  /** Events run so far. */
  eventsRun = 0
  private sequence = 0
  /** A binary heap, the next event first. */
  private readonly queue: ScheduledEvent[] = []
  private readonly kindHashes = new Map<string, number>()
  private hashLow = 0x243f6a88
  private hashHigh = 0x85a308d3

  constructor(seed: string) {
    this.seed = seed
  }

  push(owner: Incarnation | undefined, delayMs: number, kind: string, run: () => void): ScheduledEvent {
    const atMs = Math.ceil((this.nowMs + delayMs) / quantumMs) * quantumMs
    const event: ScheduledEvent = { atMs, sequence: this.sequence++, kind, owner, run }
    this.siftUp(event)
    return event
  }

  /** When the next event is due. */
  nextAtMs(): number | undefined {
    return this.nextLive()?.atMs
  }

  /** Runs the next event. False when there is none. */
  step(): boolean {
    const event = this.nextLive()
    if (event === undefined) return false
    this.pop()
    this.nowMs = event.atMs
    this.eventsRun++
    this.mix(event.sequence)
    this.mix(event.atMs / quantumMs)
    this.mix(this.kindHash(event.kind))
    const run = event.run!
    event.run = undefined
    run()
    return true
  }

  /** Moves the clock where nothing happens. */
  advanceTo(atMs: number): void {
    this.nowMs = Math.max(this.nowMs, atMs)
  }

  /** An independent stream of numbers, named `path`, from the seed. */
  prng(path: string): Prng {
    return new Prng(`${this.seed}/${path}`)
  }

  /** Adds to the fingerprint: the low 32 bits of `value`. */
  mix(value: number): void {
    const low = Math.imul(this.hashLow ^ value, 0x9e3779b1)
    const high = Math.imul(this.hashHigh + low, 0x85ebca6b)
    this.hashLow = low ^ (high >>> 15)
    this.hashHigh = high ^ (low >>> 13)
  }

  fingerprint(): string {
    return [this.hashHigh, this.hashLow].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  private kindHash(kind: string): number {
    let hash = this.kindHashes.get(kind)
    if (hash === undefined) {
      hash = new Prng(kind).uint32()
      this.kindHashes.set(kind, hash)
    }
    return hash
  }

  /** Drops the events at the front that were cancelled or whose owner is dead. */
  private nextLive(): ScheduledEvent | undefined {
    for (;;) {
      const event = this.queue[0]
      if (event === undefined || (event.run !== undefined && event.owner?.alive !== false)) return event
      this.pop()
    }
  }

  private siftUp(event: ScheduledEvent): void {
    const queue = this.queue
    let index = queue.length
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (isBefore(queue[parent]!, event)) break
      queue[index] = queue[parent]!
      index = parent
    }
    queue[index] = event
  }

  private pop(): void {
    const queue = this.queue
    const last = queue.pop()
    if (last === undefined || queue.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= queue.length) break
      if (child + 1 < queue.length && isBefore(queue[child + 1]!, queue[child]!)) child++
      if (isBefore(last, queue[child]!)) break
      queue[index] = queue[child]!
      index = child
    }
    queue[index] = last
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.sequence < b.sequence
}
