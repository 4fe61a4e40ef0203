import type { HistoryRecord } from '../history/index.ts'

/** A promise of the system is broken. Ends the world it happened in. */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** Stable and kebab-case. */
  readonly property: string
  readonly evidence: readonly HistoryRecord[]

  constructor(
    property: string,
    explanation: string,
    options?: { cause?: unknown; evidence?: readonly HistoryRecord[] },
  ) {
    super(explanation, options)
    this.property = property
    this.evidence = options?.evidence ?? []
  }
}

/** What anything thrown says of the run. */
export function violationOf(error: unknown): Violation {
  if (error instanceof Violation) return error
  const thrown = error instanceof Error ? error : new Error(String(error))
  const property = thrown.name === 'InvariantError' ? 'invariant' : 'crash'
  return new Violation(property, thrown.stack ?? thrown.message, { cause: error })
}
