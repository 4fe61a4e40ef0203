import type { Probe } from '../../client/registry/index.ts'
import type { Clock, Random, Scheduler, Timer } from '../../runtime/index.ts'
import { errorText } from '../resolvers/index.ts'

export interface CheckPace {
  readonly intervalMs: number
  readonly timeoutMs: number
}

/** However short an interval is asked for. */
const intervalMsMin = 10

/**
 * Checks one endpoint again and again, and tells each result: why it failed, or undefined.
 *
 * - L1  One check is under way at a time. The next begins an interval (a tenth more or less) after the last one began, or
 *       when it ended. The first begins at once.
 * - L2  Nothing is told after `stop`.
 */
export class CheckLoop {
  private readonly outside: { readonly clock: Clock; readonly random: Random; readonly scheduler: Scheduler }
  private readonly probe: Probe
  private readonly pace: CheckPace
  private readonly onResult: (failure: string | undefined) => void
  private timer: Timer
  private current: AbortController | undefined
  private stopped = false

  constructor(
    outside: { readonly clock: Clock; readonly random: Random; readonly scheduler: Scheduler },
    probe: Probe,
    pace: CheckPace,
    onResult: (failure: string | undefined) => void,
  ) {
    this.outside = outside
    this.probe = probe
    this.pace = pace
    this.onResult = onResult
    this.timer = outside.scheduler.setTimer(0, () => this.begin())
  }

  stop(): void {
    this.stopped = true
    this.timer.cancel()
    this.current?.abort()
  }

  private begin(): void {
    const { clock, scheduler, random } = this.outside
    const { intervalMs, timeoutMs } = this.pace
    const beganMs = clock.monotonicMs()
    const current = new AbortController()
    this.current = current
    const finish = (failure: string | undefined): void => {
      if (this.current !== current || this.stopped) return
      this.current = undefined
      timeout.cancel()
      current.abort()
      const jittered = Math.max(intervalMsMin, intervalMs) * (0.9 + 0.2 * random.float())
      const nextMs = Math.max(0, jittered - (clock.monotonicMs() - beganMs))
      this.timer = scheduler.setTimer(nextMs, () => this.begin())
      this.onResult(failure)
    }
    const timeout = scheduler.setTimer(timeoutMs, () => finish(`no answer in ${timeoutMs} ms`))
    this.probe(current.signal).then(finish, (error: unknown) => finish(errorText(error)))
  }
}
