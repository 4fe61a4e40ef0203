export { decodeMessage, encodeMessage, messageSize, writeMessage } from './codec.ts'
export type {
  Accept,
  Accepted,
  ChosenNotice,
  Heartbeat,
  HeartbeatResponse,
  InstallSnapshot,
  PaxosMessage,
  Prepare,
  PreVote,
  PreVoteResponse,
  PromiseMessage,
  ReadIndex,
  ReadIndexResponse,
  Rejected,
  TimeoutNow,
} from './message.ts'
export { defaultPaxosOptions, type PaxosOptions, type QuickElectionOptions, type TickRange } from './options.ts'
export { Paxos, type PaxosInit } from './paxos.ts'
export { decodeRecord } from './slot-record.ts'
