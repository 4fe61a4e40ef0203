export { committedIndex, isSoleVoter, voteResult } from './joint.ts'
export { majorityIndex, majoritySize, majorityVote, type VoteResult } from './majority.ts'
