import { type Ballot, noBallot, type Proposal } from './ballot.ts'

/**
 * An acceptor of one decree (Paxos Made Simple §2.2). What it answers binds it for ever, so `promised` and `accepted` must
 * be durable before an answer leaves.
 *
 * - A1  `promised` never falls.
 * - A2  `accepted.ballot <= promised`.
 */
export interface AcceptorState<V> {
  /** No proposal of a lower ballot will be accepted any more. */
  readonly promised: Ballot
  /** The accepted proposal of the highest ballot. */
  readonly accepted: Proposal<V> | undefined
}

export const freshAcceptor: AcceptorState<never> = { promised: noBallot, accepted: undefined }

/** Phase 1b: a promise is given for a ballot above every one promised before. */
export function mayPromise(promised: Ballot, ballot: Ballot): boolean {
  return ballot > promised
}

/** Phase 2b, P1a: a proposal is accepted unless a higher ballot was promised. */
export function mayAccept(promised: Ballot, ballot: Ballot): boolean {
  return ballot >= promised
}

/** Answers a prepare request: undefined when it is refused, else the new state, whose `accepted` goes into the promise. */
export function prepared<V>(acceptor: AcceptorState<V>, ballot: Ballot): AcceptorState<V> | undefined {
  if (!mayPromise(acceptor.promised, ballot)) return undefined
  return { promised: ballot, accepted: acceptor.accepted }
}

/** Answers an accept request: undefined when it is refused, else the new state. */
export function accepted<V>(acceptor: AcceptorState<V>, proposal: Proposal<V>): AcceptorState<V> | undefined {
  if (!mayAccept(acceptor.promised, proposal.ballot)) return undefined
  return { promised: proposal.ballot, accepted: proposal }
}
