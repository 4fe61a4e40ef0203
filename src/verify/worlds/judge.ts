import { allCheckers, checkHistory, linearizabilityChecker } from '../checkers/index.ts'
import type { HistoryRecord } from '../history/index.ts'
import { Violation } from './violation.ts'

/** Of a world's small objects a search that takes longer leads nowhere. */
const linearizability = linearizabilityChecker({ stepsMax: 5_000_000 })
const checkers = allCheckers.map((each) => (each.property === linearizability.property ? linearizability : each))

/** Throws a Violation when the history breaks a property, and when a checker could not tell: that is no good news. */
export function judge(records: readonly HistoryRecord[]): void {
  const { verdicts } = checkHistory(records, checkers)
  const bad =
    verdicts.find(({ verdict }) => verdict.verdict === 'invalid') ??
    verdicts.find(({ verdict }) => verdict.verdict === 'unknown')
  if (bad === undefined || bad.verdict.verdict === 'valid') return
  if (bad.verdict.verdict === 'unknown') throw new Violation(bad.property, `could not tell: ${bad.verdict.explanation}`)
  throw new Violation(bad.verdict.property, bad.verdict.explanation, { evidence: bad.verdict.evidence })
}
