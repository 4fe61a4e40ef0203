/** An etcd-like store in the plainest form: the truth that checkers are tested against. Shares no code with them. */
import type { KvCompare, KvEntry, KvInput, KvOutput, KvStep, KvStepOutput } from '../../history/index.ts'

export interface StoreChange {
  readonly kind: 'put' | 'delete'
  readonly key: string
  readonly value: string
  readonly modRevision: number
  readonly createRevision: number
  readonly version: number
}

export class ModelStore {
  readonly entries: Map<string, Required<KvEntry>>
  revision: number
  /** The changes of the last operation. */
  changes: StoreChange[] = []

  constructor(from?: ModelStore) {
    this.entries = new Map(from?.entries)
    this.revision = from?.revision ?? 1
  }

  apply(input: KvInput): KvOutput {
    this.changes = []
    const next = this.revision + 1
    const output = this.carryOut(input, next)
    if (this.changes.length > 0) this.revision = next
    return { ...output, revision: this.revision }
  }

  private carryOut(input: KvInput, next: number): KvOutput {
    switch (input.op) {
      case 'range': {
        const inside = [...this.entries.values()].filter(({ key }) => key >= input.key && key < input.end)
        return { entries: inside.sort((a, b) => (a.key < b.key ? -1 : 1)) }
      }
      case 'cas': {
        const succeeded = (this.entries.get(input.key)?.value ?? null) === input.expected
        if (succeeded) this.step({ op: 'put', key: input.key, value: input.value }, next)
        return { succeeded }
      }
      case 'txn': {
        const succeeded = input.compares.every((compare) => this.holds(compare))
        return { succeeded, steps: (succeeded ? input.success : input.failure).map((step) => this.step(step, next)) }
      }
      default:
        return this.step(input, next)
    }
  }

  private step(step: KvStep, next: number): KvStepOutput {
    const entry = this.entries.get(step.key)
    if (step.op === 'get') return { entries: entry === undefined ? [] : [entry] }
    if (step.op === 'delete') {
      if (entry === undefined) return { deleted: 0 }
      this.entries.delete(step.key)
      this.changes.push({ kind: 'delete', key: step.key, value: '', modRevision: next, createRevision: 0, version: 0 })
      return { deleted: 1 }
    }
    const { key, value } = step
    const createRevision = entry?.createRevision ?? next
    const put = { key, value, modRevision: next, createRevision, version: (entry?.version ?? 0) + 1 }
    this.entries.set(key, put)
    this.changes.push({ kind: 'put', ...put })
    return {}
  }

  private holds({ key, target, relation, operand }: KvCompare): boolean {
    const entry = this.entries.get(key)
    if (entry === undefined && target === 'value') return false
    const left = entry?.[target] ?? 0
    switch (relation) {
      case '=':
        return left === operand
      case '!=':
        return left !== operand
      case '<':
        return left < operand
      case '>':
        return left > operand
    }
  }
}
