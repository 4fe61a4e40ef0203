/**
 * Operations in the form the search works on: every operation is a transaction (compares, steps if they hold, steps if
 * not), keys and values are small numbers, and what the reply told stands beside the step that it judges.
 *
 * What a reply leaves out is not judged: a get without `entries` may have seen anything.
 */
import type { KvCompare, KvEntry, KvStep, KvStepOutput, OperationRecord } from '../../history/index.ts'

/** A value that is not there. Other values are numbered from 1. */
export const absent = 0
/** The reply does not tell. */
export const untold = -1

export const stepKind = { get: 0, put: 1, delete: 2, range: 3 } as const

export interface CompiledStep {
  readonly kind: number
  /** Of a range: every known key in it, ascending. Of another step: one key. */
  readonly keys: Int32Array
  /** Of a put. */
  readonly value: number
  /**
   * Of a get or range: the value of each key as the reply shows it. Of a delete: 1 if it deleted, 0 if not. `untold` in
   * the first place: the reply does not tell.
   */
  readonly expected: Int32Array
}

export interface CompiledCompare {
  readonly key: number
  readonly target: KvCompare['target']
  readonly relation: KvCompare['relation']
  readonly operand: number
  /** Of a compare with a value. */
  readonly operandText: string
}

export interface CompiledOperation {
  readonly record: OperationRecord
  /** False: it may take effect at any time after its invocation, or never. */
  readonly certain: boolean
  readonly invokedMs: number
  readonly returnedMs: number
  readonly compares: readonly CompiledCompare[]
  readonly success: readonly CompiledStep[]
  readonly failure: readonly CompiledStep[]
  readonly succeeded: boolean | undefined
  /** Changes nothing in whatever state it is legal in. */
  readonly pure: boolean
  /** 2 if the compares may be undecidable and the reply does not tell the branch. */
  readonly choices: number
  /** All keys it reads or writes. */
  readonly keys: readonly number[]
  /** The keys on whose state its legality or its effect depends. */
  readonly observes: readonly number[]
  /** The key of its only write, if nothing but this key decides whether it happens; or -1. */
  readonly singleWrite: number
  /** The revision of the reply, or -1. */
  readonly revision: number
}

/** Numbers for keys and values of one history. */
export class Vocabulary {
  readonly keyNames: readonly string[]
  readonly valueNames: string[] = ['']
  private readonly keyNumbers = new Map<string, number>()
  private readonly valueNumbers = new Map<string, number>()
  private readonly ranges = new Map<string, Int32Array>()

  constructor(records: readonly OperationRecord[]) {
    const names = new Set<string>()
    for (const record of records) for (const name of keysNamed(record)) names.add(name)
    this.keyNames = [...names].sort((a, b) => (a < b ? -1 : 1))
    this.keyNames.forEach((name, number) => {
      this.keyNumbers.set(name, number)
    })
  }

  has(keyName: string): boolean {
    return this.keyNumbers.has(keyName)
  }

  key(name: string): number {
    return this.keyNumbers.get(name)!
  }

  value(text: string): number {
    let number = this.valueNumbers.get(text)
    if (number === undefined) {
      number = this.valueNames.push(text) - 1
      this.valueNumbers.set(text, number)
    }
    return number
  }

  /** The known keys from `key` up to, not including, `end`; etcd's end of one zero byte means all from `key` on. */
  range(key: string, end: string): Int32Array {
    const name = `${key.length}:${key}${end}`
    let range = this.ranges.get(name)
    if (range === undefined) {
      const from = this.firstAtLeast(key)
      const to = end === '\0' ? this.keyNames.length : this.firstAtLeast(end)
      range = Int32Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
      this.ranges.set(name, range)
    }
    return range
  }

