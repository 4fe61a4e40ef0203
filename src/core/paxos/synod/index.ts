export { type AcceptorState, accepted, freshAcceptor, mayAccept, mayPromise, prepared } from './acceptor.ts'
export { type Ballot, higherProposal, noBallot, type Proposal } from './ballot.ts'
export { Learner } from './learner.ts'
export { constrainedValue, type PromiseOf, Proposer } from './proposer.ts'
