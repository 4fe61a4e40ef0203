export { allCheckers, checkHistory, type HistoryJudgement } from './all-checkers.ts'
export { counters } from './counters.ts'
export { uniqueIds } from './ids.ts'
export { leases } from './leases.ts'
export {
  checkLinearizability,
  type LinearizabilityOptions,
  type LinearizabilityResult,
} from './linearizability/check-linearizability.ts'
export { linearizability, linearizabilityChecker } from './linearizability/checker.ts'
export { type Explanation, explainDeadEnd } from './linearizability/explanation.ts'
export { counted, describeOperation } from './linearizability/wording.ts'
export { fencing, lockExclusion } from './locks.ts'
export { queues } from './queues.ts'
export { staleness } from './readings.ts'
export { committedEntries, oneLeader, stateHashes } from './replicas.ts'
export { revisionOrder } from './revisions/checker.ts'
export { serializableReads } from './revisions/serializable-reads.ts'
export { watches } from './watches.ts'
