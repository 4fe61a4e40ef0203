import type { HistoryRecord } from './records.ts'

/** What a checker says of a history. Only `valid` is good news: CI counts `unknown` as a failure of our own histories. */
export type Verdict =
  | { readonly verdict: 'valid'; readonly checked: number }
  | {
      readonly verdict: 'invalid'
      /** The property that was violated, by its stable name: `linearizability`, `watch-order`, … */
      readonly property: string
      /** What happened, in a sentence or a few. */
      readonly explanation: string
      /** The records that show it, few. */
      readonly evidence: readonly HistoryRecord[]
    }
  /** The search met its bound. */
  | { readonly verdict: 'unknown'; readonly property: string; readonly explanation: string }

/** A property that histories must have. `check` never throws for what the records contain. */
export interface Checker {
  /** Stable, kebab-case: reports, plants and the command line use it. */
  readonly property: string
  readonly check: (history: readonly HistoryRecord[]) => Verdict
}
