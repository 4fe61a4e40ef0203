/**
 * The engine itself in the program's own process, behind the driver's interface: no sockets, no encoding but for the log.
 *
 * - E1  After a node failed nothing is served; what was under way, and every later call, ends with `ENGINE_FAILED`.
 */
import {
  type EngineErrorCode,
  type Failure,
  type RangeResult,
  validateRange,
  validateTxn,
} from '../../../engine/coordination/index.ts'
import type { Runtime } from '../../../runtime/index.ts'
import type {
  CallOptions,
  ClientRuntime,
  Driver,
  Entry,
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
} from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import { entriesInSlices, entriesOf, transactionResult } from './answers.ts'
import { type Answer, type Attempt, type CallGround, type CallKind, call, type EndReason } from './call.ts'
import { EmbeddedCluster } from './embedded-cluster.ts'
import { engineFailed, errorOf } from './errors.ts'
import { operationsMax } from './node-settings.ts'
import type { EmbeddedDriverOptions } from './options.ts'
import {
  encodeCompaction,
  encodeLeaseGrant,
  encodeTxn,
  engineRange,
  getRequest,
  listRequest,
  txnRequest,
} from './requests.ts'
import { Watches } from './watches.ts'

const requestTimeoutMsDefault = 5000
/** How long the nodes may take to find a leader. */
const startTimeoutMs = 30_000

/** The driver of an embedded engine. */
export interface EmbeddedDriver extends Driver {
  /** Stops a node of several, numbered from 0: the others serve while they are a majority. For tests. */
  stopNode(index: number): Promise<void>
  /** Starts it again from its files, or what it had in memory. */
  startNode(index: number): Promise<void>
  /** Forgets history before `revision`: it can be neither read nor watched any more. */
  compact(revision: Revision, options?: CallOptions): Promise<void>
}

/**
 * Starts an engine in this process; resolves once it serves. Rejects with `UNAVAILABLE` when another process has the
 * directory open, `INVALID_ARGUMENT` when it is somebody else's, `CORRUPT`, `NO_SPACE`, `PERMISSION_DENIED`,
 * `ENGINE_FAILED`.
 */
export async function openEmbeddedDriver(options: EmbeddedDriverOptions, runtime: Runtime): Promise<EmbeddedDriver> {
  const driver = new InProcessDriver(options, runtime)
  try {
    await driver.start()
  } catch (error) {
    await driver.close()
    throw error
  }
  return driver
}

class InProcessDriver implements EmbeddedDriver {
  readonly engine = 'embedded'
  readonly can = { history: true, atRevision: true, rangeInTransaction: true, leaseChangeKeepsVersion: true }
  readonly outside: ClientRuntime
  private readonly requestTimeoutMs: number
  private readonly cluster: EmbeddedCluster
  private readonly ground: CallGround
  private readonly watches: Watches
  private readonly letGo: () => void
  /** Why nothing is served any more. */
  private ended: EndReason | undefined
  private closing: Promise<void> | undefined

  constructor(options: EmbeddedDriverOptions, runtime: Runtime) {
    this.outside = runtime
    this.requestTimeoutMs = options.requestTimeoutMs ?? requestTimeoutMsDefault
    this.letGo = options.holdProcess?.() ?? (() => {})
    this.watches = new Watches(runtime.scheduler)
    const cluster = new EmbeddedCluster(options, runtime, {
      onNodeGone: (node) => this.watches.end(node, nodeStopped()),
      onFailure: (error) => this.end((outcome) => engineFailed(error, outcome)),
    })
    this.cluster = cluster
    this.ground = {
      clock: runtime.clock,
      scheduler: runtime.scheduler,
      serving: () => cluster.serving(),
      avoid: (node) => cluster.avoid(node),
      calls: new Set(),
    }
  }

  async start(): Promise<void> {
    await this.cluster.start()
    const deadlineMs = this.outside.clock.monotonicMs() + startTimeoutMs
    await this.call<void>('harmless', { deadlineMs }, ({ services }, settle) => {
      services.engine.linearizableRead((outcome) => settle(outcome.ok ? { ok: true, value: undefined } : outcome))
    })
  }

  async get(key: Key, options: ReadOptions = {}): Promise<GetResult> {
    const request = getRequest(key, options)
    refuseIf(validateRange(request))
    return this.call('harmless', options, ({ services }, settle) => {
      services.engine.range(request, (outcome) =>
        settle(answer(outcome, (found) => ({ entry: entriesOf(found)[0], revision: found.revision }))),
      )
    })
  }

  async list(range: KeyRange, options: ListOptions = {}): Promise<ListResult> {
    const bounds = engineRange(range)
    // A range that can hold nothing is still read, for the revision: as a key that cannot be there.
    const request = listRequest(bounds ?? { key: '\0', end: '\0\0' }, options)
    refuseIf(validateRange(request))
    return this.call('harmless', options, ({ services: { engine } }, settle) => {
      const finish = ({ revision, more }: RangeResult, entries: Entry[]) =>
        settle({
          ok: true,
          value: bounds === undefined ? { entries: [], more: false, revision } : { entries, more, revision },
        })
      engine.range(request, (outcome) => {
        if (!outcome.ok) settle(outcome)
        else if (outcome.pin === undefined) finish(outcome, entriesOf(outcome))
        else engine.runInSlices(entriesInSlices(outcome, (entries) => finish(outcome, entries)))
      })
    })
  }

