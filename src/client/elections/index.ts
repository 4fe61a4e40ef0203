export { type CampaignOptions, createElection, createElectionIn, type Election } from './election.ts'
export type { Leadership } from './leadership.ts'
export type { Leader } from './observe.ts'
export type { RunWhileLeaderOptions } from './run-while-leader.ts'
