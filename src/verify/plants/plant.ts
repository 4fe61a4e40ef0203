/**
 * A planted bug: one of the classic mistakes, as a patch of the sources. Production code has no branch for it; the patch
 * is put in as the module loads (see `install.ts`). `npm test` fails when a patch no longer applies.
 */
export interface Plant {
  /** Stable and kebab-case, for `synod sim --plant NAME`. */
  readonly name: string
  /** The mistake, in a sentence. */
  readonly mistake: string
  /** What it breaks in theory: paper and section, or the invariant. */
  readonly breaks: string
  /** The algorithm of the worlds that are asked; mistakes below consensus are shown by Raft's. */
  readonly consensus: 'raft' | 'paxos'
  /** The scenario of the simulator that is asked. */
  readonly scenario: string
  /** It is caught within the seeds 1 to `seedsMax` of that scenario. */
  readonly seedsMax: number
  /**
   * `outside`: what an observer judges shows it, with `validate()` off. `inside`: a node finds fault with itself first, by a
   * broken invariant or by files that it refuses.
   */
  readonly caughtBy: 'outside' | 'inside'
  /** All of them are made. */
  readonly edits: readonly PlantEdit[]
}

export interface PlantEdit {
  /** From the root of the sources: `core/raft/election.ts`. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}
