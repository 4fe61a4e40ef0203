import type { Checker, OperationRecord } from '../../history/index.ts'
import { describeOperation } from '../linearizability/wording.ts'
import { invalid, valid } from '../verdicts.ts'
import { explainGaps } from './gap-explanation.ts'
import { replay } from './replay.ts'
import { type Breach, indexRevisions, type RevisionIndex } from './revision-index.ts'

const property = 'revision-order'

/**
 * Where replies tell revisions, these are the order: it agrees with real time, each successful write has one of its own,
 * what nobody claims is explained by operations of unknown outcome, and every reply shows the state at its revision.
 */
export const revisionOrder: Checker = {
  property,
  check: (history) => {
    const index = indexRevisions(history)
    if (index === undefined) return valid(0)
    const told = (breach: Breach) => invalid(property, breach.explanation, breach.evidence)
    const early = index.breach ?? againstClaim(index) ?? againstRealTime(index)
    if (early !== undefined) return told(early)
    const gaps = explainGaps(index)
    if (gaps.outcome === 'breach') return told(gaps.breach)
    if (gaps.outcome === 'gaveUp')
      return {
        verdict: 'unknown',
        property,
        explanation: `It could not be told whether ${gaps.gapCount} unclaimed revisions have authors: the matching met its bound.`,
      }
    const { operation } = replay(index, gaps.gaps)
    return operation === undefined ? valid(index.operations.length) : told(operation)
  },
}

/** What was seen of a revision must be what its author wrote. */
function againstClaim({ claims, seen, start }: RevisionIndex): Breach | undefined {
  for (const [revision, { record }] of claims) {
    if (revision > start.revision) continue
    return {
      explanation: `"${describeOperation(record)}" was told revision ${revision}, but the store was at ${start.revision} before the history began.`,
      evidence: [record],
    }
  }
  for (const [revision, changes] of seen) {
    const claim = claims.get(revision)
    if (claim === undefined) continue
    for (const [key, { value, record }] of changes) {
      if (claim.changes.get(key) === value) continue
      return {
        explanation: `Revision ${revision} is "${describeOperation(claim.record)}", but ${key} was seen to be ${value === null ? 'deleted' : `set to ${JSON.stringify(value)}`} by it.`,
        evidence: [claim.record, record],
      }
    }
  }
  return undefined
}

function againstRealTime({ operations, floors, claims }: RevisionIndex): Breach | undefined {
  for (const record of operations) {
    const floor = floors.get(record)
    if (floor === undefined) continue
    const revision = record.output!.revision!
    if (isWrite(record, claims) ? revision > floor.revision : revision >= floor.revision) continue
    return {
      explanation: `"${describeOperation(record)}" of ${record.client}, invoked at ${record.invokedMs} ms, is at revision ${revision}, but revision ${floor.revision} was told at ${floor.atMs} ms already.`,
      evidence: [floor.record, record],
    }
  }
  return undefined
}

function isWrite(record: OperationRecord, claims: RevisionIndex['claims']): boolean {
  return claims.get(record.output!.revision!)?.record === record
}