  private firstAtLeast(key: string): number {
    let low = 0
    let high = this.keyNames.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.keyNames[middle]! < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

function* keysNamed(record: OperationRecord): Generator<string> {
  const { input, output } = record
  if (input.op === 'txn') {
    for (const compare of input.compares) yield compare.key
    for (const step of input.success) yield step.key
    for (const step of input.failure) yield step.key
  } else if (input.op !== 'range') yield input.key
  for (const entry of output?.entries ?? []) yield entry.key
}

const nothing = new Int32Array(0)
const notTold = Int32Array.of(untold)

/** `record` must not have failed: what failed certainly has no place in any order. */
export function compileOperation(record: OperationRecord, vocabulary: Vocabulary): CompiledOperation {
  const certain = record.outcome === 'ok'
  const output = certain ? (record.output ?? {}) : {}
  const compares: CompiledCompare[] = []
  let success: CompiledStep[] = []
  let failure: CompiledStep[] = []
  const { input } = record
  if (input.op === 'txn') {
    for (const compare of input.compares) compares.push(compileCompare(compare, vocabulary))
    const outputs = (branch: boolean) =>
      output.succeeded === branch || compares.length === 0 ? output.steps : undefined
    success = compileSteps(input.success, outputs(true), vocabulary)
    failure = compileSteps(input.failure, outputs(false), vocabulary)
  } else if (input.op === 'range') {
    const keys = vocabulary.range(input.key, input.end)
    success = [{ kind: stepKind.range, keys, value: absent, expected: valuesOf(keys, output.entries, vocabulary) }]
  } else {
    const step: KvStep = input.op === 'cas' ? { op: 'put', key: input.key, value: input.value } : input
    success = compileSteps([step], [output], vocabulary)
    if (input.op === 'cas') compares.push(casCompare(input.key, input.expected, vocabulary))
  }
  const conditional = compares.length > 0
  const succeeded = conditional ? output.succeeded : true
  const possible = [...(succeeded === false ? [] : success), ...(succeeded === true ? [] : failure)]
  const written = new Set(possible.filter(writes).map((step) => step.keys[0]!))
  const observes = new Set(compares.map((compare) => compare.key))
  for (const step of possible) {
    if (step.kind === stepKind.put || step.expected[0] === untold) continue
    for (const key of step.keys) observes.add(key)
  }
  const undecidable = compares.some(({ target }) => target === 'modRevision' || target === 'createRevision')
  return {
    record,
    certain,
    invokedMs: record.invokedMs,
    returnedMs: certain ? (record.returnedMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY,
    compares,
    success,
    failure,
    succeeded,
    pure: !possible.some((step) => writes(step) && !(step.kind === stepKind.delete && step.expected[0] === 0)),
    choices: undecidable && succeeded === undefined ? 2 : 1,
    keys: [...new Set([...observes, ...written, ...possible.flatMap((step) => [...step.keys])])],
    observes: [...observes],
    singleWrite: singleWriteOf(possible.filter(writes), compares),
    revision: output.revision ?? -1,
  }
}

function singleWriteOf(written: readonly CompiledStep[], compares: readonly CompiledCompare[]): number {
  if (written.length !== 1) return -1
  const key = written[0]!.keys[0]!
  return compares.every((compare) => compare.key === key) ? key : -1
}

function writes(step: CompiledStep): boolean {
  return step.kind === stepKind.put || step.kind === stepKind.delete
}

function compileCompare(compare: KvCompare, vocabulary: Vocabulary): CompiledCompare {
  const { target, relation } = compare
  const isValue = target === 'value'
  return {
    key: vocabulary.key(compare.key),
    target,
    relation,
    operand: isValue ? vocabulary.value(String(compare.operand)) : Number(compare.operand),
    operandText: String(compare.operand),
  }
}

function casCompare(key: string, expected: string | null, vocabulary: Vocabulary): CompiledCompare {
  return expected === null
    ? compileCompare({ key, target: 'version', relation: '=', operand: 0 }, vocabulary)
    : compileCompare({ key, target: 'value', relation: '=', operand: expected }, vocabulary)
}

function compileSteps(
  steps: readonly KvStep[],
  outputs: readonly KvStepOutput[] | undefined,
  vocabulary: Vocabulary,
): CompiledStep[] {
  return steps.map((step, position) => {
    const keys = Int32Array.of(vocabulary.key(step.key))
    const output = outputs?.[position]
    if (step.op === 'put') return { kind: stepKind.put, keys, value: vocabulary.value(step.value), expected: nothing }
    if (step.op === 'get')
      return { kind: stepKind.get, keys, value: absent, expected: valuesOf(keys, output?.entries, vocabulary) }
    const deleted = output?.deleted
    const expected = deleted === undefined ? notTold : Int32Array.of(deleted > 0 ? 1 : 0)
    return { kind: stepKind.delete, keys, value: absent, expected }
  })
}

function valuesOf(keys: Int32Array, entries: readonly KvEntry[] | undefined, vocabulary: Vocabulary): Int32Array {
  if (entries === undefined) return notTold
  const expected = new Int32Array(keys.length)
  for (const entry of entries) {
    const place = keys.length === 0 ? -1 : vocabulary.key(entry.key) - keys[0]!
    // An entry outside what was asked for fits no state at all, and so does a list of another length.
    if (place < 0 || place >= keys.length) return new Int32Array(keys.length + 1)
    expected[place] = vocabulary.value(entry.value)
  }
  return expected
}
