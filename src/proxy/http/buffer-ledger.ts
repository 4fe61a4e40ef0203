/**
 * What a worker holds of data in flight, and the bound on it: responses that clients are slow to take, request bodies that
 * endpoints are slow to take or that are kept for another attempt, copies for mirrors. Each connection has bounds of its
 * own; here many of them, each within its own, are kept from filling the process together.
 *
 * As it fills up, what matters least goes first: from `mirrorShare` of the bound on no copies are made and those that hold
 * anything are dropped; from `bodyShare` on bodies are not kept for retries any more; from `pauseShare` on a sender is told
 * to wait as soon as `pressedQueueBytes` wait for its receiver; at the bound the connection for which most waits is reset.
 *
 * L1. There is one for each event loop, shared by all that is on it.
 * L2. Queues are counted when they change, and at the sweeps of their connections: the count may lag behind by that.
 */
import type { Scheduler } from '../../runtime/index.ts'
import { MemoryLedger } from '../../wire/http2/index.ts'

export const bufferedBytesMaxDefault = 256 << 20
/** While memory is short, more than this in the queue to a slow receiver stops its sender. */
export const pressedQueueBytes = 16 << 10
const mirrorShare = 1 / 2
const bodyShare = 5 / 8
const pauseShare = 3 / 4
/** Connections are reset until so much is left. */
const relievedShare = 7 / 8

/** Something that holds memory and can do without at once. */
export interface Expendable {
  drop(): void
}

/** For status and metrics. */
export interface BufferedView {
  readonly bytes: number
  readonly bytesMax: number
  /** Bodies that were not kept for another attempt. */
  readonly bodiesNotKept: number
  /** How often a sender was told to wait earlier than otherwise. */
  readonly earlyPauses: number
  /** Connections that were reset because most waited for them. */
  readonly resets: number
}

export class BufferLedger extends MemoryLedger {
  bodiesNotKept = 0
  earlyPauses = 0
  private readonly scheduler: Scheduler
  private readonly expendables = new Set<Expendable>()
  private isDropping = false

  constructor(scheduler: Scheduler) {
    super(bufferedBytesMaxDefault, relievedShare)
    this.scheduler = scheduler
  }

  /** Whether copies for mirrors may be made. */
  get takesMirrors(): boolean {
    return this.bytes <= this.bytesMax * mirrorShare
  }

  /** Whether bodies may be kept for another attempt. */
  get keepsBodies(): boolean {
    return this.bytes <= this.bytesMax * bodyShare
  }

  /** Whether queues are to be short. */
  get isPressed(): boolean {
    return this.bytes > this.bytesMax * pauseShare
  }

  /** Until `forgetExpendable`, it is dropped when `takesMirrors` becomes false. */
  addExpendable(expendable: Expendable): void {
    this.expendables.add(expendable)
  }

  forgetExpendable(expendable: Expendable): void {
    this.expendables.delete(expendable)
  }

  /** Bytes were counted: drops at the end of the turn what can be dropped, when that is needed. */
  grown(): void {
    if (this.isDropping || this.expendables.size === 0 || this.takesMirrors) return
    this.isDropping = true
    this.scheduler.endOfTurn(() => {
      this.isDropping = false
      for (const expendable of [...this.expendables]) expendable.drop()
    })
  }

  view(): BufferedView {
    const { bytes, bytesMax, bodiesNotKept, earlyPauses, relinquished: resets } = this
    return { bytes, bytesMax, bodiesNotKept, earlyPauses, resets }
  }
}

const ledgers = new WeakMap<Scheduler, BufferLedger>()

/** The one of an event loop (L1). */
export function bufferLedgerOf(scheduler: Scheduler): BufferLedger {
  let ledger = ledgers.get(scheduler)
  if (ledger === undefined) {
    ledger = new BufferLedger(scheduler)
    ledgers.set(scheduler, ledger)
  }
  return ledger
}
