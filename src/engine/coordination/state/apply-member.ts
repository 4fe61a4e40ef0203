/**
 * Who belongs to the cluster: adding, removing, updating and promoting a member, by etcd's rules
 * (`membership/cluster.go`). What only a leader can judge (has the learner caught up, who is connected) was asked before
 * the command was proposed.
 */
import { fail } from '../failures.ts'
import type { Member, MemberAttributes, MemberChange } from '../messages.ts'
import type { Failure, MemberAttributesResult, MemberChangeResult } from '../results.ts'
import { peerUrlLengthMax, peerUrlsMax } from '../validation/index.ts'
import type { StateData } from './data.ts'
import type { Observers } from './observers.ts'

/** Learners that a cluster may have at a time: etcd's default for --max-learners. */
const learnersMax = 1

export function applyMemberAdd(
  data: StateData,
  change: MemberChange,
  observers: Observers,
): MemberChangeResult | Failure {
  const { members } = data
  const { id, peerUrls, isLearner } = change
  if (id === 0n || !hasSoundUrls(change)) return fail('MALFORMED_REQUEST')
  if (members.isRemoved(id)) return fail('MEMBER_NOT_FOUND')
  if (members.get(id) !== undefined) return fail('MEMBER_EXISTS')
  if (isTaken(data, change)) return fail('PEER_URL_EXISTS')
  const learners = members.list().filter((member) => member.isLearner).length
  if (isLearner && learners >= learnersMax) return fail('TOO_MANY_LEARNERS')
  return declare(data, { id, name: '', peerUrls, clientUrls: [], isLearner }, observers)
}

export function applyMemberRemove(
  data: StateData,
  { id }: MemberChange,
  observers: Observers,
): MemberChangeResult | Failure {
  const { members } = data
  if (members.get(id) === undefined) return fail('MEMBER_NOT_FOUND')
  // Nobody would be left to decide anything.
  if (!members.list().some((member) => member.id !== id && !member.isLearner)) return fail('NOT_ENOUGH_STARTED')
  members.remove(id)
  return changed(data, id, observers)
}

export function applyMemberUpdate(
  data: StateData,
  change: MemberChange,
  observers: Observers,
): MemberChangeResult | Failure {
  const member = data.members.get(change.id)
  if (!hasSoundUrls(change)) return fail('MALFORMED_REQUEST')
  if (member === undefined) return fail('MEMBER_NOT_FOUND')
  if (isTaken(data, change)) return fail('PEER_URL_EXISTS')
  return declare(data, { ...member, peerUrls: change.peerUrls }, observers)
}

export function applyMemberPromote(
  data: StateData,
  { id }: MemberChange,
  observers: Observers,
): MemberChangeResult | Failure {
  const member = data.members.get(id)
  if (member === undefined) return fail('MEMBER_NOT_FOUND')
  if (!member.isLearner) return fail('MEMBER_NOT_LEARNER')
  return declare(data, { ...member, isLearner: false }, observers)
}

/** What a member says of itself; the last word counts. */
export function applyMemberAttributes(
  data: StateData,
  attributes: MemberAttributes,
  observers: Observers,
): MemberAttributesResult | Failure {
  if (!data.members.publish(attributes)) return fail('MEMBER_NOT_FOUND')
  observers.membersChanged()
  return { ok: true, type: 'memberAttributes', revision: data.store.revision }
}

function hasSoundUrls({ peerUrls }: MemberChange): boolean {
  if (peerUrls.length === 0 || peerUrls.length > peerUrlsMax) return false
  return peerUrls.every((url) => url.length > 0 && url.length <= peerUrlLengthMax)
}

/** Whether another member has one of these URLs. */
function isTaken({ members }: StateData, { id, peerUrls }: MemberChange): boolean {
  return members.list().some((other) => other.id !== id && other.peerUrls.some((url) => peerUrls.includes(url)))
}

function declare(data: StateData, member: Member, observers: Observers): MemberChangeResult {
  data.members.set(member)
  return changed(data, member.id, observers)
}

function changed({ members, store }: StateData, id: bigint, observers: Observers): MemberChangeResult {
  observers.membersChanged()
  return { ok: true, type: 'memberChange', revision: store.revision, id, members: members.list() }
}
