export type { Algorithm } from './algorithm.ts'
export { type CollapseReport, collapseGroup } from './collapse.ts'
export type {
  Group,
  GroupConfiguration,
  GroupStatus,
  LeaderAnswer,
  ProposalOutcome,
  ReadOutcome,
  Refusal,
} from './group.ts'
export { leaseReadsRaftAlgorithm } from './lease-reads.ts'
export { messageKind } from './message-kinds.ts'
export { defaultGroupOptions, type GroupOptions } from './options.ts'
export { paxosAlgorithm } from './paxos-algorithm.ts'
export { raftAlgorithm } from './raft-algorithm.ts'
export type { ReplicatedGroup } from './replicated-group.ts'
export { type GroupSetup, ReplicationHost, type ReplicationHostSetup } from './replication-host.ts'
export {
  type CommandPosition,
  RestoreError,
  type StateMachine,
  type StateRestorer,
  type StateSnapshot,
} from './state-machine.ts'
