/**
 * etcd's key-value semantics in the plainest way: a full copy of the live keys for every revision. The twin that the
 * state machine is checked against.
 */
import { compareBytes } from '../../../base/index.ts'
import {
  type Compare,
  compareResults,
  compareTargets,
  type DeleteRangeRequest,
  type Operation,
  type PutRequest,
  type RangeRequest,
  sortOrders,
  sortTargets,
  type TxnRequest,
} from '../messages.ts'

export interface NaiveRecord {
  readonly key: string
  readonly value: string
  readonly create: number
  readonly mod: number
  readonly version: number
  readonly lease: bigint
}

export type NaiveResult = { readonly error: string } | { readonly [field: string]: unknown }

type Keys = ReadonlyMap<string, NaiveRecord>

export class NaiveKv {
  revision = 1
  compacted = 0
  readonly leases = new Map<bigint, number>()
  /** The live keys at each revision. */
  private readonly history = new Map<number, Keys>([[1, new Map()]])
  /** The live keys as the running transaction sees them. */
  private keys = new Map<string, NaiveRecord>()
  private changed = false

  put(request: PutRequest): NaiveResult {
    if (request.lease !== 0n && !this.leases.has(request.lease)) return { error: 'LEASE_NOT_FOUND' }
    if ((request.ignoreLease || request.ignoreValue) && !this.keys.has(request.key)) return { error: 'KEY_NOT_FOUND' }
    return this.transaction(() => this.putInside(request))
  }

  deleteRange(request: DeleteRangeRequest): NaiveResult {
    return this.transaction(() => this.deleteInside(request))
  }

  range(request: RangeRequest): NaiveResult {
    return this.rangeInside(request)
  }

  txn(request: TxnRequest): NaiveResult {
    const path: boolean[] = []
    this.decide(request, path)
    const error = this.check(request, [...path])
    if (error !== undefined) return { error }
    return this.transaction(() => {
      const result = this.run(request, path)
      return { ...result, revision: this.visible() }
    })
  }

  compact(revision: number): NaiveResult {
    if (revision > this.revision) return { error: 'FUTURE_REVISION' }
    if (revision <= this.compacted && !(revision === 0 && this.compacted === 0)) return { error: 'COMPACTED' }
    this.compacted = revision
    return { revision: this.revision }
  }

  grant(id: bigint, ttlSeconds: number): NaiveResult {
    if (this.leases.has(id)) return { error: 'LEASE_EXISTS' }
    this.leases.set(id, ttlSeconds)
    return { revision: this.revision, id, ttlSeconds }
  }

  revoke(id: bigint): NaiveResult {
    if (!this.leases.delete(id)) return { error: 'LEASE_NOT_FOUND' }
    return this.transaction(() => {
      for (const [key, record] of this.keys) {
        if (record.lease !== id) continue
        this.keys.delete(key)
        this.changed = true
      }
      return { revision: this.visible() }
    })
  }

  keysOf(id: bigint): string[] {
    return [...this.keys.values()]
      .filter(({ lease }) => lease === id)
      .map(({ key }) => key)
      .sort()
  }

  private transaction(body: () => NaiveResult): NaiveResult {
    this.keys = new Map(this.keys)
    this.changed = false
    const result = body()
    this.revision = this.visible()
    this.changed = false
    this.history.set(this.revision, this.keys)
    return result
  }

  private visible(): number {
    return this.changed ? this.revision + 1 : this.revision
  }

  private putInside(request: PutRequest): NaiveResult {
    const old = this.keys.get(request.key)
    this.changed = true
    this.keys.set(request.key, {
      key: request.key,
      value: request.ignoreValue ? (old?.value ?? '') : Buffer.from(request.value).toString('latin1'),
      create: old?.create ?? this.visible(),
      mod: this.visible(),
      version: (old?.version ?? 0) + 1,
      lease: request.ignoreLease ? (old?.lease ?? 0n) : request.lease,
    })
    return { revision: this.visible(), previous: request.previous ? old : undefined }
  }

  private deleteInside(request: DeleteRangeRequest): NaiveResult {
    const hit = select(this.keys, request.key, request.end)
    for (const { key } of hit) this.keys.delete(key)
    if (hit.length > 0) this.changed = true
    return { revision: this.visible(), deleted: hit.length, previous: request.previous ? hit : [] }
  }

