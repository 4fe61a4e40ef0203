import type { Timer } from '../../runtime/index.ts'
import type { ClientRuntime } from '../driver/index.ts'

/** Asks once. Resolves with why it failed, or undefined; rejects when it failed otherwise. Stops when `signal` fires. */
export type Probe = (signal: AbortSignal) => Promise<string | undefined>

export interface ProbePace {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly healthyAfter: number
  readonly unhealthyAfter: number
}

/**
 * Probes again and again, and tells when the verdict changes.
 *
 * - P1  One probe is under way at a time; the next begins an interval after the last one began, or when it ended.
 * - P2  Begins unhealthy. The verdict changes only after the stated number of equal answers in a row.
 */
export class ProbeLoop {
  private readonly outside: ClientRuntime
  private readonly probe: Probe
  private readonly pace: ProbePace
  private readonly onVerdict: (isHealthy: boolean, reason: string) => void
  private isHealthy = false
  /** How many answers in a row speak against the verdict. */
  private against = 0
  private timer: Timer | undefined
  private current: AbortController | undefined
  private stopped = false

  constructor(
    outside: ClientRuntime,
    probe: Probe,
    pace: ProbePace,
    onVerdict: (isHealthy: boolean, reason: string) => void,
  ) {
    this.outside = outside
    this.probe = probe
    this.pace = pace
    this.onVerdict = onVerdict
    this.timer = outside.scheduler.setTimer(0, () => this.begin())
  }

  stop(): void {
    this.stopped = true
    this.timer?.cancel()
    this.current?.abort()
  }

  private begin(): void {
    const { clock, scheduler, random } = this.outside
    const beganMs = clock.monotonicMs()
    const current = new AbortController()
    this.current = current
    const finish = (failure: string | undefined): void => {
      if (this.current !== current || this.stopped) return
      this.current = undefined
      timeout.cancel()
      current.abort()
      this.count(failure)
      const nextMs = this.pace.intervalMs * (0.9 + 0.2 * random.float()) - (clock.monotonicMs() - beganMs)
      this.timer = scheduler.setTimer(Math.max(0, nextMs), () => this.begin())
    }
    const timeout = scheduler.setTimer(this.pace.timeoutMs, () => finish(`no answer in ${this.pace.timeoutMs} ms`))
    this.probe(current.signal).then(finish, (error: unknown) => finish(String(error)))
  }

  private count(failure: string | undefined): void {
    const passed = failure === undefined
    if (passed === this.isHealthy) {
      this.against = 0
      return
    }
    this.against++
    if (this.against < (passed ? this.pace.healthyAfter : this.pace.unhealthyAfter)) return
    this.against = 0
    this.isHealthy = passed
    this.onVerdict(passed, failure ?? '')
  }
}
