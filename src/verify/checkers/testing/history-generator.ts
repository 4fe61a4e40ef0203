/** Histories of a correct store under concurrent clients: valid by construction, of any length, from a seed. */
import { Prng } from '../../../base/index.ts'
import type { KvInput, KvOutput, OperationRecord, WatchChange } from '../../history/index.ts'
import { ModelStore } from './model-store.ts'

export interface HistoryShape {
  readonly seed: string
  readonly operations: number
  readonly clients: number
  readonly keys: number
  /** Share of operations whose outcome the client never learns; half of those take effect, sometimes much later. */
  readonly unknownShare?: number
  /** Replies tell revisions. */
  readonly revisions?: boolean
  /** How many different values are put; default: every put has its own. */
  readonly values?: number
  /** Weights of the kinds of operations; those absent do not occur. */
  readonly mix?: Partial<Record<KvInput['op'] | 'serializable', number>>
  /** Times are whole milliseconds, so that many events share one. */
  readonly coarse?: boolean
}

export interface GeneratedHistory {
  readonly operations: readonly OperationRecord[]
  /** All changes in their order: what a watch of everything would see. */
  readonly changes: readonly WatchChange[]
  readonly finalRevision: number
}

interface Pending {
  readonly input: KvInput
  readonly client: number
  readonly invokedMs: number
  /** Infinity: never. */
  readonly effectMs: number
  readonly returnedMs: number
  readonly unknown: boolean
  readonly stale: boolean
}

const mixDefault = { get: 5, put: 4, delete: 1, cas: 2 }

export function generateHistory(shape: HistoryShape): GeneratedHistory {
  return new Generator(shape).run()
}

class Generator {
  private readonly shape: HistoryShape
  private readonly random: Prng
  private readonly store = new ModelStore()
  /** Past states, for stale reads. */
  private past: ModelStore[] = []
  private readonly kinds: string[]
  private valueCount = 0

  constructor(shape: HistoryShape) {
    this.shape = shape
    this.random = new Prng(shape.seed)
    this.kinds = Object.entries(shape.mix ?? mixDefault).flatMap(([kind, weight]) => Array<string>(weight).fill(kind))
  }

  run(): GeneratedHistory {
    const pending = this.schedule()
    const records: OperationRecord[] = []
    const changes: WatchChange[] = []
    for (const each of [...pending].sort((a, b) => a.effectMs - b.effectMs)) {
      let output: KvOutput | undefined
      if (each.effectMs < Number.POSITIVE_INFINITY) {
        output = each.stale ? this.readPast(each.input) : this.store.apply(each.input)
        if (!each.stale) changes.push(...this.store.changes)
        if (this.kinds.includes('serializable') && this.store.changes.length > 0) this.remember()
      }
      records.push(this.record(each, output))
    }
    records.sort((a, b) => (a.returnedMs ?? a.invokedMs + 1) - (b.returnedMs ?? b.invokedMs + 1))
    return { operations: records, changes, finalRevision: this.store.revision }
  }

  private remember(): void {
    this.past.push(new ModelStore(this.store))
    if (this.past.length > 5) this.past.shift()
  }

  private readPast(input: KvInput): KvOutput {
    const then = this.past.length === 0 ? this.store : this.past[this.random.below(this.past.length)]!
    return new ModelStore(then).apply(input)
  }

  /** Clients take turns as they become free. */
  private schedule(): Pending[] {
    const { clients, operations, unknownShare = 0, coarse = false } = this.shape
    const time = (ms: number) => (coarse ? Math.ceil(ms) : ms)
    const freeAt = Array.from({ length: clients }, () => this.random.float())
    const pending: Pending[] = []
    for (let i = 0; i < operations; i++) {
      const client = freeAt.indexOf(Math.min(...freeAt))
      const invokedMs = time(freeAt[client]!)
      const returnedMs = time(invokedMs + this.random.float() * 3)
      const kind = this.kinds[this.random.below(this.kinds.length)]!
      const unknown = this.random.float() < unknownShare
      let effectMs = invokedMs + this.random.float() * (returnedMs - invokedMs)
      if (unknown && this.random.below(2) === 0) effectMs = Number.POSITIVE_INFINITY
      else if (unknown && this.random.below(4) === 0) effectMs += this.random.float() * 50
      const input = this.input(kind)
      pending.push({ input, client, invokedMs, effectMs, returnedMs, unknown, stale: kind === 'serializable' })
      freeAt[client] = coarse ? returnedMs : returnedMs + this.random.float()
    }
    return pending
  }

  private record(each: Pending, output: KvOutput | undefined): OperationRecord {
    const head = {
      type: 'operation',
      client: `c${each.client}`,
      invokedMs: each.invokedMs,
      input: each.input,
      ...(each.stale ? { serializable: true } : {}),
    } as const
    if (each.unknown) return { ...head, outcome: 'unknown', error: 'timed out' }
    return { ...head, returnedMs: each.returnedMs, outcome: 'ok', output: this.told(output!) }
  }

  private told(output: KvOutput): KvOutput {
    if (this.shape.revisions === true) return output
    const { revision: _, ...rest } = output
    const bare = (entries: NonNullable<KvOutput['entries']>) => entries.map(({ key, value }) => ({ key, value }))
    return {
      ...rest,
      ...(rest.entries === undefined ? {} : { entries: bare(rest.entries) }),
      ...(rest.steps === undefined
        ? {}
        : { steps: rest.steps.map((step) => (step.entries ? { ...step, entries: bare(step.entries) } : step)) }),
    }
  }

  private key(): string {
    return `k${String(this.random.below(this.shape.keys)).padStart(4, '0')}`
  }

  private value(): string {
    const { values } = this.shape
    return `v${values === undefined ? ++this.valueCount : this.random.below(values)}`
  }

  private usedValue(): string {
    return `v${this.random.below((this.shape.values ?? this.valueCount) + 1)}`
  }

  private input(kind: string): KvInput {
    const key = this.key()
    switch (kind) {
      case 'put':
        return { op: 'put', key, value: this.value() }
      case 'delete':
        return { op: 'delete', key }
      case 'cas': {
        const expected = this.random.below(4) === 0 ? null : this.usedValue()
        return { op: 'cas', key, expected, value: this.value() }
      }
      case 'range': {
        const other = this.key()
        return key < other ? { op: 'range', key, end: other } : { op: 'range', key: other, end: key }
      }
      case 'txn':
        return this.transaction(key)
      default:
        return { op: 'get', key }
    }
  }

  private transaction(key: string): KvInput {
    const compares = [
      { key, target: 'value', relation: '=', operand: this.usedValue() },
      { key, target: 'value', relation: '!=', operand: this.usedValue() },
      { key, target: 'version', relation: '=', operand: this.random.below(3) },
      { key, target: 'modRevision', relation: '<', operand: this.random.below(40) },
      { key, target: 'createRevision', relation: '=', operand: 0 },
    ] as const
    const other = this.key()
    return {
      op: 'txn',
      compares: this.random.below(4) === 0 ? [] : [compares[this.random.below(compares.length)]!],
      success: [
        { op: 'get', key: other },
        { op: 'put', key, value: this.value() },
        ...(other === key ? [] : [{ op: 'put', key: other, value: this.value() } as const]),
      ],
      failure: [{ op: 'get', key }],
    }
  }
}
