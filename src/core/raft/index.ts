export { decodeConfiguration, encodeConfiguration } from '../consensus/index.ts'
export { decodeMessage, encodeMessage, messageSize, writeMessage } from './codec.ts'
export type {
  AppendEntries,
  AppendEntriesResponse,
  CommitNotice,
  Heartbeat,
  HeartbeatResponse,
  InstallSnapshot,
  PreVote,
  PreVoteResponse,
  RaftMessage,
  ReadIndex,
  ReadIndexResponse,
  RequestVote,
  RequestVoteResponse,
  TimeoutNow,
} from './message.ts'
export {
  defaultRaftOptions,
  type LeaseOptions,
  type QuickElectionOptions,
  type RaftOptions,
  type TickRange,
} from './options.ts'
export { Raft, type RaftInit } from './raft.ts'
