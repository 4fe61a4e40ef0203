/** The driver for clusters that speak etcd v3: etcd itself, and Synod. */
import {
  type AnswerHead,
  decodeHeaderOnly,
  decodeLeaseTime,
  decodeRangeResponse,
  encodeLeaseGrantRequest,
  encodeLeaseIdRequest,
  encodeRangeRequest,
  etcdPaths,
  type RangeAnswer,
} from '../../../wire/etcd-client/index.ts'
import type {
  CallOptions,
  ClientRuntime,
  Driver,
  DriverCapabilities,
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
import { Authentication } from './authentication.ts'
import type { Question } from './call.ts'
import { Calls } from './calls.ts'
import { ClusterView } from './cluster-view.ts'
import { etcdRange } from './etcd-range.ts'
import { LeaseRenewals } from './lease-renewals.ts'
import { type EtcdDriverOptions, type EtcdDriverSettings, withDefaults } from './options.ts'
import { limited, limits, transactionQuestion } from './transactions.ts'
import { Watches } from './watches.ts'

/** More nodes than a cluster can sensibly have; their places are bits of a number. */
const endpointsMax = 31
/** etcd's own limit, in seconds. */
const ttlSecondsMax = 9_000_000_000

/**
 * Connects to a cluster that speaks etcd v3. Resolves once one node has answered, and, with `auth`, has let us in.
 *
 * Rejects with `UNAVAILABLE` when no node answers within the connect time-out, `UNAUTHENTICATED` when the user name or
 * the password is wrong, `INVALID_ARGUMENT` for options that make no sense.
 */
export async function openEtcdDriver(options: EtcdDriverOptions, outside: ClientRuntime): Promise<Driver> {
  const count = options.endpoints.length
  if (count === 0 || count > endpointsMax)
    throw new SynodError('INVALID_ARGUMENT', `a client takes 1 to ${endpointsMax} endpoints, not ${count}`)
  const driver = new EtcdDriver(withDefaults(options), outside)
  try {
    await driver.open()
  } catch (error) {
    await driver.close()
    throw error
  }
  return driver
}

const capabilities: DriverCapabilities = {
  history: true,
  atRevision: true,
  rangeInTransaction: true,
  leaseChangeKeepsVersion: true,
}

class EtcdDriver implements Driver {
  readonly engine: 'synod' | 'etcd'
  readonly can = capabilities
  readonly outside: ClientRuntime
  private readonly settings: EtcdDriverSettings
  private readonly view: ClusterView
  private readonly authentication: Authentication
  private readonly calls: Calls
  private readonly renewals: LeaseRenewals
  private readonly watches: Watches

  constructor(settings: EtcdDriverSettings, outside: ClientRuntime) {
    const authentication = new Authentication(outside, settings.auth)
    const view = new ClusterView(outside, settings, () => authentication.token)
    this.engine = settings.engine
    this.outside = outside
    this.settings = settings
    this.view = view
    this.authentication = authentication
    this.calls = new Calls(outside, settings, view, authentication)
    this.renewals = new LeaseRenewals(outside, settings, view, authentication)
    this.watches = new Watches(outside, settings, view, authentication)
    authentication.use(this.calls)
  }

  async open(): Promise<void> {
    this.view.open()
    await this.view.someReady(this.settings.connectTimeoutMs)
    if (this.authentication.possible) await this.authentication.renew(undefined)
  }

  async get(key: Key, options: ReadOptions = {}): Promise<GetResult> {
    const { answer } = await this.calls.ask(rangeQuestion(key, '', options), options)
    return { entry: answer.entries[0], revision: answer.revision }
  }

  async list(range: KeyRange, options: ListOptions = {}): Promise<ListResult> {
    const { key, end } = etcdRange(range)
    const { answer } = await this.calls.ask(rangeQuestion(key, end, options), options)
    return { ...limited(answer, options.limit), revision: answer.revision }
  }

  async transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult> {
    const question = transactionQuestion(transaction, this.settings.maxTxnOperations)
    return (await this.calls.ask(question, options)).answer.result
  }

  /** The id is chosen here, so that a grant that may have been carried out can be asked for again. */
  async grantLease(ttlMs: number, options?: CallOptions): Promise<LeaseAnswer> {
    const ttlSeconds = Math.ceil(ttlMs / 1000)
    if (!(ttlMs > 0 && ttlSeconds <= ttlSecondsMax))
      throw new SynodError('INVALID_ARGUMENT', `a lease cannot last ${ttlMs} ms`)
    const leaseId = this.newLeaseId()
    const question: Question<AnswerHead & { readonly ttlSeconds: number }> = {
      ...{ name: 'LeaseGrant', path: etcdPaths.leaseGrant, kind: 'repeatable' },
      request: encodeLeaseGrantRequest(leaseId, ttlSeconds),
      decode: (bytes) => {
        const answer = decodeLeaseTime(bytes)
        return answer?.leaseId === leaseId && answer.ttlSeconds > 0 ? answer : undefined
      },
    }
    const startedMs = this.outside.clock.monotonicMs()
    try {
      const { answer, sentAtMs } = await this.calls.ask(question, options)
      return { leaseId, ttlMs: answer.ttlSeconds * 1000, sentAtMs }
    } catch (error) {
      // Nobody else draws this id: an earlier attempt of this call was carried out after all.
      if (!(error instanceof SynodError) || error.code !== 'ALREADY_EXISTS') throw error
      return { leaseId, ttlMs: ttlSeconds * 1000, sentAtMs: startedMs }
    }
  }

  renewLease(leaseId: LeaseId, options?: CallOptions): Promise<LeaseAnswer> {
    return this.renewals.renew(leaseId, options)
  }

  async revokeLease(leaseId: LeaseId, options?: CallOptions): Promise<void> {
    const question: Question<AnswerHead> = {
      ...{ name: 'LeaseRevoke', path: etcdPaths.leaseRevoke, kind: 'repeatable' },
      request: encodeLeaseIdRequest(leaseId),
      decode: decodeHeaderOnly,
    }
    try {
      await this.calls.ask(question, options)
    } catch (error) {
      if (!(error instanceof SynodError) || error.code !== 'LEASE_NOT_FOUND') throw error
    }
  }

  readonly watch = (range: KeyRange, fromRevision: Revision, sink: WatchSink): Subscription =>
    this.watches.watch(range, fromRevision, sink)

  observe(range: KeyRange, sink: ObserveSink, options?: CallOptions): Promise<Subscription> {
    return this.watches.observe(range, sink, options)
  }

  close(): Promise<void> {
    this.calls.close()
    this.renewals.close()
    this.watches.close()
    this.view.close()
    return Promise.resolve()
  }

  /** 63 random bits, never 0, which etcd takes for "choose one". */
  private newLeaseId(): LeaseId {
    const bytes = this.outside.random.bytes(8)
    let id = 0n
    for (const byte of bytes) id = (id << 8n) | BigInt(byte)
    return BigInt.asUintN(63, id) || 1n
  }
}

function rangeQuestion(key: Key, end: Key, options: ListOptions): Question<RangeAnswer> {
  const { stale, revision, limit, keysOnly } = options
  const query = { end, revision, serializable: stale === true, ...limits(limit, keysOnly) }
  return {
    ...{ name: 'Range', path: etcdPaths.range, kind: stale === true ? 'stale' : 'read' },
    request: encodeRangeRequest(key, query),
    decode: decodeRangeResponse,
  }
}
