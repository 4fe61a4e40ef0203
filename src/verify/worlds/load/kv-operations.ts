/** Draws operations over few, hot keys: some stand alone, some are joined by transactions and ranges. */
import type { Random } from '../../../runtime/index.ts'
import type { KvCompare, KvInput, KvStep } from '../../history/index.ts'
import { chance, pick } from '../chance.ts'

/** Keys that only single-key operations touch: each is an object of its own to the checkers. */
const singleKeys = ['a0', 'a1', 'a2', 'a3']
/** Keys of transactions and ranges: together they are one object. */
const jointKeys = ['j0', 'j1', 'j2']
const jointEnd = 'j~'

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

export class KvOperations {
  private readonly random: Random
  private readonly prefix: string
  private values = 0

  /** `prefix` makes the values of this client its own, so that every value tells its writer. */
  constructor(random: Random, prefix: string) {
    this.random = random
    this.prefix = prefix
  }

  draw(memory: KvMemory): DrawnOperation {
    const { random } = this
    const key = pick(random, chance(random, 0.7) ? singleKeys : jointKeys)
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
      case 7:
        return { input: { op: 'range', key: 'j', end: jointEnd }, serializable: chance(random, 0.3) }
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
    const [first, second] = chance(random, 0.5) ? ['j0', 'j1'] : ['j1', 'j2']
    return {
      op: 'txn',
      compares: chance(random, 0.2) ? [] : [this.compare(first as string, memory)],
      success: [
        { op: 'put', key: first as string, value: this.value() },
        chance(random, 0.3)
          ? { op: 'delete', key: second as string }
          : { op: 'put', key: second as string, value: this.value() },
      ],
      failure: this.lookup(first as string, second as string),
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

  private lookup(first: string, second: string): KvStep[] {
    return [
      { op: 'get', key: first },
      { op: 'get', key: second },
    ]
  }
}
