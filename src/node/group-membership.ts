/**
 * How far the consensus group has followed the declared members: answers it as the leader, and asks it of the leader for
 * the engine on this node.
 *
 * - V1  `absent` is said only of a member that the leader knows to be removed, the rest only of a declared one: a leader
 *       that has not applied the change in question, or was deposed meanwhile, says `unsettled`.
 */
import type { MemberId } from '../core/index.ts'
import type { CatchUp, CoordinationStateMachine, MembershipView, Standing } from '../engine/coordination/index.ts'
import type { Group } from '../engine/replication/index.ts'
import type { Runtime, Timer } from '../runtime/index.ts'
import {
  type CatchUpAnswer,
  decodeCatchUp,
  decodeMembershipRequest,
  decodeStanding,
  encodeMembershipRequest,
  encodeMembershipResponse,
  type StandingAnswer,
} from './membership-codec.ts'
import { isCaughtUp } from './next-membership.ts'

/** The leader is asked again after so long, in milliseconds. */
const askEveryMs = 25

export interface GroupMembershipContext {
  readonly runtime: Pick<Runtime, 'scheduler'>
  readonly self: MemberId
  readonly group: Group<unknown>
  readonly machine: Pick<CoordinationStateMachine, 'member' | 'isRemoved'>
  readonly isConnected: (peer: MemberId) => boolean
}

export class GroupMembership implements MembershipView {
  private readonly context: GroupMembershipContext
  private readonly waiting = new Set<() => void>()

  constructor(context: GroupMembershipContext) {
    this.context = context
  }

  /** Answers another node's question, or this one's, while this node leads. */
  serve(request: Uint8Array, reply: (response: Uint8Array) => void): void {
    const question = decodeMembershipRequest(request)
    if (question === undefined) return reply(encodeMembershipResponse(undefined))
    const { type, id } = question
    reply(encodeMembershipResponse(type === 'standing' ? this.standingOf(id) : this.catchUpOf(id)))
  }

  whenSettled(id: MemberId, as: Standing, done: () => void): () => void {
    const { group, runtime, self } = this.context
    let timer: Timer | undefined
    const end = (): void => {
      this.waiting.delete(end)
      timer?.cancel()
    }
    const ask = (): void => {
      group.callLeader(encodeMembershipRequest({ type: 'standing', id }), (answer) => {
        if (!this.waiting.has(end)) return
        // One that is out knows no leader any more, and can tell by itself.
        const alone = id === self ? this.standingOf(id) : undefined
        if (isAs(answer.ok ? decodeStanding(answer.response) : alone, as)) {
          end()
          done()
        } else timer = runtime.scheduler.setTimer(askEveryMs, ask)
      })
    }
    this.waiting.add(end)
    ask()
    return end
  }

  askCaughtUp(id: MemberId, done: (answer: CatchUp) => void): void {
    this.context.group.callLeader(encodeMembershipRequest({ type: 'catchUp', id }), (answer) => {
      if (!answer.ok) return done(answer)
      // A leader of another version that does not know the question cannot vouch for anybody.
      done({ ok: true, state: decodeCatchUp(answer.response) ?? 'unknown-member' })
    })
  }

  isConnected(id: MemberId): boolean {
    return id === this.context.self || this.context.isConnected(id)
  }

  stop(): void {
    for (const end of this.waiting) end()
  }

  /** V1. */
  private standingOf(id: MemberId): StandingAnswer {
    const { group, machine } = this.context
    const { configuration, committed } = group.configuration()
    if (!committed || configuration.outgoing.length > 0) return 'unsettled'
    const votes = configuration.voters.includes(id)
    const learns = configuration.learners.includes(id)
    if (machine.member(id) !== undefined) return votes ? 'voter' : learns ? 'learner' : 'unsettled'
    return machine.isRemoved(id) && !votes && !learns ? 'absent' : 'unsettled'
  }

  private catchUpOf(id: MemberId): CatchUpAnswer {
    const configuration = this.context.group.configuration()
    if (!configuration.progress.has(id)) return 'unknown-member'
    return isCaughtUp(configuration, id) ? 'caught-up' : 'behind'
  }
}

function isAs(standing: StandingAnswer | undefined, as: Standing): boolean {
  return standing === as || (as === 'present' && (standing === 'voter' || standing === 'learner'))
}
