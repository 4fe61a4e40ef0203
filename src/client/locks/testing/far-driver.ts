/**
 * A driver as a program on another machine has it: the real engine's, over a simulated way that delays, loses and brings
 * late what goes along it, with the machine's own clock and its own stops. For tests of what stands on drivers.
 *
 * - W1  What was sent arrives or not, whatever becomes of the machine that sent it. What is told to the machine waits
 *       while it stands still: everything it is told goes through a timer of its own.
 * - W2  A write whose answer is lost or comes after its deadline ends as `unknown`; it may still arrive afterwards.
 */
import type { Random, Runtime } from '../../../runtime/index.ts'
import type {
  CallOptions,
  ClientRuntime,
  Driver,
  GetResult,
  Key,
  KeyRange,
  LeaseAnswer,
  LeaseId,
  ListOptions,
  ListResult,
  ObserveSink,
  ReadOptions,
  Subscription,
  Transaction,
  TransactionResult,
  WatchSink,
} from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'

/** What the way does. A probability is from 0 to 1. */
export interface WayFaults {
  delayMs: readonly [number, number]
  loseRequest: number
  loseAnswer: number
  /** Requests that arrive up to `lateMs` later. */
  late: number
  lateMs: number
  cut: boolean
}

const requestTimeoutMs = 1_000
/** What is lost is usually lost with its connection, which is told after a while. */
const resetToldAfterMs = 100
const resetTold = 0.8

export class FarDriver implements Driver {
  readonly engine = 'embedded'
  readonly can: Driver['can']
  readonly outside: ClientRuntime
  readonly watch?: NonNullable<Driver['watch']>
  readonly way: WayFaults = { delayMs: [0.2, 2], loseRequest: 0, loseAnswer: 0, late: 0, lateMs: 0, cut: false }
  /** Calls by name, for tests that count them. */
  readonly calls = new Map<string, number>()
  private readonly near: Driver
  private readonly engineSide: Runtime
  private readonly random: Random
  private readonly watches = new Set<WatchSink>()

  constructor(near: Driver, engineSide: Runtime, machine: Runtime, can: Partial<Driver['can']> = {}) {
    this.near = near
    this.engineSide = engineSide
    this.outside = machine
    this.can = { ...near.can, ...can }
    this.random = machine.random.fork('way')
    if (this.can.history) this.watch = (range, fromRevision, sink) => this.begin(range, fromRevision, sink)
  }

  get(key: Key, options: ReadOptions = {}): Promise<GetResult> {
    return this.call('get', options, false, () => this.near.get(key, onlyWhat(options)))
  }

  list(range: KeyRange, options: ListOptions = {}): Promise<ListResult> {
    return this.call('list', options, false, () => this.near.list(range, onlyWhat(options)))
  }

  transact(transaction: Transaction, options: CallOptions = {}): Promise<TransactionResult> {
    return this.call('transact', options, true, () => this.near.transact(transaction))
  }

  async grantLease(ttlMs: number, options: CallOptions = {}): Promise<LeaseAnswer> {
    const sentAtMs = this.outside.clock.monotonicMs()
    const answer = await this.call('grantLease', options, true, () => this.near.grantLease(ttlMs))
    return { ...answer, sentAtMs }
  }

  async renewLease(leaseId: LeaseId, options: CallOptions = {}): Promise<LeaseAnswer> {
    const sentAtMs = this.outside.clock.monotonicMs()
    const answer = await this.call('renewLease', options, false, () => this.near.renewLease(leaseId))
    return { ...answer, sentAtMs }
  }

  revokeLease(leaseId: LeaseId, options: CallOptions = {}): Promise<void> {
    return this.call('revokeLease', options, true, () => this.near.revokeLease(leaseId))
  }

