/**
 * How a client's call reaches a node and its answer comes back: a stand-in for the client's connection.
 *
 * - L1  `answered` comes exactly once, in an event of its own.
 * - L2  A call arrives on the node's own event loop: not while the process stands still, not after it ended.
 * - L3  What the client cannot know it is not told: once the call may have arrived, only an answer says more than `lost`.
 */
import type { RunningNode } from '../../../node/index.ts'
import type { Random } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/simulation/index.ts'
import type { Machine } from '../machine.ts'

export type Answer<T> =
  | { readonly kind: 'answered'; readonly value: T }
  /** Nobody listened: the call never arrived. */
  | { readonly kind: 'refused' }
  /** The connection broke, or the client stopped waiting. */
  | { readonly kind: 'lost' }

/** Starts the call on the node; `done` hands over an answer that is valid after this turn. */
export type Begin<T> = (node: RunningNode, done: (value: T) => void) => void

export class Calls {
  private readonly simulation: Simulation
  private readonly random: Random
  private readonly timeoutMs: number
  /** How many calls are not answered yet. */
  open = 0

  constructor(simulation: Simulation, random: Random, timeoutMs: number) {
    this.simulation = simulation
    this.random = random
    this.timeoutMs = timeoutMs
  }

  make<T>(machine: Machine, begin: Begin<T>, answered: (answer: Answer<T>) => void, timeoutMs = this.timeoutMs): void {
    const { life } = machine
    const running = life?.running
    if (life === undefined || running === undefined) {
      this.simulation.after(this.transitMs(), () => answered({ kind: 'refused' }))
      return
    }
    let ended = false
    this.open++
    const end = (answer: Answer<T>): void => {
      if (ended) return
      ended = true
      this.open--
      life.onEnd.delete(lose)
      answered(answer)
    }
    const lose = (): void => this.simulation.after(this.transitMs(), () => end({ kind: 'lost' }))
    life.onEnd.add(lose)
    this.simulation.after(timeoutMs, () => end({ kind: 'lost' }))
    life.runtime.scheduler.setTimer(this.transitMs(), () => {
      begin(running, (value) => this.simulation.after(this.transitMs(), () => end({ kind: 'answered', value })))
    })
  }

  private transitMs(): number {
    return 0.05 + 0.4 * this.random.float()
  }
}
