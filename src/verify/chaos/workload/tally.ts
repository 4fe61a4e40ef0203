/** How many operations came to which end. */
export interface OperationTally {
  ok: number
  failed: number
  unknown: number
}

/** Counts of the whole run, by kind of operation. */
export class Tally {
  readonly byKind = new Map<string, OperationTally>()
  private readonly whole: OperationTally = { ok: 0, failed: 0, unknown: 0 }

  count(kind: string, outcome: keyof OperationTally): void {
    let tally = this.byKind.get(kind)
    if (tally === undefined) this.byKind.set(kind, (tally = { ok: 0, failed: 0, unknown: 0 }))
    tally[outcome]++
    this.whole[outcome]++
  }

  /** Of all kinds together. */
  get total(): Readonly<OperationTally> {
    return this.whole
  }
}