  async transact(transaction: Transaction, options: CallOptions = {}): Promise<TransactionResult> {
    const request = txnRequest(transaction)
    refuseIf(validateTxn(request, operationsMax))
    const bytes = encodeTxn(request)
    const kind = isReadOnly(transaction) ? 'harmless' : 'write'
    return this.call(kind, options, ({ services: { engine } }, settle) => {
      engine.txn(request, bytes, (outcome) => settle(answer(outcome, (done) => transactionResult(transaction, done))))
    })
  }

  async grantLease(ttlMs: number, options: CallOptions = {}): Promise<LeaseAnswer> {
    if (!(ttlMs > 0) || !Number.isFinite(ttlMs))
      throw new SynodError('INVALID_ARGUMENT', `a lease lasts more than 0 ms, and ${ttlMs} is asked for`)
    const ttlSeconds = Math.ceil(ttlMs / 1000)
    return this.call('write', options, ({ services: { engine } }, settle) => {
      const sentAtMs = this.outside.clock.monotonicMs()
      engine.leaseGrant({ id: 0n, ttlSeconds }, encodeLeaseGrant(ttlSeconds), (outcome) =>
        settle(answer(outcome, ({ id, ttlSeconds }) => ({ leaseId: id, ttlMs: ttlSeconds * 1000, sentAtMs }))),
      )
    })
  }

  async renewLease(leaseId: LeaseId, options: CallOptions = {}): Promise<LeaseAnswer> {
    return this.call('harmless', options, ({ services: { leaseClient } }, settle) => {
      const sentAtMs = this.outside.clock.monotonicMs()
      leaseClient.keepAlive(leaseId, (outcome) => {
        if (!outcome.ok) settle(outcome)
        else if (outcome.ttlSeconds === 0) settle({ ok: false, code: 'LEASE_NOT_FOUND', outcome: 'not-applied' })
        else settle({ ok: true, value: { leaseId, ttlMs: outcome.ttlSeconds * 1000, sentAtMs } })
      })
    })
  }

  async revokeLease(leaseId: LeaseId, options: CallOptions = {}): Promise<void> {
    // Ids are never used again, so revoking twice does no harm.
    return this.call<void>('harmless', options, ({ services: { engine } }, settle) => {
      engine.leaseRevoke(leaseId, 'user', (outcome) =>
        settle(outcome.ok || outcome.code === 'LEASE_NOT_FOUND' ? { ok: true, value: undefined } : outcome),
      )
    })
  }

  watch(range: KeyRange, fromRevision: Revision, sink: WatchSink): Subscription {
    const node = this.cluster.serving()
    if (this.ended !== undefined) return this.watches.refuse(sink, this.ended('not-applied'))
    if (node === undefined) return this.watches.refuse(sink, nodeStopped())
    return this.watches.begin(node, engineRange(range), Math.max(1, fromRevision), sink)
  }

  async observe(range: KeyRange, sink: ObserveSink, options: CallOptions = {}): Promise<Subscription> {
    const watchSink: WatchSink = {
      onEvents: (events) => {
        if (events.length > 0) sink.onChange()
      },
      onCompacted: () => {
        sink.onChange()
        sink.onEnd(nodeStopped())
      },
      onEnd: (error) => sink.onEnd(error),
    }
    return this.call<Subscription>('harmless', options, (node, settle) => {
      // Whatever is acknowledged from now on comes after what this node has applied by now.
      settle({ ok: true, value: this.watches.begin(node, engineRange(range), 0, watchSink) })
    })
  }

  async stopNode(index: number): Promise<void> {
    await this.cluster.stopNode(index)
  }

  async startNode(index: number): Promise<void> {
    await this.cluster.startNode(index)
  }

  async compact(revision: Revision, options: CallOptions = {}): Promise<void> {
    const bytes = encodeCompaction(revision)
    // Twice is harmless: what is compacted stays so.
    return this.call<void>('harmless', options, ({ services: { engine } }, settle) => {
      engine.compact({ revision, physical: false }, bytes, (outcome) => settle(answer(outcome, () => undefined)))
    })
  }

  close(): Promise<void> {
    this.closing ??= this.closeOnce()
    return this.closing
  }

  private async closeOnce(): Promise<void> {
    this.end(closed)
    try {
      await this.cluster.stop()
    } finally {
      this.letGo()
    }
  }

  /** Ends everything under way; the first reason stays. */
  private end(reason: EndReason): void {
    this.ended ??= reason
    for (const each of [...this.ground.calls]) each.end(this.ended)
    this.watches.end(undefined, this.ended('not-applied'))
  }

  private async call<T>(kind: CallKind, options: CallOptions, attempt: Attempt<T>): Promise<T> {
    if (this.ended !== undefined) throw this.ended('not-applied')
    const deadlineMs = options.deadlineMs ?? this.outside.clock.monotonicMs() + this.requestTimeoutMs
    return call(this.ground, kind, options, deadlineMs, attempt)
  }
}

function answer<Result extends { readonly ok: true }, T>(
  outcome: Result | Failure,
  convert: (result: Result) => T,
): Answer<T> {
  return outcome.ok ? { ok: true, value: convert(outcome) } : outcome
}

function refuseIf(code: EngineErrorCode | undefined): void {
  if (code !== undefined) throw errorOf({ ok: false, code, outcome: 'not-applied' })
}

function isReadOnly({ success, failure = [] }: Transaction): boolean {
  return [...success, ...failure].every(({ type }) => type === 'get' || type === 'list')
}

const closed: EndReason = (outcome) =>
  new SynodError(
    'CLOSED',
    outcome === 'unknown'
      ? 'the client was closed while the write was under way: it may have been carried out'
      : 'the client was closed: connect anew',
    { outcome },
  )

function nodeStopped(): SynodError {
  return new SynodError('UNAVAILABLE', 'the node that told of changes was stopped, or fell too far behind: begin again')
}
