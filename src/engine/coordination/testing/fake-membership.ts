import type { MemberId } from '../../../core/index.ts'
import type { Scheduler } from '../../../runtime/index.ts'
import type { CatchUp, MembershipView, Standing } from '../membership-view.ts'

/** A consensus group's configuration as a test wants it: at first it follows at once, everyone is there and caught up. */
export class FakeMembership implements MembershipView {
  /** Members that this node is not connected with. */
  readonly away = new Set<MemberId>()
  catchUp: CatchUp = { ok: true, state: 'caught-up' }
  /** When false, waits last until the caller gives up. */
  settles = true
  /** What was waited for, in order, as `id standing`. */
  readonly waits: string[] = []
  /** Waits that have not ended. */
  open = 0
  private readonly scheduler: Scheduler

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler
  }

  whenSettled(id: MemberId, as: Standing, done: () => void): () => void {
    this.waits.push(`${id} ${as}`)
    this.open++
    let ended = false
    const end = (): void => {
      if (!ended) this.open--
      ended = true
    }
    if (this.settles) {
      this.scheduler.endOfTurn(() => {
        if (ended) return
        end()
        done()
      })
    }
    return end
  }

  askCaughtUp(_id: MemberId, done: (answer: CatchUp) => void): void {
    this.scheduler.endOfTurn(() => done(this.catchUp))
  }

  isConnected(id: MemberId): boolean {
    return !this.away.has(id)
  }
}
