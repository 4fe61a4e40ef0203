import type { Checker, OperationRecord } from '../../history/index.ts'
import { describeOperation } from '../linearizability/wording.ts'
import { invalid, recordsOf, valid } from '../verdicts.ts'
import { explainGaps } from './gap-explanation.ts'
import { replay } from './replay.ts'
import { type Breach, indexRevisions, type RevisionIndex } from './revision-index.ts'

const property = 'serializable-reads'

/**
 * A read that asked for staleness shows a prefix of history: the state at its revision, which existed when it returned.
 * It may be old, and older than what the same client saw before. Where replies tell no revisions, each value shown must
 * have been written by an operation invoked before the read returned.
 */
export const serializableReads: Checker = {
  property,
  check: (history) => {
    const reads = recordsOf(history, 'operation').filter(
      (record) => record.outcome === 'ok' && record.serializable === true,
    )
    if (reads.length === 0) return valid(0)
    const index = indexRevisions(history)
    const breach =
      fromNowhere(
        reads.filter((read) => read.output?.revision === undefined),
        recordsOf(history, 'operation'),
      ) ?? (index === undefined ? undefined : (fromTheFuture(index) ?? againstState(index)))
    return breach === undefined ? valid(reads.length) : invalid(property, breach.explanation, breach.evidence)
  },
}

function fromTheFuture({ staleReads, claims }: RevisionIndex): Breach | undefined {
  for (const read of staleReads) {
    const writer = claims.get(read.output!.revision!)?.record
    if (writer === undefined || read.returnedMs === undefined || writer.invokedMs <= read.returnedMs) continue
    return {
      explanation: `"${describeOperation(read)}" returned at ${read.returnedMs} ms with revision ${read.output!.revision}, which was made by "${describeOperation(writer)}", invoked at ${writer.invokedMs} ms.`,
      evidence: [read, writer],
    }
  }
  return undefined
}

/** A history whose revisions contradict one another has no states; revision-order reports that. */
function againstState(index: RevisionIndex): Breach | undefined {
  if (index.breach !== undefined) return undefined
  const gaps = explainGaps(index)
  return gaps.outcome === 'explained' ? replay(index, gaps.gaps).staleRead : undefined
}

function fromNowhere(reads: readonly OperationRecord[], operations: readonly OperationRecord[]): Breach | undefined {
  if (reads.length === 0) return undefined
  /** When a value was first put to a key. */
  const firstPut = new Map<string, number>()
  for (const record of operations) {
    if (record.outcome === 'failed') continue
    for (const [key, value] of putsOf(record)) {
      const name = JSON.stringify([key, value])
      firstPut.set(name, Math.min(firstPut.get(name) ?? Number.POSITIVE_INFINITY, record.invokedMs))
    }
  }
  for (const read of reads) {
    for (const { key, value } of read.output?.entries ?? []) {
      const since = firstPut.get(JSON.stringify([key, value]))
      if (since !== undefined && since <= (read.returnedMs ?? Number.POSITIVE_INFINITY)) continue
      return {
        explanation: `"${describeOperation(read)}" shows ${key} with ${JSON.stringify(value)}, which nobody had put by then.`,
        evidence: [read],
      }
    }
  }
  return undefined
}

function putsOf({ input }: OperationRecord): (readonly [string, string])[] {
  if (input.op === 'put' || input.op === 'cas') return [[input.key, input.value]]
  if (input.op !== 'txn') return []
  return [...input.success, ...input.failure].flatMap((step) => (step.op === 'put' ? [[step.key, step.value]] : []))
}
