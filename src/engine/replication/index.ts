export type { Group, GroupStatus, LeaderAnswer, ProposalOutcome, ReadOutcome, Refusal } from './group.ts'
export {
  type CommandPosition,
  RestoreError,
  type StateMachine,
  type StateRestorer,
  type StateSnapshot,
} from './state-machine.ts'
