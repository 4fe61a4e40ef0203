/**
 * The next step of the consensus group's configuration towards the declared members. Pure: the reconciler asks again
 * after every change, on the leader.
 *
 * - M1  A declared voter that is in no configuration yet enters as a learner, and votes once it has caught up, so that a
 *       new member never holds up commits while it copies the log (Raft thesis §4.2.1).
 * - M2  There is always a voter.
 * - M3  The voters that answer are a quorum of the configuration aimed at. A step that would leave the group without one
 *       waits. Those who become voters answer, so several may at once.
 * - M4  Nobody begins to vote before it has published its name. That tells, in the log, that its id is in use: should its
 *       disk be lost, no member that knows of its vote lets another disk join under that id (`join.ts`).
 */
import type { Configuration, MemberId, Membership } from '../core/index.ts'
import type { GroupConfiguration } from '../engine/replication/index.ts'

/** A learner that lacks more entries than this has not caught up, however long the log is, … */
const lagEntriesMax = 5000
/** … and neither has one that lacks more than this part of it: etcd's rule. */
const lagPartMax = 0.1

export interface DeclaredMember {
  readonly id: MemberId
  /** Empty until it has published it. */
  readonly name: string
  readonly isLearner: boolean
}

/** What the leader has to propose now, or undefined when there is nothing, or nothing yet. */
export function nextMembership(
  self: MemberId,
  group: GroupConfiguration,
  declared: readonly DeclaredMember[],
): Membership | undefined {
  const { configuration, committed } = group
  if (!committed || configuration.outgoing.length > 0) return undefined
  const present = new Set(configuration.voters)
  const wanted = declared.filter((member) => {
    return !member.isLearner && (present.has(member.id) || (member.name !== '' && isCaughtUp(group, member.id)))
  })
  let voters = wanted.map((member) => member.id)
  const answering = voters.filter((id) => id === self || group.progress.get(id)?.recentlyActive === true)
  if (voters.length === 0 || answering.length * 2 <= voters.length) voters = [...configuration.voters]
  const voting = new Set(voters)
  const learners = declared.filter((member) => !voting.has(member.id)).map((member) => member.id)
  const target = { voters, learners }
  return isSame(configuration, target) ? undefined : target
}

/** Whether a member of the leader's configuration has nearly all that is committed, and answers. */
export function isCaughtUp({ progress, commitIndex }: GroupConfiguration, id: MemberId): boolean {
  const peer = progress.get(id)
  if (peer === undefined || !peer.recentlyActive) return false
  return peer.matchIndex >= commitIndex - Math.min(lagEntriesMax, Math.floor(commitIndex * lagPartMax))
}

/** Whether the configuration is what is declared. */
export function isReconciled({ configuration, committed }: GroupConfiguration, declared: readonly DeclaredMember[]) {
  const voters = declared.filter((member) => !member.isLearner).map((member) => member.id)
  const learners = declared.filter((member) => member.isLearner).map((member) => member.id)
  return committed && configuration.outgoing.length === 0 && isSame(configuration, { voters, learners })
}

function isSame(configuration: Configuration, target: Membership): boolean {
  return hasSame(configuration.voters, target.voters) && hasSame(configuration.learners, target.learners)
}

function hasSame(a: readonly MemberId[], b: readonly MemberId[]): boolean {
  const set = new Set(a)
  return a.length === b.length && b.every((id) => set.has(id))
}
