/**
 * Tells the workers what the active checks found. Owned by `SharedState`.
 *
 * I1. After a change of an upstream's health, what holds then is told at once, or `restMs` after the last time something was
 *     told: however many endpoints flap, the workers get at most one message each in that time.
 * I2. What is told is how it is when it is told: of a change and its contrary nothing is left.
 */
import type { Clock, Scheduler, Timer } from '../../runtime/index.ts'
import type { HealthSnapshot } from '../../traffic/index.ts'

/** As late may a worker hear of a change; active checks run every second at most. */
export const restMs = 50

export interface HealthBroadcastInit {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly send: (snapshots: readonly HealthSnapshot[]) => void
}

export class HealthBroadcast {
  private readonly init: HealthBroadcastInit
  /** Asks for what holds when it is told, not when it changed. */
  private readonly changed = new Map<string, () => HealthSnapshot>()
  private nextMs = Number.NEGATIVE_INFINITY
  private timer: Timer | undefined

  constructor(init: HealthBroadcastInit) {
    this.init = init
  }

  /** The health of an upstream changed; `current` tells how it is. */
  change(upstream: string, current: () => HealthSnapshot): void {
    this.changed.set(upstream, current)
    if (this.timer !== undefined) return
    const { clock, scheduler } = this.init
    const leftMs = this.nextMs - clock.monotonicMs()
    if (leftMs <= 0) this.tell()
    else this.timer = scheduler.setTimer(leftMs, () => this.tell())
  }

  /** The upstream is gone: nothing more is told of it. */
  forget(upstream: string): void {
    this.changed.delete(upstream)
  }

  close(): void {
    this.timer?.cancel()
    this.changed.clear()
  }

  private tell(): void {
    this.timer = undefined
    if (this.changed.size === 0) return
    const snapshots = [...this.changed.values()].map((current) => current())
    this.changed.clear()
    this.init.send(snapshots)
    this.nextMs = this.init.clock.monotonicMs() + restMs
  }
}
