/**
 * The sequential specification: a key-value store that carries out one operation at a time and can take it back.
 *
 * - S1  `apply` either carries the operation out and logs every change, or changes nothing and says false.
 * - S2  `lanes` are four independent 32-bit hashes over the set of (key, state) pairs of keys that are not in their
 *       initial state; they depend on the state only, not on how it was reached.
 * - S3  Versions and revisions are kept only where some compare asks for them: without them more states are equal.
 */
import {
  absent,
  type CompiledCompare,
  type CompiledOperation,
  type CompiledStep,
  stepKind,
  untold,
} from './compiled-operation.ts'
import { laneCount, mixLane } from './fingerprint-set.ts'

/** The revision of a write whose outcome was never told. */
const unknownRevision = -1

export class KeyValueObject {
  /** The value of each key by its number; `absent` where there is none. */
  readonly values: Int32Array
  readonly lanes = new Int32Array(laneCount)
  private readonly valueNames: readonly string[]
  private readonly tracked: boolean
  private readonly versions: Int32Array
  private readonly modRevisions: Float64Array
  private readonly createRevisions: Float64Array
  /** Numbers for states of a key when versions count. */
  private readonly stateNumbers = new Map<string, number>()
  /** Five numbers a change: key, and value, version, modRevision, createRevision before it. */
  private readonly changes: number[] = []

  constructor(keyCount: number, valueNames: readonly string[], tracked: boolean) {
    this.valueNames = valueNames
    this.tracked = tracked
    this.values = new Int32Array(keyCount)
    const trackedCount = tracked ? keyCount : 0
    this.versions = new Int32Array(trackedCount)
    this.modRevisions = new Float64Array(trackedCount)
    this.createRevisions = new Float64Array(trackedCount)
  }

  /** Where the log of changes stands; `undo` goes back to it. */
  get mark(): number {
    return this.changes.length
  }

  /** `choice` 1 takes the failing branch where the compares cannot be decided. */
  apply(operation: CompiledOperation, choice: number): boolean {
    let success = true
    if (operation.compares.length > 0) {
      const truth = this.decide(operation.compares)
      if (truth === undefined) success = operation.succeeded ?? choice === 0
      else if (choice !== 0) return false
      else success = truth
      if (operation.succeeded !== undefined && operation.succeeded !== success) return false
    }
    const mark = this.changes.length
    for (const step of success ? operation.success : operation.failure) {
      if (this.carryOut(step, operation.revision)) continue
      this.undo(mark)
      return false
    }
    return true
  }

  undo(mark: number): void {
    const { changes } = this
    while (changes.length > mark) {
      const createRevision = changes.pop()!
      const modRevision = changes.pop()!
      const version = changes.pop()!
      const value = changes.pop()!
      const key = changes.pop()!
      this.toggle(key)
      this.values[key] = value
      if (this.tracked) {
        this.versions[key] = version
        this.modRevisions[key] = modRevision
        this.createRevisions[key] = createRevision
      }
      this.toggle(key)
    }
  }

  /** Undefined: it depends on the revision of a write whose outcome was never told. */
  private decide(compares: readonly CompiledCompare[]): boolean | undefined {
    let decided = true
    for (const compare of compares) {
      const holds = this.holds(compare)
      if (holds === false) return false
      if (holds === undefined) decided = false
    }
    return decided ? true : undefined
  }

  /** Whether one compare holds, as etcd defines it: a compare with the value of an absent key never does. */
  holds(compare: CompiledCompare): boolean | undefined {
    const { key, relation, operand } = compare
    const value = this.values[key]!
    if (compare.target === 'value') {
      if (value === absent) return false
      if (relation === '=') return value === operand
      if (relation === '!=') return value !== operand
      const text = this.valueNames[value]!
      return relation === '<' ? text < compare.operandText : text > compare.operandText
    }
    if (value === absent) return related(0, relation, operand)
    if (!this.tracked) return related(1, relation, operand)
    if (compare.target === 'version') return related(this.versions[key]!, relation, operand)
    const revision = (compare.target === 'modRevision' ? this.modRevisions : this.createRevisions)[key]!
    if (revision !== unknownRevision) return related(revision, relation, operand)
    // All that is known of it is that it is at least 1.
    if (operand < 1) return relation === '!=' || relation === '>'
    return operand === 1 && relation === '<' ? false : undefined
  }

  private carryOut(step: CompiledStep, revision: number): boolean {
    const { keys, expected, kind } = step
    if (kind === stepKind.put) {
      this.set(keys[0]!, step.value, revision)
      return true
    }
    if (kind === stepKind.delete) {
      const present = this.values[keys[0]!] !== absent
      if (expected[0] !== untold && (expected[0] === 1) !== present) return false
      if (present) this.set(keys[0]!, absent, revision)
      return true
    }
    if (expected[0] === untold) return true
    if (expected.length !== keys.length) return false
    for (let i = 0; i < keys.length; i++) if (this.values[keys[i]!] !== expected[i]) return false
    return true
  }

  private set(key: number, value: number, revision: number): void {
    const before = this.values[key]!
    if (!this.tracked) {
      if (before === value) return
      this.changes.push(key, before, 0, 0, 0)
      this.toggle(key)
      this.values[key] = value
      this.toggle(key)
      return
    }
    this.changes.push(key, before, this.versions[key]!, this.modRevisions[key]!, this.createRevisions[key]!)
    this.toggle(key)
    this.values[key] = value
    this.versions[key] = value === absent ? 0 : this.versions[key]! + 1
    this.modRevisions[key] = value === absent ? 0 : revision
    if (value === absent) this.createRevisions[key] = 0
    else if (before === absent) this.createRevisions[key] = revision
    this.toggle(key)
  }

  /** Takes the state of `key` into the lanes, or out of them. */
  private toggle(key: number): void {
    const value = this.values[key]!
    if (value === absent) return
    const state = this.tracked ? this.stateNumber(key) : value
    for (let lane = 0; lane < laneCount; lane++) this.lanes[lane]! ^= mixLane(lane, key, state)
  }

  private stateNumber(key: number): number {
    const name = `${this.values[key]},${this.versions[key]},${this.modRevisions[key]},${this.createRevisions[key]}`
    let number = this.stateNumbers.get(name)
    if (number === undefined) {
      number = this.stateNumbers.size + 1
      this.stateNumbers.set(name, number)
    }
    return number
  }
}

function related(left: number, relation: CompiledCompare['relation'], right: number): boolean {
  if (relation === '=') return left === right
  if (relation === '!=') return left !== right
  return relation === '<' ? left < right : left > right
}
