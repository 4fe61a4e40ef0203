/**
 * When the endpoints of an upstream are placed: at each change, in the same turn, as long as that is quick. With thousands of
 * endpoints it is not; then changes wait for one another, and a policy that can do it in steps lets everything else go on in
 * between. Owns the timer of it; asked by `KeptUpstream`.
 *
 * - P1  `isStale` holds exactly while something has changed that is not in the balancers' sets: whoever picks passes over
 *       those that are not fit any more.
 * - P2  Placing takes at most a fifth of all time (`restFactor`), and when in steps at most `sliceMs` and a step of a turn.
 * - P3  `steps` are those of the only placing under way; a change meanwhile makes it `isDueAgain`.
 */
import type { UpdateSteps } from '../../core/balance/index.ts'
import type { Timer } from '../../runtime/index.ts'
import type { TrafficRuntime } from '../resolvers/index.ts'

/** Placing endpoints that took this long or longer is next done after a rest of `restFactor` times as long. */
const restFromMs = 5
const restFactor = 4
/** Of work in steps, in one turn. */
const sliceMs = 4

export interface PlacingOwner {
  /** Places the endpoints, or begins to: then the steps are left to do. */
  place(nowMs: number): UpdateSteps | undefined
  /** They are placed. */
  placed(): void
}

export class Placing {
  isStale = false
  private readonly outside: Pick<TrafficRuntime, 'clock' | 'scheduler'>
  private readonly owner: PlacingOwner
  private tookMs = 0
  private nextMs = Number.NEGATIVE_INFINITY
  /** Until the next placing, or the next slice of the one under way. */
  private timer: Timer | undefined
  private steps: UpdateSteps | undefined
  private isDueAgain = false

  constructor(outside: Pick<TrafficRuntime, 'clock' | 'scheduler'>, owner: PlacingOwner) {
    this.outside = outside
    this.owner = owner
  }

  get isUnderWay(): boolean {
    return this.steps !== undefined
  }

  /** For how long a change that is foreseen should wait. */
  get restMs(): number {
    return restFactor * this.tookMs
  }

  /** Something changed. */
  due(): void {
    const nowMs = this.outside.clock.monotonicMs()
    if (this.steps !== undefined) {
      this.isDueAgain = true
      this.isStale = true
    } else if (nowMs >= this.nextMs) this.begin(nowMs)
    else this.waitUntil(this.nextMs, nowMs)
  }

  /** Places now and whole, whatever it costs. */
  whole(): void {
    if (this.steps === undefined) this.begin(this.outside.clock.monotonicMs())
    this.finishSteps()
    if (!this.isStale) return
    this.begin(this.outside.clock.monotonicMs())
    this.finishSteps()
  }

  /** What was under way is not needed any more; the next placing comes at once. */
  close(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.steps = undefined
    this.nextMs = Number.NEGATIVE_INFINITY
  }

  private waitUntil(atMs: number, nowMs: number): void {
    this.isStale = true
    this.timer ??= this.outside.scheduler.setTimer(atMs - nowMs, () => {
      this.timer = undefined
      this.begin(this.outside.clock.monotonicMs())
    })
  }

  private begin(nowMs: number): void {
    this.timer?.cancel()
    this.timer = undefined
    this.isDueAgain = false
    this.steps = this.owner.place(nowMs)
    const endMs = this.outside.clock.monotonicMs()
    this.tookMs = endMs - nowMs
    if (this.steps === undefined) {
      this.finished(endMs)
      return
    }
    this.isStale = true
    this.goOnLater()
  }

  private goOnLater(): void {
    this.timer = this.outside.scheduler.setTimer(0, () => {
      this.timer = undefined
      this.goOn(sliceMs)
    })
  }

  private finishSteps(): void {
    if (this.steps === undefined) return
    this.timer?.cancel()
    this.timer = undefined
    this.goOn(Number.POSITIVE_INFINITY)
  }

  private goOn(forMs: number): void {
    const { clock } = this.outside
    const steps = this.steps!
    const startMs = clock.monotonicMs()
    let isDone = false
    let nowMs = startMs
    while (!isDone && nowMs - startMs < forMs) {
      isDone = steps.step()
      nowMs = clock.monotonicMs()
    }
    this.tookMs += nowMs - startMs
    if (!isDone) {
      this.goOnLater()
      return
    }
    this.steps = undefined
    this.finished(nowMs)
  }

  private finished(nowMs: number): void {
    this.isStale = false
    if (this.tookMs < restFromMs) this.tookMs = 0
    this.nextMs = this.tookMs === 0 ? Number.NEGATIVE_INFINITY : nowMs + this.restMs
    if (this.isDueAgain) this.waitUntil(Math.max(nowMs, this.nextMs), nowMs)
    this.owner.placed()
  }
}
