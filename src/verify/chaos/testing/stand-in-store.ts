/**
 * A store in this process that answers as a node would, for tests of the harness: correct, or with one known mistake.
 * Time is real; operations take a moment, so that clients overlap.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import type {
  Compare,
  DeleteReply,
  EtcdApi,
  KeyValue,
  RangeReply,
  RangeRequest,
  TxnReply,
  TxnRequest,
  TxnStep,
  TxnStepReply,
  WatchEvent,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from '../client/etcd-api.ts'

/** What the stand-in does wrong, now and then. */
export type Mistake =
  | 'none'
  /** A linearizable read shows the state of some time ago. */
  | 'stale read'
  /** A put is acknowledged and not carried out. */
  | 'lost write'
  /** A put is carried out once more later. */
  | 'repeated write'
  /** A condition is not looked at. */
  | 'unchecked condition'
  /** A watcher misses a revision. */
  | 'missed event'
  /** A lease ends at half its time. */
  | 'early lease'
  /** The keys of an ended lease stay. */
  | 'kept keys'

const mistakeEvery = 40
const staleMs = 40
const repeatAfterMs = 30
/** A watcher that sleeps while the store writes gets what it missed, which is the only way it is told. */
const watchPollMs = 5

interface Version {
  readonly revision: number
  readonly atMs: number
  readonly state: ReadonlyMap<string, KeyValue>
  readonly events: readonly WatchEvent[]
}

interface Lease {
  ttlMs: number
  untilMs: number
}

export class StandInStore {
  private readonly mistake: Mistake
  private readonly random: Prng
  private versions: Version[] = [{ revision: 1, atMs: performance.now(), state: new Map(), events: [] }]
  private readonly leases = new Map<bigint, Lease>()
  private leaseNumber = 1n
  /** How often the mistake was made. */
  mistakes = 0

  constructor(mistake: Mistake, random: Prng) {
    this.mistake = mistake
    this.random = random
  }

  connect(): EtcdApi {
    return {
      range: (request) => this.answer(() => this.range(request)),
      put: (key, value, _timeoutMs, lease) => this.answer(() => this.put(key, value, lease ?? 0n)),
      delete: (key) => this.answer(() => this.delete(key)),
      txn: (request) => this.answer(() => this.txn(request)),
      watch: (request, _timeoutMs, sink) => this.answer(() => this.watch(request, sink)),
      grantLease: (ttlSeconds) => this.answer(() => this.grant(ttlSeconds)),
      keepLeaseAlive: (id) => this.answer(() => this.renew(id)),
      revokeLease: (id) => this.answer(() => this.endLease(id)),
      close: () => {},
    }
  }

  get revision(): number {
    return this.versions.at(-1)!.revision
  }

  private async answer<Reply>(operation: () => Reply): Promise<Reply> {
    await delay(this.random.below(4))
    this.expireLeases()
    const reply = operation()
    await delay(this.random.below(4))
    return reply
  }

  private errs(mistake: Mistake): boolean {
    if (this.mistake !== mistake || this.random.below(mistakeEvery) !== 0) return false
    this.mistakes++
    return true
  }

  private range(request: RangeRequest): RangeReply {
    const newest = this.versions.at(-1)!
    const old = this.versions.findLast((version) => version.atMs < performance.now() - staleMs)
    const stale = request.serializable === true || this.errs('stale read')
    const { state, revision } = (stale ? old : undefined) ?? newest
    const end = request.end ?? `${request.key}\0`
    const entries = [...state.values()]
      .filter(({ key }) => key >= request.key && key < end)
      .sort((a, b) => (a.key < b.key ? -1 : 1))
    return { revision, entries }
  }

  private put(key: string, value: string, lease: bigint): number {
    if (this.errs('lost write')) return this.revision
    const revision = this.write([{ op: 'put', key, value, lease }]).revision
    if (this.errs('repeated write'))
      setTimeout(() => this.write([{ op: 'put', key, value, lease }]), repeatAfterMs).unref()
    return revision
  }

  private delete(key: string): DeleteReply {
    const { revision, steps } = this.write([{ op: 'delete', key }])
    return { revision, deleted: steps[0]!.deleted! }
  }

