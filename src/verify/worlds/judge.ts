import { linearizability } from '../checkers/index.ts'
import type { Checker, HistoryRecord } from '../history/index.ts'
import { Violation } from './violation.ts'

const checkers: readonly Checker[] = [linearizability]

/** Throws a Violation when the history breaks a property, and when a checker could not tell: that is no good news. */
export function judge(records: readonly HistoryRecord[]): void {
  for (const { property, check } of checkers) {
    const verdict = check(records)
    if (verdict.verdict === 'valid') continue
    if (verdict.verdict === 'unknown')
      throw new Violation(property, `could not tell: ${verdict.explanation}`)
    throw new Violation(verdict.property, verdict.explanation, { evidence: verdict.evidence })
  }
}
