/**
 * A driver whose next calls end as a bad day would have it: the write happened and nobody said so, or it did not. The
 * engine below is the real one; only what the caller hears of it is changed.
 */
import type {
  CallOptions,
  ClientRuntime,
  Driver,
  DriverCapabilities,
  EngineName,
  GetResult,
  Key,
  KeyRange,
  LeaseAnswer,
  LeaseId,
  ListOptions,
  ListResult,
  ObserveSink,
  ReadOptions,
  Revision,
  Subscription,
  Transaction,
  TransactionResult,
  WatchSink,
} from '../driver/index.ts'
import { SynodError } from '../errors.ts'

/** The calls that faults can be set for. */
export type FaultyCall = 'get' | 'list' | 'transact' | 'grantLease' | 'renewLease' | 'revokeLease'

/**
 * `applied-unknown`: it is carried out, and the caller is told that it may have been. `not-applied-unknown`: it is not,
 * and the caller is told the same. `refused`: it is not, and the caller is told so. `applied-late`: the caller is told
 * `unknown` first, and it is carried out when {@link FaultyDriver.releaseLate} is called.
 */
export type Fault = 'applied-unknown' | 'not-applied-unknown' | 'refused' | 'applied-late'

interface PlannedFault {
  readonly call: FaultyCall
  readonly fault: Fault
  readonly concerns: (transaction: Transaction | undefined) => boolean
}

export class FaultyDriver implements Driver {
  readonly engine: EngineName
  readonly can: DriverCapabilities
  readonly outside: ClientRuntime
  readonly watch?: (range: KeyRange, fromRevision: Revision, sink: WatchSink) => Subscription
  private readonly driver: Driver
  private readonly planned: PlannedFault[] = []
  private readonly late: (() => Promise<unknown>)[] = []
  /** Faults that took effect. */
  faultsSeen = 0

  constructor(driver: Driver) {
    this.driver = driver
    this.engine = driver.engine
    this.can = driver.can
    this.outside = driver.outside
    if (driver.watch !== undefined) this.watch = (range, from, sink) => driver.watch!(range, from, sink)
  }

  /** The next `call` that `concerns` accepts ends so. Faults wait for their calls in the order they were planned. */
  plan(call: FaultyCall, fault: Fault, concerns: PlannedFault['concerns'] = () => true): void {
    this.planned.push({ call, fault, concerns })
  }

  /** Carries out what was held back, in order. */
  async releaseLate(): Promise<void> {
    for (const work of this.late.splice(0)) await work()
  }

  get(key: Key, options?: ReadOptions): Promise<GetResult> {
    return this.through('get', () => this.driver.get(key, options))
  }

  list(range: KeyRange, options?: ListOptions): Promise<ListResult> {
    return this.through('list', () => this.driver.list(range, options))
  }

  transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult> {
    return this.through('transact', () => this.driver.transact(transaction, options), transaction)
  }

  grantLease(ttlMs: number, options?: CallOptions): Promise<LeaseAnswer> {
    return this.through('grantLease', () => this.driver.grantLease(ttlMs, options))
  }

  renewLease(leaseId: LeaseId, options?: CallOptions): Promise<LeaseAnswer> {
    return this.through('renewLease', () => this.driver.renewLease(leaseId, options))
  }

  revokeLease(leaseId: LeaseId, options?: CallOptions): Promise<void> {
    return this.through('revokeLease', () => this.driver.revokeLease(leaseId, options))
  }

  observe(range: KeyRange, sink: ObserveSink, options?: CallOptions): Promise<Subscription> {
    return this.driver.observe(range, sink, options)
  }

  close(): Promise<void> {
    return this.driver.close()
  }

  private async through<T>(call: FaultyCall, work: () => Promise<T>, transaction?: Transaction): Promise<T> {
    const index = this.planned.findIndex((each) => each.call === call && each.concerns(transaction))
    if (index < 0) return work()
    const [{ fault }] = this.planned.splice(index, 1) as [PlannedFault]
    this.faultsSeen++
    if (fault === 'applied-unknown') await work()
    if (fault === 'applied-late') this.late.push(work)
    const outcome = fault === 'refused' || call === 'get' || call === 'list' ? 'not-applied' : 'unknown'
    throw new SynodError('UNAVAILABLE', 'the connection to the engine was lost', { outcome })
  }
}
