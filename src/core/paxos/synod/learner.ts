import type { MemberId } from '../../replicated-log.ts'
import type { Ballot, Proposal } from './ballot.ts'

/**
 * Learns the chosen value from the acceptors' answers (Paxos Made Simple §2.3). A value is chosen when a quorum accepted it
 * in one and the same ballot: acceptances in different ballots do not add up.
 */
export class Learner<V> {
  private readonly isQuorum: (members: ReadonlySet<MemberId>) => boolean
  private readonly acceptances = new Map<Ballot, Set<MemberId>>()
  private learned: Proposal<V> | undefined

  constructor(isQuorum: (members: ReadonlySet<MemberId>) => boolean) {
    this.isQuorum = isQuorum
  }

  /** The chosen value, once known, with the ballot in which this learner saw it chosen. */
  get chosen(): Proposal<V> | undefined {
    return this.learned
  }

  /** `from` accepted `proposal`. Returns whether it is known to be chosen by now. */
  accepted(from: MemberId, proposal: Proposal<V>): boolean {
    if (this.learned !== undefined) return true
    let members = this.acceptances.get(proposal.ballot)
    if (members === undefined) {
      members = new Set()
      this.acceptances.set(proposal.ballot, members)
    }
    members.add(from)
    if (this.isQuorum(members)) this.learned = proposal
    return this.learned !== undefined
  }
}
