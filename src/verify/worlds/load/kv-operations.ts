/** Draws operations over few, hot keys: some stand alone, some are joined by transactions and ranges. */
import type { Random } from '../../../runtime/index.ts'
import type { KvCompare, KvInput } from '../../history/index.ts'
import { chance } from '../chance.ts'
import type { KeySpace } from './key-space.ts'

/** What one client knows from earlier answers: conditions that hold now and then need it. */
export class KvMemory {
  private readonly values = new Map<string, string | null>()
  private readonly revisions = new Map<string, number>()

  noteValue(key: string, value: string | null, modRevision: number): void {
    this.values.set(key, value)
    this.revisions.set(key, modRevision)
  }

  value(key: string): string | null {
    return this.values.get(key) ?? null
  }

  modRevision(key: string): number {
    return this.revisions.get(key) ?? 0
  }
}

export interface DrawnOperation {
  readonly input: KvInput
  readonly serializable: boolean
}

/** The key that tells which keys an operation is about. */
export function keyOf(input: KvInput): string {
  return input.op === 'txn' ? (input.success[0]?.key ?? '') : input.key
}

export class KvOperations {
  private readonly random: Random
  private readonly keys: KeySpace
  private readonly prefix: string
  private values = 0

  /** `prefix` makes the values of this client its own, so that every value tells its writer. */
  constructor(random: Random, keys: KeySpace, prefix: string) {
    this.random = random
    this.keys = keys
    this.prefix = prefix
  }

  draw(memory: KvMemory): DrawnOperation {
    const { random, keys } = this
    const key = chance(random, 0.7) ? keys.single(random) : keys.anyJoint(random)
    switch (random.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return { input: { op: 'get', key }, serializable: false }
      case 5:
      case 6:
        return { input: { op: 'get', key }, serializable: true }
      case 7: {
        const [from, end] = keys.jointRange
        return { input: { op: 'range', key: from, end }, serializable: chance(random, 0.3) }
      }
      case 8:
      case 9:
        return { input: { op: 'delete', key }, serializable: false }
      case 10:
      case 11:
      case 12:
        return { input: this.cas(key, memory), serializable: false }
      case 13:
      case 14:
      case 15:
        return { input: this.txn(memory), serializable: false }
      default:
        return { input: { op: 'put', key, value: this.value() }, serializable: false }
    }
  }

  private value(): string {
    const padding = chance(this.random, 0.05) ? '.'.repeat(this.random.below(1500)) : ''
    return `${this.prefix}-${this.values++}${padding}`
  }

  private cas(key: string, memory: KvMemory): KvInput {
    return { op: 'cas', key, expected: memory.value(key), value: this.value() }
  }

  private txn(memory: KvMemory): KvInput {
    const { random } = this
    const [first, second] = this.keys.pair(random)
    return {
      op: 'txn',
      compares: chance(random, 0.2) ? [] : [this.compare(first, memory)],
      success: [
        { op: 'put', key: first, value: this.value() },
        chance(random, 0.3) ? { op: 'delete', key: second } : { op: 'put', key: second, value: this.value() },
      ],
      failure: [
        { op: 'get', key: first },
        { op: 'get', key: second },
      ],
    }
  }

  private compare(key: string, memory: KvMemory): KvCompare {
    switch (this.random.below(4)) {
      case 0:
        return { key, target: 'version', relation: '>', operand: this.random.below(3) }
      case 1:
        return { key, target: 'createRevision', relation: '=', operand: 0 }
      default:
        return { key, target: 'modRevision', relation: '=', operand: memory.modRevision(key) }
    }
  }
}
