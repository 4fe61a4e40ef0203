/** Why no order was found, in sentences, and the operations that show it. */
import type { OperationRecord } from '../../history/index.ts'
import type { ObjectFailure } from './check-linearizability.ts'
import type { CompiledOperation, Vocabulary } from './compiled-operation.ts'
import type { DeadEnd } from './search.ts'
import { describeOperation, quote } from './wording.ts'

export interface Explanation {
  readonly text: string
  readonly evidence: readonly OperationRecord[]
}

const contextMax = 8
const keysShownMax = 6

export function explainDeadEnd({ deadEnd, vocabulary }: ObjectFailure): Explanation {
  if (deadEnd === undefined) return { text: '', evidence: [] }
  const { blocked, open, states } = deadEnd
  const text = [
    `No order of the operations reaches the return of ${inWords(blocked.record)}.`,
    `The longest one takes ${count(deadEnd.takenCount, 'operation')} and ends with ${describeStates(states, vocabulary)};`,
    open.length > 1
      ? `of the ${open.length} operations then open none fits: ${open.map((each) => describeOperation(each.record)).join('; ')}.`
      : 'no other operation was open then.',
  ].join(' ')
  return { text, evidence: evidenceOf(deadEnd) }
}

function inWords(record: OperationRecord): string {
  return `"${describeOperation(record)}" of client ${record.client}`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

/** `x = 1, or x = 2`. */
export function describeStates(states: DeadEnd['states'], vocabulary: Vocabulary): string {
  return states.map((state) => describeState(state, vocabulary)).join(', or ')
}

function describeState(state: ReadonlyMap<number, number>, vocabulary: Vocabulary): string {
  const keys = [...state].map(
    ([key, value]) =>
      `${vocabulary.keyNames[key]} ${value === 0 ? 'absent' : `= ${quote(vocabulary.valueNames[value]!)}`}`,
  )
  return keys.length > keysShownMax ? `${keys.slice(0, keysShownMax).join(', ')}, …` : keys.join(', ')
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
