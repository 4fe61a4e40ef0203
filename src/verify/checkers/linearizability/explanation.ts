/** Why no order was found, in sentences, and the operations that show it. */
import type { OperationRecord } from '../../history/index.ts'
import type { ObjectFailure } from './check-linearizability.ts'
import type { CompiledOperation, Vocabulary } from './compiled-operation.ts'
import { isUnmet, needsOf } from './needs.ts'
import type { DeadEnd } from './search.ts'
import { counted, describeOperation, quote } from './wording.ts'

export interface Explanation {
  readonly text: string
  /** The operation whose return no order reaches. */
  readonly blocked: OperationRecord | undefined
  /** How many operations the longest order takes. */
  readonly takenCount: number
  /** The states that it could end in. */
  readonly states: readonly string[]
  /** The operations open there, and why none of them fits. */
  readonly misfits: readonly { readonly record: OperationRecord; readonly reason: string }[]
  /** Those, and the last ones before that concern their keys. */
  readonly evidence: readonly OperationRecord[]
}

const contextMax = 8
const keysShownMax = 6

export function explainDeadEnd({ deadEnd, vocabulary }: Pick<ObjectFailure, 'deadEnd' | 'vocabulary'>): Explanation {
  if (deadEnd === undefined)
    return { text: '', blocked: undefined, takenCount: 0, states: [], misfits: [], evidence: [] }
  const { blocked, open } = deadEnd
  const states = deadEnd.states.map((state) => describeState(state, vocabulary))
  const misfits = open.map((operation) => ({
    record: operation.record,
    reason: misfitOf(operation, deadEnd, vocabulary),
  }))
  const text = [
    `No order of the operations reaches the return of "${describeOperation(blocked.record)}" of client ${blocked.record.client}.`,
    `The longest one takes ${counted(deadEnd.takenCount, 'operation')} and ends with ${states.join(', or ')}.`,
    ...misfits.map(({ record, reason }) => `"${describeOperation(record)}" does not fit: ${reason}.`),
  ].join(' ')
  return {
    text,
    blocked: blocked.record,
    takenCount: deadEnd.takenCount,
    states,
    misfits,
    evidence: evidenceOf(deadEnd),
  }
}

/** `x = 1, y absent`. */
function describeState(state: ReadonlyMap<number, number>, vocabulary: Vocabulary): string {
  const keys = [...state].map(([key, value]) => valueInWords(key, value, vocabulary))
  return keys.length > keysShownMax ? `${keys.slice(0, keysShownMax).join(', ')}, …` : keys.join(', ')
}

function valueInWords(key: number, value: number, { keyNames, valueNames }: Vocabulary): string {
  return `${keyNames[key]} ${value === 0 ? 'absent' : `= ${quote(valueNames[value]!)}`}`
}

/** What the operation needs and no state at the end has. */
function misfitOf(operation: CompiledOperation, { states }: DeadEnd, vocabulary: Vocabulary): string {
  const needs = needsOf(operation)
  for (const need of needs) {
    if (need.kind === 'some') continue
    const stateOf = (state: ReadonlyMap<number, number>) => {
      const values = new Int32Array(need.key + 1)
      values[need.key] = state.get(need.key) ?? 0
      return values
    }
    if (!states.every((state) => isUnmet(need, stateOf(state)))) continue
    const wanted = valueInWords(need.key, need.value, vocabulary)
    return need.kind === 'equals' ? `it needs ${wanted}` : `it needs a state without ${wanted}`
  }
  if (needs.length > 0) return 'what it saw was not all so at one time'
  return 'taken here, it leads nowhere: what was seen later needs it at another place'
}

/** The operations open at the end, and the last ones before that concern their keys. */
function evidenceOf({ open, lastTaken, uncertain }: DeadEnd): OperationRecord[] {
  const keys = new Set(open.flatMap((operation) => operation.keys))
  const concerned = (operation: CompiledOperation) => operation.keys.some((key) => keys.has(key))
  const before = lastTaken.filter(concerned).slice(-contextMax)
  const maybe = uncertain.filter(concerned).slice(0, contextMax)
  return [...new Set([...before, ...maybe, ...open])]
    .map((operation) => operation.record)
    .sort((a, b) => a.invokedMs - b.invokedMs)
}