  private begin(range: KeyRange, fromRevision: number, sink: WatchSink): Subscription {
    this.count('watch')
    let over = false
    let lastAtMs = 0
    const tell = (what: () => void): void => {
      // In order: each at its own time, but none before the one that was sent before it.
      lastAtMs = Math.max(lastAtMs, this.engineSide.clock.monotonicMs() + this.delay())
      this.engineSide.scheduler.setTimer(lastAtMs - this.engineSide.clock.monotonicMs(), () => {
        this.outside.scheduler.setTimer(0, () => {
          if (!over) what()
        })
      })
    }
    const far: WatchSink = {
      onEvents: (events, revision) => tell(() => sink.onEvents(events, revision)),
      onCompacted: (revision) => tell(() => end(() => sink.onCompacted(revision))),
      onEnd: (error) => tell(() => end(() => sink.onEnd(error))),
    }
    const end = (how: () => void): void => {
      over = true
      this.watches.delete(far)
      how()
    }
    this.watches.add(far)
    let near: Subscription | undefined
    this.engineSide.scheduler.setTimer(this.delay(), () => {
      if (this.way.cut) far.onEnd(unavailable())
      else if (!over) near = this.near.watch!(range, fromRevision, far)
    })
    return {
      cancel: () => {
        over = true
        this.watches.delete(far)
        near?.cancel()
      },
    }
  }

  observe(range: KeyRange, sink: ObserveSink, options: CallOptions = {}): Promise<Subscription> {
    return this.call('observe', options, false, () => this.near.observe(range, sink))
  }

  /** Nothing passes until {@link mend}; watches break. */
  cut(): void {
    this.way.cut = true
    for (const watch of [...this.watches]) watch.onEnd(unavailable())
  }

  mend(): void {
    this.way.cut = false
  }

  async close(): Promise<void> {
    this.cut()
  }

  /** How often these were called, or all. */
  callsOf(...names: string[]): number {
    let sum = 0
    for (const [name, count] of this.calls) if (names.length === 0 || names.includes(name)) sum += count
    return sum
  }

  private count(name: string): void {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1)
  }

  private delay(): number {
    const [min, max] = this.way.delayMs
    return min + this.random.float() * (max - min)
  }

  private call<T>(name: string, options: CallOptions, isWrite: boolean, work: () => Promise<T>): Promise<T> {
    this.count(name)
    const { clock, scheduler } = this.outside
    const { signal, deadlineMs = clock.monotonicMs() + requestTimeoutMs } = options
    return new Promise<T>((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(new SynodError('CANCELLED', 'cancelled before it was sent'))
        return
      }
      const outcome = isWrite ? 'unknown' : 'not-applied'
      const finish = (settle: () => void): void => {
        timer.cancel()
        signal?.removeEventListener('abort', onAbort)
        settle()
      }
      const onAbort = (): void =>
        finish(() => reject(new SynodError('CANCELLED', `${name} was cancelled`, { outcome })))
      const timer = scheduler.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), () =>
        finish(() => reject(new SynodError('TIMEOUT', `no answer to ${name} in time`, { outcome }))),
      )
      signal?.addEventListener('abort', onAbort, { once: true })
      const lost = (): void => {
        if (this.random.float() >= resetTold) return
        scheduler.setTimer(resetToldAfterMs, () =>
          finish(() => reject(new SynodError('UNAVAILABLE', `the connection broke during ${name}`, { outcome }))),
        )
      }
      this.carry(work, (settled) => finish(() => settled.then(resolve, reject)), lost)
    })
  }

  /** There and back, if it gets through. */
  private carry<T>(work: () => Promise<T>, answered: (settled: Promise<T>) => void, lost: () => void): void {
    const { way, random } = this
    if (way.cut) return
    if (random.float() < way.loseRequest) {
      lost()
      return
    }
    const lateMs = random.float() < way.late ? random.float() * way.lateMs : 0
    // What is still on its way when its connection is given up arrives nevertheless.
    if (lateMs > resetToldAfterMs) lost()
    this.engineSide.scheduler.setTimer(this.delay() + lateMs, () => {
      const settled = work()
      const back = (): void => {
        if (way.cut) return
        if (random.float() < way.loseAnswer) {
          lost()
          return
        }
        this.engineSide.scheduler.setTimer(this.delay(), () => {
          this.outside.scheduler.setTimer(0, () => answered(settled))
        })
      }
      settled.then(back, back)
    })
  }
}

/** Without the limits, which are the far side's. */
function onlyWhat<T extends CallOptions>(options: T): T {
  return { ...options, signal: undefined, deadlineMs: undefined }
}

function unavailable(): SynodError {
  return new SynodError('UNAVAILABLE', 'the way to the engine is cut')
}
