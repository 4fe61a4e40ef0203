/**
 * On the leader, leads the consensus group's configuration to the declared members, step by step.
 *
 * - R1  It acts only on a state that has applied all that is known to be committed: a new leader must not undo a change
 *       whose command it has not applied yet.
 * - R2  It keeps nothing of its own: whoever leads goes on from what the log says.
 */
import type { MemberId } from '../core/index.ts'
import type { CoordinationState, Member } from '../engine/coordination/index.ts'
import type { Group } from '../engine/replication/index.ts'
import type { Runtime, Timer } from '../runtime/index.ts'
import { isReconciled, nextMembership } from './next-membership.ts'

/** While a learner catches up, or a change is under way, the next look comes after so long. */
const lookEveryMs = 50

export interface ReconcilerContext {
  readonly runtime: Pick<Runtime, 'scheduler' | 'logger'>
  readonly self: MemberId
  readonly group: Group<unknown>
  readonly machine: Pick<CoordinationState, 'observe'> & { members(): readonly Member[] }
}

export class MembershipReconciler {
  private readonly context: ReconcilerContext
  private readonly unsubscribe: readonly (() => void)[]
  private timer: Timer | undefined
  private scheduled = false
  private stopped = false

  constructor(context: ReconcilerContext) {
    this.context = context
    const { group, machine } = context
    const look = (): void => this.lookSoon()
    this.unsubscribe = [
      machine.observe({ onMembersChanged: look, onRestored: look }),
      group.onConfigurationChange(look),
      group.onStatusChange(look),
    ]
  }

  stop(): void {
    this.stopped = true
    this.timer?.cancel()
    for (const end of this.unsubscribe) end()
  }

  /** Not at once: it may be in the middle of applying. */
  private lookSoon(): void {
    if (this.scheduled || this.stopped) return
    this.scheduled = true
    this.context.runtime.scheduler.endOfTurn(() => {
      this.scheduled = false
      this.look()
    })
  }

  private look(): void {
    const { group, machine, runtime, self } = this.context
    this.timer?.cancel()
    if (this.stopped) return
    const status = group.status()
    if (status.role !== 'leader') return
    const configuration = group.configuration()
    const declared = machine.members()
    if (isReconciled(configuration, declared)) return
    this.timer = runtime.scheduler.setTimer(lookEveryMs, () => this.look())
    if (status.appliedIndex < status.commitIndex) return
    const target = nextMembership(self, configuration, declared)
    if (target === undefined) return
    const result = group.proposeConfiguration(target)
    if (!result.ok) return
    const hex = (ids: readonly MemberId[]): string => ids.map((id) => id.toString(16)).join(',')
    runtime.logger.info('changing the voters and learners', {
      voters: hex(target.voters),
      learners: hex(target.learners),
      index: result.index,
    })
  }
}
