/**
 * The time line of a simulation: a queue of events, the virtual clock, and the fingerprint of the run. Owned by
 * {@link Simulation}; every simulated capability puts its events here.
 *
 * I1. Events run in the order of (time, sequence), and sequences are given out in the order of `push`.
 * I2. Times are multiples of `quantumMs`, rounded up, so that things happening close together share a moment, as the
 *     I/O events of one turn of a real event loop do.
 * I3. Each event run and each random draw changes the fingerprint, so equal fingerprints mean equal runs.
 * I4. An event whose owner is stopped or slow is held by its owner's gate and does not count as run until it runs.
 */
import { Prng } from '../../base/index.ts'
import { type EventClass, type EventCounts, eventClassOf } from './event-counts.ts'
import { EventQueue } from './event-queue.ts'
import { FaultLedger } from './fault-ledger.ts'
import type { Gate } from './gate.ts'

/** A life of a node: from its creation or a restart to its next crash. */
export interface Incarnation {
  readonly nodeName: string
  /** 1 for the first life. */
  readonly number: number
  /** Holds back its events while it is stopped or slow. */
  readonly gate: Gate<ScheduledEvent>
  alive: boolean
}

export interface ScheduledEvent {
  atMs: number
  sequence: number
  /** For the fingerprint and for people: 'timer', 'disk', 'deliver', … */
  readonly kind: string
  /** It runs only while this life lasts. */
  readonly owner: Incarnation | undefined
  /** The node it happens to: the owner's, or, of a segment, the receiver's. */
  readonly nodeName: string | undefined
  /** Its gate has held it, and counts it until it runs. */
  held: boolean
  /** Undefined once cancelled. */
  run: (() => void) | undefined
}

/** What the kernel keeps by kind of event. */
interface KindRecord {
  readonly hash: number
  readonly eventClass: EventClass
}

/** Told of each random draw: the stream's name and the value. */
export type DrawListener = (stream: string, value: number) => void

/** A power of two, so that sums of multiples stay exact. About one turn of an event loop. */
const quantumMs = 1 / 64

export class Kernel {
  readonly seed: string
  readonly faults: FaultLedger
  nowMs = 0
  /** Events run so far. */
  eventsRun = 0
  /** The event that ran last. */
  lastEvent: ScheduledEvent | undefined
  drawListener: DrawListener | undefined
  private sequence = 0
  private readonly queue = new EventQueue<ScheduledEvent>()
  private readonly kinds = new Map<string, KindRecord>()
  private readonly countsByClass = { messagesDelivered: 0, diskCompletions: 0, timersFired: 0, others: 0 }
  private hashLow = 0x243f6a88
  private hashHigh = 0x85a308d3

  constructor(seed: string) {
    this.seed = seed
    this.faults = new FaultLedger(() => this.nowMs)
  }

  /** `nodeName` says whom an event without an owner happens to. */
  push(
    owner: Incarnation | undefined,
    delayMs: number,
    kind: string,
    run: () => void,
    nodeName = owner?.nodeName,
  ): ScheduledEvent {
    const atMs = quantized(this.nowMs + delayMs)
    const event: ScheduledEvent = { atMs, sequence: this.sequence++, kind, owner, nodeName, held: false, run }
    this.queue.add(event)
    return event
  }

  /** When the next event is due. */
  nextAtMs(): number | undefined {
    return this.nextRunnable()?.atMs
  }

  /** Runs the next event. False when there is none. */
  step(): boolean {
    const event = this.nextRunnable()
    if (event === undefined) return false
    this.queue.removeFirst()
    this.nowMs = event.atMs
    this.eventsRun++
    this.lastEvent = event
    const kind = this.kindRecord(event.kind)
    this.countsByClass[kind.eventClass]++
    this.mix(event.sequence)
    this.mix(event.atMs / quantumMs)
    this.mix(kind.hash)
    const run = event.run!
    event.run = undefined
    if (event.held) event.owner?.gate.letGo()
    run()
    return true
  }

  /** Lets a stopped life go on: what gathered runs now, in the order it came about. */
  resume(incarnation: Incarnation): void {
    for (const event of incarnation.gate.start()) this.requeue(event, this.nowMs)
  }

  /** Moves the clock where nothing happens. */
  advanceTo(atMs: number): void {
    this.nowMs = Math.max(this.nowMs, atMs)
  }

  counts(): EventCounts {
    return { ...this.countsByClass, total: this.eventsRun }
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

  private kindRecord(kind: string): KindRecord {
    let record = this.kinds.get(kind)
    if (record === undefined) {
      record = { hash: new Prng(kind).uint32(), eventClass: eventClassOf(kind) }
      this.kinds.set(kind, record)
    }
    return record
  }

  /** Drops events that were cancelled or whose owner is dead, and moves those that a gate holds (I4). */
  private nextRunnable(): ScheduledEvent | undefined {
    for (;;) {
      const event = this.queue.first()
      if (event === undefined) return undefined
      const { owner } = event
      if (event.run === undefined || owner?.alive === false) {
        this.queue.removeFirst()
        if (event.held) owner?.gate.letGo()
      } else if (owner === undefined || this.passes(event, owner.gate)) {
        return event
      }
    }
  }

  /** False when the event was taken out of the queue, into its gate or to a later time. */
  private passes(event: ScheduledEvent, gate: Gate<ScheduledEvent>): boolean {
    if (event.held ? !gate.isStopped : gate.isOpen) return true
    this.queue.removeFirst()
    if (event.held) {
      gate.gather(event)
    } else {
      event.held = true
      this.requeue(event, gate.hold(event.atMs))
    }
    return false
  }

  private requeue(event: ScheduledEvent, atMs: number): void {
    event.atMs = quantized(atMs)
    event.sequence = this.sequence++
    this.queue.add(event)
  }
}

function quantized(ms: number): number {
  return Math.ceil(ms / quantumMs) * quantumMs
}
