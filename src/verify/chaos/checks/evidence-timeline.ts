/** A picture of what was found wrong: the offending operations, and what went on around them on the same keys. */
import { describeOperation } from '../../checkers/index.ts'
import { renderTimeline } from '../../formats/index.ts'
import type { HistoryRecord, OperationRecord } from '../../history/index.ts'
import type { Finding } from './finding.ts'

const operationsMax = 120
const aroundMs = 500

/** One HTML file, or undefined when no finding has an operation as evidence. */
export function drawEvidence(findings: readonly Finding[], history: readonly HistoryRecord[]): string | undefined {
  const wrong = findings.find(({ evidence }) => evidence.some((record) => record.type === 'operation'))
  if (wrong === undefined) return undefined
  const highlighted = new Set(wrong.evidence.filter((record) => record.type === 'operation'))
  return renderTimeline({
    title: `${wrong.check}: ${wrong.verdict}`,
    explanation: wrong.explanation,
    operations: around(highlighted, history),
    highlighted,
    describe: describeOperation,
  })
}

/** The offending operations and the nearest others that overlap their time and share a key with one of them. */
function around(offending: ReadonlySet<OperationRecord>, history: readonly HistoryRecord[]): OperationRecord[] {
  const keys = new Set([...offending].flatMap(keysOf))
  const fromMs = Math.min(...[...offending].map((record) => record.invokedMs)) - aroundMs
  const untilMs = Math.max(...[...offending].map((record) => record.returnedMs ?? record.invokedMs)) + aroundMs
  const others = history.filter(
    (record): record is OperationRecord =>
      record.type === 'operation' &&
      !offending.has(record) &&
      record.invokedMs <= untilMs &&
      (record.returnedMs ?? record.invokedMs) >= fromMs &&
      keysOf(record).some((key) => keys.has(key)),
  )
  const middleMs = (fromMs + untilMs) / 2
  const distance = (record: OperationRecord): number => Math.abs(record.invokedMs - middleMs)
  const nearest = others.sort((a, b) => distance(a) - distance(b)).slice(0, operationsMax)
  return [...offending, ...nearest].sort((a, b) => a.invokedMs - b.invokedMs)
}

function keysOf({ input }: OperationRecord): string[] {
  return input.op === 'txn' ? [...input.success, ...input.failure].map((step) => step.key) : [input.key]
}
