/** Gives the history to the checkers. */
import { checkHistory } from '../../checkers/index.ts'
import type { HistoryRecord } from '../../history/index.ts'
import { type Finding, invalid, valid } from './finding.ts'

/** What each checker says of the history. */
export function judge(history: readonly HistoryRecord[]): Finding[] {
  return checkHistory(history).verdicts.map(({ property, verdict }) => {
    if (verdict.verdict === 'valid') return valid(property, `${verdict.checked} checked`)
    if (verdict.verdict === 'invalid') return invalid(property, verdict.explanation, verdict.evidence)
    return { check: property, verdict: 'unknown', explanation: verdict.explanation, evidence: [] }
  })
}
