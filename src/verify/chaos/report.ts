/** What a run of chaos came to. */
import type { Finding } from './checks/finding.ts'
import type { FaultEvent } from './faults/nemesis.ts'
import type { OperationTally } from './workload/tally.ts'

/** How far a run has come, for a progress line. */
export interface ChaosProgress {
  readonly phase: 'starting' | 'chaos' | 'healing' | 'checking'
  /** Since the run began. */
  readonly elapsedMs: number
  readonly operations: Readonly<OperationTally>
  readonly faults: number
  readonly leader: string | undefined
  readonly term: number
}

export interface ChaosReport {
  readonly verdict: Finding['verdict']
  /** All that was checked, and what each check says. */
  readonly findings: readonly Finding[]
  /** How long clients were at work, in milliseconds. */
  readonly workedMs: number
  readonly checkedMs: number
  readonly operations: Readonly<OperationTally>
  readonly operationsByKind: ReadonlyMap<string, Readonly<OperationTally>>
  readonly faults: readonly FaultEvent[]
  /** Leaderships that were seen, the first included. */
  readonly leaderships: number
  readonly records: number
  readonly historyPath: string
  /** A picture of the evidence, when something is wrong with operations. */
  readonly timelinePath: string | undefined
}
