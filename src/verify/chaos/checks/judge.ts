/** Gives the history to the checkers. */
import { linearizability } from '../../checkers/index.ts'
import type { Checker, HistoryRecord } from '../../history/index.ts'
import { type Finding, invalid, valid } from './finding.ts'

const checkers: readonly Checker[] = [linearizability]

/** What each checker says of the history. */
export function judge(history: readonly HistoryRecord[]): Finding[] {
  return checkers.map((checker) => {
    const verdict = checker.check(history)
    if (verdict.verdict === 'valid') return valid(checker.property, `${verdict.checked} checked`)
    if (verdict.verdict === 'invalid') return invalid(verdict.property, verdict.explanation, verdict.evidence)
    return { check: verdict.property, verdict: 'unknown', explanation: verdict.explanation, evidence: [] }
  })
}
