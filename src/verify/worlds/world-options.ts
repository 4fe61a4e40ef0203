/** What a world is made from, and what is told of its run. */
import type { EventCounts } from '../../runtime/simulation/index.ts'
import type { HistoryRecord } from '../history/index.ts'

export interface WorldOptions {
  /** Decides everything that is not given here. */
  readonly seed: number
  /** A name of the catalogue. Default `swarm`. */
  readonly scenario?: string
  readonly consensus?: 'raft' | 'paxos'
  /** How many members found the cluster. Default: the scenario's, or drawn from 3 and 5. */
  readonly nodes?: number
  /** The length of the safety phase, in simulated milliseconds. Default: the scenario's. */
  readonly durationMs?: number
  /**
   * Whether the invariants inside the nodes are checked after every event. Default true. Off, only what the outside sees
   * can fail a run: planted bugs must be caught by that.
   */
  readonly validate?: boolean
  /** Is handed the history when the run ends, however it ends. */
  readonly onHistory?: (records: readonly HistoryRecord[]) => void
}

/** How a run ended. The same options give the same report, to the last number. */
export interface WorldReport {
  readonly seed: number
  readonly scenario: string
  readonly consensus: 'raft' | 'paxos'
  readonly verdict: 'valid' | 'invalid'
  /** What was violated, by its stable name: a checker's property, or one of the world's own (`liveness`, `invariant`, …). */
  readonly property?: string
  readonly explanation?: string
  /** The records that show it, few. */
  readonly evidence?: readonly HistoryRecord[]
  /** What happened, in order, a line each: who led, what broke, what was violated. */
  readonly story: readonly string[]
  /** Events of the simulation: messages delivered, disk operations completed, timers fired. */
  readonly events: number
  readonly eventsByClass: EventCounts
  readonly simulatedMs: number
  /** How many faults began, by kind. */
  readonly faults: Readonly<Record<string, number>>
  readonly elections: number
  /** Client operations that were begun. */
  readonly operations: number
  /** What came about, to prove that the attack attacks: snapshots streamed, writes whose fate is unknown, … */
  readonly counts: Readonly<Record<string, number>>
  /** A hash over every random draw and event time. */
  readonly fingerprint: string
}
