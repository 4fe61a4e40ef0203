/** Registers, sets of registers and mutexes in terms of a key-value store. Nil is a key that is absent. */
import type { KvEntry, KvInput, KvOutput, KvStep, KvStepOutput, OperationRecord } from '../history/index.ts'
import { type Edn, printEdn } from './edn.ts'
import type { HistoryEvent, Translate } from './events.ts'
import { FormatError } from './format-error.ts'

export const modelNames = ['register', 'cas-register', 'multi-register', 'mutex'] as const
export type ModelName = (typeof modelNames)[number]

/** What a format means by an answer. */
export interface AnswerRules {
  /** A read that was answered with nil saw nil. Else nothing is known of what it saw. */
  readonly nilIsSeen: boolean
  /** A compare-and-swap that failed found another value. Else nothing is known of why it failed. */
  readonly failedCasIsSeen: boolean
}

const mutexKey = 'mutex'
const registerKey = 'register'
const locked = 'held'

type Translated = ReturnType<Translate>

/** The model that the functions of the events belong to. */
export function modelOf(events: readonly HistoryEvent[]): ModelName {
  const clients = events.filter((event) => /^\d+$/.test(event.process))
  if (clients.some(({ f }) => f === 'acquire' || f === 'release')) return 'mutex'
  if (clients.some(({ f, value }) => f === 'txn' || value.kind === 'map')) return 'multi-register'
  return 'cas-register'
}

export function translatorOf(model: ModelName, rules: AnswerRules): Translate {
  if (model === 'mutex') return mutex
  if (model === 'multi-register') return multiRegister
  return (invocation, completion) => register(invocation, completion, rules)
}

function outcomeOf(completion: HistoryEvent | undefined): OperationRecord['outcome'] {
  if (completion === undefined || completion.type === 'info') return 'unknown'
  return completion.type === 'ok' ? 'ok' : 'failed'
}

function mutex(invocation: HistoryEvent, completion: HistoryEvent | undefined): Translated {
  const outcome = outcomeOf(completion)
  const key = invocation.key ?? mutexKey
  if (invocation.f === 'acquire')
    return { input: { op: 'cas', key, expected: null, value: locked }, outcome, output: { succeeded: true } }
  if (invocation.f === 'release') return { input: { op: 'delete', key }, outcome, output: { deleted: 1 } }
  throw unknownFunction(invocation, 'a mutex')
}

function register(invocation: HistoryEvent, completion: HistoryEvent | undefined, rules: AnswerRules): Translated {
  const outcome = outcomeOf(completion)
  const key = invocation.key ?? registerKey
  if (invocation.f === 'read') {
    const seen = completion?.value ?? { kind: 'nil' }
    const told = rules.nilIsSeen || seen.kind !== 'nil'
    return { input: { op: 'get', key }, outcome, output: told ? { entries: entriesOf(key, seen) } : {} }
  }
  if (invocation.f === 'write') return { ...write(key, invocation.value), outcome }
  if (invocation.f === 'cas') return compareAndSwap(key, invocation, completion, outcome, rules)
  throw unknownFunction(invocation, 'a register')
}

function write(key: string, value: Edn): { readonly input: KvInput; readonly output: KvOutput } {
  const written = textOf(value)
  return { input: written === null ? { op: 'delete', key } : { op: 'put', key, value: written }, output: {} }
}

function compareAndSwap(
  key: string,
  invocation: HistoryEvent,
  completion: HistoryEvent | undefined,
  outcome: OperationRecord['outcome'],
  rules: AnswerRules,
): Translated {
  const { value } = invocation
  if ((value.kind !== 'vector' && value.kind !== 'list') || value.items.length !== 2)
    throw new FormatError(`:cas takes two values, as in [1 2], not ${printEdn(value)}`, invocation.line)
  const expected = textOf(value.items[0]!)
  const replacement = textOf(value.items[1]!)
  // Where an error stands in place of the values, it did not come to a comparison.
  const lost = outcome === 'failed' && rules.failedCasIsSeen && completion?.value.kind === 'vector'
  const input: KvInput =
    replacement !== null
      ? { op: 'cas', key, expected, value: replacement }
      : {
          op: 'txn',
          compares: [
            expected === null
              ? { key, target: 'version', relation: '=', operand: 0 }
              : { key, target: 'value', relation: '=', operand: expected },
          ],
          success: [{ op: 'delete', key }],
          failure: [],
        }
  return { input, outcome: lost ? 'ok' : outcome, output: { succeeded: !lost } }
}

