import type {
  CallOptions,
  Driver,
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
} from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'

/**
 * What becomes of a transaction. `lost-answer`: it is applied, and its caller does not hear. `lost-request`: it is not.
 * `late`: its caller is told that it does not know, and it is applied some time after. `refused`: certainly not applied.
 */
export type Fate = 'passes' | 'lost-answer' | 'lost-request' | 'late' | 'refused'

const lateMs = 400

/** A driver whose transactions go wrong as `fateOf` says, and whose link can be cut. Counts what passes through it. */
export class FaultyDriver implements Driver {
  readonly engine
  readonly can
  readonly outside
  readonly watch?: (range: KeyRange, fromRevision: Revision, sink: WatchSink) => Subscription
  /** Changed by tests at will. */
  fateOf: (transaction: Transaction) => Fate = () => 'passes'
  transactions = 0
  lists = 0
  watches = 0
  /** Ends of late transactions that were applied after their callers were told. */
  readonly late: Promise<unknown>[] = []
  private readonly real: Driver
  private isCut = false

  constructor(real: Driver) {
    this.real = real
    this.engine = real.engine
    this.can = real.can
    this.outside = real.outside
    const { watch } = real
    if (watch !== undefined) {
      this.watch = (range, fromRevision, sink) => {
        this.watches++
        return watch.call(real, range, fromRevision, sink)
      }
    }
  }

  /** From now on nothing reaches the engine: every call fails. Watches go on. */
  cut(): void {
    this.isCut = true
  }

  heal(): void {
    this.isCut = false
  }

  get(key: string, options?: ReadOptions): ReturnType<Driver['get']> {
    return this.passing(() => this.real.get(key, options))
  }

  list(range: KeyRange, options?: ListOptions): Promise<ListResult> {
    this.lists++
    return this.passing(() => this.real.list(range, options))
  }

  async transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult> {
    this.transactions++
    const fate = this.fateOf(transaction)
    if (fate === 'passes') return this.passing(() => this.real.transact(transaction, options))
    if (fate === 'lost-answer') await this.real.transact(transaction)
    if (fate === 'late') this.applyLate(transaction)
    throw unavailable(fate === 'refused' ? 'not-applied' : 'unknown')
  }

  grantLease(ttlMs: number, options?: CallOptions): Promise<LeaseAnswer> {
    return this.passing(() => this.real.grantLease(ttlMs, options))
  }

  renewLease(leaseId: LeaseId, options?: CallOptions): Promise<LeaseAnswer> {
    return this.passing(() => this.real.renewLease(leaseId, options))
  }

  revokeLease(leaseId: LeaseId, options?: CallOptions): Promise<void> {
    return this.passing(() => this.real.revokeLease(leaseId, options))
  }

  observe(range: KeyRange, sink: ObserveSink, options?: CallOptions): Promise<Subscription> {
    return this.passing(() => this.real.observe(range, sink, options))
  }

  close(): Promise<void> {
    return this.real.close()
  }

  private async passing<T>(call: () => Promise<T>): Promise<T> {
    if (this.isCut) throw unavailable('not-applied')
    return call()
  }

  private applyLate(transaction: Transaction): void {
    const applied = new Promise((resolve) => {
      this.outside.scheduler.setTimer(lateMs, () => resolve(this.real.transact(transaction).catch(() => {})))
    })
    this.late.push(applied)
  }
}

function unavailable(outcome: 'not-applied' | 'unknown'): SynodError {
  return new SynodError('UNAVAILABLE', 'the test lost this call', { outcome })
}