  private txn(request: TxnRequest): TxnReply {
    const { state } = this.versions.at(-1)!
    const holds = request.compares.every((compare) => matches(state.get(compare.key), compare))
    const succeeded = holds || this.errs('unchecked condition')
    return { succeeded, ...this.write(succeeded ? request.success : request.failure) }
  }

  /** Carries steps out at one new revision, unless nothing changes. */
  private write(steps: readonly TxnStep[]): { revision: number; steps: TxnStepReply[] } {
    const newest = this.versions.at(-1)!
    const state = new Map(newest.state)
    const revision = newest.revision + 1
    const events: WatchEvent[] = []
    const replies = steps.map((step): TxnStepReply => {
      const before = state.get(step.key)
      if (step.op === 'get') return { entries: before === undefined ? [] : [before] }
      if (step.op === 'delete') {
        if (before === undefined) return { deleted: 0 }
        state.delete(step.key)
        events.push({ kind: 'delete', entry: { ...absent, key: step.key, modRevision: revision } })
        return { deleted: 1 }
      }
      const entry: KeyValue = {
        key: step.key,
        value: step.value,
        createRevision: before?.createRevision ?? revision,
        modRevision: revision,
        version: (before?.version ?? 0) + 1,
        lease: step.lease ?? 0n,
      }
      state.set(step.key, entry)
      events.push({ kind: 'put', entry })
      return {}
    })
    if (events.length === 0) return { revision: newest.revision, steps: replies }
    this.versions.push({ revision, atMs: performance.now(), state, events })
    return { revision, steps: replies }
  }

  private watch(request: WatchRequest, sink: WatchSink): WatchHandle {
    let next = request.startRevision
    const inRange = ({ entry }: WatchEvent): boolean => entry.key >= request.key && entry.key < request.end
    setImmediate(() => sink.onCreated())
    const deliver = (): void => {
      for (const { revision, events } of this.versions.slice(Math.max(0, next - 1))) {
        const due = events.filter(inRange)
        if (due.length > 0 && !this.errs('missed event')) sink.onEvents(revision, due)
        next = revision + 1
      }
    }
    const timer = setInterval(deliver, watchPollMs)
    return {
      requestProgress: () => {
        deliver()
        sink.onProgress(this.revision)
      },
      cancel: () => clearInterval(timer),
    }
  }

  private grant(ttlSeconds: number): { id: bigint; ttlSeconds: number } {
    const id = this.leaseNumber++
    this.leases.set(id, { ttlMs: ttlSeconds * 1000, untilMs: performance.now() + ttlSeconds * 1000 })
    return { id, ttlSeconds }
  }

  private renew(id: bigint): number {
    const lease = this.leases.get(id)
    if (lease === undefined) return 0
    lease.untilMs = performance.now() + lease.ttlMs
    return lease.ttlMs / 1000
  }

  private expireLeases(): void {
    const nowMs = performance.now()
    for (const [id, lease] of this.leases) {
      const early = this.mistake === 'early lease' && nowMs > lease.untilMs - lease.ttlMs / 2
      if (early && nowMs <= lease.untilMs) this.mistakes++
      if (early || nowMs > lease.untilMs) this.endLease(id)
    }
  }

  private endLease(id: bigint): void {
    if (!this.leases.delete(id)) return
    const keys = [...this.versions.at(-1)!.state.values()].filter((entry) => entry.lease === id)
    if (this.mistake === 'kept keys' && keys.length > 1) {
      this.mistakes++
      keys.pop()
    }
    this.write(keys.map(({ key }) => ({ op: 'delete', key })))
  }
}

const absent: KeyValue = { key: '', value: '', createRevision: 0, modRevision: 0, version: 0, lease: 0n }

function matches(entry: KeyValue | undefined, { target, relation, operand }: Compare): boolean {
  if (target === 'value' && entry === undefined) return false
  const actual = (entry ?? absent)[target]
  if (relation === '=') return actual === operand
  if (relation === '!=') return actual !== operand
  return relation === '<' ? actual < operand : actual > operand
}