/** Reads and writes of several registers at once: `[[:read :x nil] [:write :y 2]]`, or maps of registers. */
function multiRegister(invocation: HistoryEvent, completion: HistoryEvent | undefined): Translated {
  const outcome = outcomeOf(completion)
  const asked = microOperations(invocation, invocation.value)
  const answered =
    outcome === 'ok' && completion!.value.kind !== 'nil' ? microOperations(completion!, completion!.value) : asked
  const steps: KvStep[] = []
  const outputs: KvStepOutput[] = []
  for (const { f, key, value } of answered.length === 0 ? asked : answered) {
    if (f === 'read') {
      steps.push({ op: 'get', key })
      outputs.push(value.kind === 'nil' ? {} : { entries: entriesOf(key, value) })
    } else {
      const written = textOf(value)
      steps.push(written === null ? { op: 'delete', key } : { op: 'put', key, value: written })
      outputs.push({})
    }
  }
  return { input: { op: 'txn', compares: [], success: steps, failure: [] }, outcome, output: { steps: outputs } }
}

interface MicroOperation {
  readonly f: 'read' | 'write'
  readonly key: string
  readonly value: Edn
}

function microOperations(event: HistoryEvent, value: Edn): MicroOperation[] {
  if (value.kind === 'nil') return []
  if (value.kind === 'map') {
    if (event.f !== 'read' && event.f !== 'write') throw unknownFunction(event, 'a map of registers')
    const f = event.f
    return value.pairs.map(([key, item]) => ({ f, key: printEdn(key), value: item }))
  }
  if (value.kind !== 'vector' && value.kind !== 'list')
    throw new FormatError(
      `a transaction is a vector like [[:read :x nil] [:write :y 2]], not ${printEdn(value)}`,
      event.line,
    )
  return value.items.map((item) => microOperation(event, item))
}

const functionNames: Readonly<Record<string, 'read' | 'write'>> = {
  read: 'read',
  r: 'read',
  write: 'write',
  w: 'write',
}

function microOperation(event: HistoryEvent, item: Edn): MicroOperation {
  const parts = item.kind === 'vector' || item.kind === 'list' ? item.items : []
  const [f, key, value = { kind: 'nil' }] = parts
  const name = f?.kind === 'keyword' ? functionNames[f.name] : undefined
  if (name === undefined || key === undefined || parts.length > 3)
    throw new FormatError(`${printEdn(item)} is neither [:read key value] nor [:write key value]`, event.line)
  return { f: name, key: printEdn(key), value }
}

function entriesOf(key: string, value: Edn): KvEntry[] {
  const text = textOf(value)
  return text === null ? [] : [{ key, value: text }]
}

function textOf(value: Edn): string | null {
  return value.kind === 'nil' ? null : printEdn(value)
}

function unknownFunction(event: HistoryEvent, what: string): FormatError {
  return new FormatError(`:${event.f} is no operation of ${what}; try another --model`, event.line)
}

/** Writes of `value` to every register before all else. `value` may be a map from registers to values. */
export function initialWrites(records: readonly OperationRecord[], value: Edn): OperationRecord[] {
  const keys = new Set<string>()
  for (const { input } of records) {
    if (input.op !== 'txn') keys.add(input.key)
    else for (const step of [...input.success, ...input.failure]) keys.add(step.key)
  }
  const given = value.kind === 'map' ? new Map(value.pairs.map(([key, item]) => [printEdn(key), item])) : undefined
  return [...keys].flatMap((key): OperationRecord[] => {
    const initial = given === undefined ? value : (given.get(key) ?? { kind: 'nil' })
    const text = textOf(initial)
    if (text === null) return []
    return [
      {
        type: 'operation',
        client: 'initial state',
        invokedMs: -2,
        returnedMs: -1,
        outcome: 'ok',
        input: { op: 'put', key, value: text },
        output: {},
      },
    ]
  })
}
