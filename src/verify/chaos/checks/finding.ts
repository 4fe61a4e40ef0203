/** What one check says of the run. */
import type { HistoryRecord } from '../../history/index.ts'

export interface Finding {
  /** Stable, kebab-case. */
  readonly check: string
  readonly verdict: 'valid' | 'invalid' | 'unknown'
  /** How many things were checked, or why it is not valid. */
  readonly explanation: string
  readonly evidence: readonly HistoryRecord[]
}

export function valid(check: string, explanation: string): Finding {
  return { check, verdict: 'valid', explanation, evidence: [] }
}

export function invalid(check: string, explanation: string, evidence: readonly HistoryRecord[] = []): Finding {
  return { check, verdict: 'invalid', explanation, evidence }
}

/** `invalid` when any is, else `unknown` when any is. */
export function worstOf(findings: readonly Finding[]): Finding['verdict'] {
  if (findings.some((finding) => finding.verdict === 'invalid')) return 'invalid'
  return findings.some((finding) => finding.verdict === 'unknown') ? 'unknown' : 'valid'
}