  private rangeInside(request: RangeRequest): NaiveResult {
    const current = this.visible()
    if (request.revision > current) return { error: 'FUTURE_REVISION' }
    if (request.revision > 0 && request.revision < this.compacted) return { error: 'COMPACTED' }
    const at = request.revision <= 0 || request.revision === current ? this.keys : this.history.get(request.revision)!
    const all = select(at, request.key, request.end)
    if (request.countOnly) return { revision: current, count: all.length, more: false, records: [] }
    let records = all
    const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision, limit } = request
    const explicit = request.sortOrder !== sortOrders.none
    const filtered = minModRevision !== 0 || maxModRevision !== 0 || minCreateRevision !== 0 || maxCreateRevision !== 0
    if (limit > 0 && !explicit && !filtered) records = records.slice(0, limit + 1)
    records = records.filter(
      ({ mod, create }) =>
        (maxModRevision === 0 || mod <= maxModRevision) &&
        (minModRevision === 0 || mod >= minModRevision) &&
        (maxCreateRevision === 0 || create <= maxCreateRevision) &&
        (minCreateRevision === 0 || create >= minCreateRevision),
    )
    const sign = request.sortOrder === sortOrders.descend ? -1 : 1
    records = records.toSorted((a, b) => sign * order(a, b, request.sortTarget))
    const more = limit > 0 && records.length > limit
    if (more) records = records.slice(0, limit)
    return { revision: current, count: all.length, more, records }
  }

  private decide(request: TxnRequest, path: boolean[]): void {
    const succeeded = request.compares.every((compare) => this.holds(compare))
    path.push(succeeded)
    for (const operation of succeeded ? request.success : request.failure) {
      if (operation.type === 'txn') this.decide(operation, path)
    }
  }

  private check(request: TxnRequest, path: boolean[]): string | undefined {
    for (const operation of path.shift() === true ? request.success : request.failure) {
      const error = this.checkOne(operation, path)
      if (error !== undefined) return error
    }
    return undefined
  }

  private checkOne(operation: Operation, path: boolean[]): string | undefined {
    if (operation.type === 'txn') return this.check(operation, path)
    if (operation.type === 'range') {
      if (operation.revision === 0) return undefined
      if (operation.revision > this.revision) return 'FUTURE_REVISION'
      return operation.revision < (this.compacted === 0 ? -1 : this.compacted) ? 'COMPACTED' : undefined
    }
    if (operation.type !== 'put') return undefined
    if ((operation.ignoreLease || operation.ignoreValue) && !this.keys.has(operation.key)) return 'KEY_NOT_FOUND'
    return operation.lease !== 0n && !this.leases.has(operation.lease) ? 'LEASE_NOT_FOUND' : undefined
  }

  private run(request: TxnRequest, path: boolean[]): NaiveResult {
    const succeeded = path.shift() === true
    const responses: NaiveResult[] = []
    for (const operation of succeeded ? request.success : request.failure) {
      if (operation.type === 'put') responses.push(this.putInside(operation))
      else if (operation.type === 'deleteRange') responses.push(this.deleteInside(operation))
      else if (operation.type === 'range') responses.push(this.rangeInside(operation))
      else if (operation.type === 'txn') responses.push({ revision: 0, ...this.run(operation, path) })
    }
    return { succeeded, responses }
  }

  private holds(compare: Compare): boolean {
    const hit = select(this.keys, compare.key, compare.end)
    if (hit.length > 0) return hit.every((record) => compareRecord(compare, record))
    if (compare.target === compareTargets.value) return false
    return compareRecord(compare, { key: '', value: '', create: 0, mod: 0, version: 0, lease: 0n })
  }
}

function select(keys: Keys, key: string, end: string | undefined): NaiveRecord[] {
  const all = [...keys.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
  if (end === undefined) return all.filter((record) => record.key === key)
  return all.filter((record) => record.key >= key && (end === '\0' || record.key < end))
}

function order(a: NaiveRecord, b: NaiveRecord, target: number): number {
  if (target === sortTargets.version) return a.version - b.version
  if (target === sortTargets.create) return a.create - b.create
  if (target === sortTargets.mod) return a.mod - b.mod
  if (target === sortTargets.value) return compareBytes(Buffer.from(a.value, 'latin1'), Buffer.from(b.value, 'latin1'))
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}

function compareRecord(compare: Compare, record: NaiveRecord): boolean {
  const operands = [
    Math.sign(record.version - compare.number),
    Math.sign(record.create - compare.number),
    Math.sign(record.mod - compare.number),
    compareBytes(Buffer.from(record.value, 'latin1'), compare.value),
    record.lease < compare.lease ? -1 : record.lease > compare.lease ? 1 : 0,
  ]
  const ordering = operands[compare.target] ?? 0
  if (compare.result === compareResults.equal) return ordering === 0
  if (compare.result === compareResults.notEqual) return ordering !== 0
  return compare.result === compareResults.greater ? ordering > 0 : ordering < 0
}
