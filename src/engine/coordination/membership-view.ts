/**
 * How far the consensus group has followed the declared members, and who is there. The engine asks; `node/` implements
 * it over the group and its connections. Types only.
 *
 * The state machine holds the *declared* members; the group's configuration follows them. A declared voter enters the
 * configuration as a learner and becomes a voter there once it has caught up.
 */
import type { MemberId } from '../../core/index.ts'
import type { Refusal } from '../replication/index.ts'

/**
 * What a member is in the group's configuration. `present`: voter or learner. `absent`: in none of voters, outgoing
 * voters and learners.
 */
export type Standing = 'voter' | 'learner' | 'present' | 'absent'

/** Whether a learner has caught up, as the leader sees it. `unknown-member`: it is not in the leader's configuration. */
export type CatchUp = { readonly ok: true; readonly state: 'caught-up' | 'behind' | 'unknown-member' } | Refusal

export interface MembershipView {
  /**
   * Calls `done`, once and in a later turn, when the group's configuration is committed, not joint, and has `id` as said.
   * A node that the change removes may never see that end itself: the implementation asks the leader. Waits without
   * bound: the returned function ends it (then `done` is not called any more).
   */
  whenSettled(id: MemberId, as: Standing, done: () => void): () => void
  /**
   * Asks the leader (this node, when it leads) whether `id` has nearly all of the log: etcd's rule is a match index of
   * at least 90 % of the leader's. Answers once, in a later turn, within the request time-out.
   */
  askCaughtUp(id: MemberId, done: (answer: CatchUp) => void): void
  /** Whether this node is connected with `id` now; true of itself. */
  isConnected(id: MemberId): boolean
}
