/**
 * The number of a proposal: what Paxos Made Simple calls `n`. A natural number; 0 stands for "before any ballot".
 * Different proposers never use the same one (§2.2): single-decree tests draw them from disjoint sets, Multi-Paxos lets
 * an acceptor promise a round to its first proposer only.
 */
export type Ballot = number

/** Before any ballot. */
export const noBallot: Ballot = 0

/** A value, and the ballot in which it was proposed or accepted. */
export interface Proposal<V> {
  readonly ballot: Ballot
  readonly value: V
}

/** The one with the higher ballot; `a` when they are equal, since one ballot proposes one value. */
export function higherProposal<P extends { readonly ballot: Ballot }>(
  a: P | undefined,
  b: P | undefined,
): P | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  return b.ballot > a.ballot ? b : a
}
