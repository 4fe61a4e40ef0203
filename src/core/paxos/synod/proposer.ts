import type { MemberId } from '../../replicated-log.ts'
import { type Ballot, higherProposal, type Proposal } from './ballot.ts'

/** An acceptor's answer to a prepare request: what it has accepted, if anything. */
export interface PromiseOf<V> {
  readonly from: MemberId
  readonly accepted: Proposal<V> | undefined
}

/**
 * The choice rule, P2c: the value of the highest-numbered proposal among the promises of a quorum; undefined when none of
 * them accepted anything, and the proposer is free.
 */
export function constrainedValue<V>(promises: Iterable<PromiseOf<V>>): V | undefined {
  let highest: Proposal<V> | undefined
  for (const { accepted } of promises) highest = higherProposal(highest, accepted)
  return highest?.value
}

/** A proposer in one ballot (Paxos Made Simple §2.2). A new ballot is a new proposer. */
export class Proposer<V> {
  readonly ballot: Ballot
  private readonly isQuorum: (members: ReadonlySet<MemberId>) => boolean
  private readonly promises = new Map<MemberId, PromiseOf<V>>()
  /** Set once: a ballot proposes one value. */
  private issued: Proposal<V> | undefined

  constructor(ballot: Ballot, isQuorum: (members: ReadonlySet<MemberId>) => boolean) {
    this.ballot = ballot
    this.isQuorum = isQuorum
  }

  /** The proposal of this ballot, once there is one. */
  get proposal(): Proposal<V> | undefined {
    return this.issued
  }

  /**
   * Phase 1 to 2: takes in a promise for this ballot. Returns the proposal to send to the acceptors when this promise completed a
   * quorum, with `own` as its value if the promises leave the choice free.
   */
  promised(promise: PromiseOf<V>, own: V): Proposal<V> | undefined {
    if (this.issued !== undefined) return undefined
    this.promises.set(promise.from, promise)
    if (!this.isQuorum(new Set(this.promises.keys()))) return undefined
    this.issued = { ballot: this.ballot, value: constrainedValue(this.promises.values()) ?? own }
    return this.issued
  }
}
