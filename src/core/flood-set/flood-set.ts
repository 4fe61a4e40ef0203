/**
 * FloodSet: consensus in a synchronous network where at most `f` processes crash (Lynch, Distributed Algorithms, §6.2.1).
 * Each process floods the set of values it knows for `f + 1` rounds, then decides by a rule that all apply to equal sets.
 * One object is one process; whoever carries the messages calls `message`, then `endRound`, in lockstep.
 *
 * Why `f + 1` rounds: at most `f` of them see a crash, so one is clean. In it all live processes hear the same messages
 * and so know the same set, which later rounds cannot change: whatever is sent then is known already. With `f` rounds
 * each may hide one crash behind another, and a value can reach one survivor and not the next (§6.7).
 *
 * The contrast: nothing here votes, nobody leads, and a majority need not live; `f` may be all but one. What pays for it
 * is the clock: a message that is not there at the end of its round will never come, so silence proves a crash. Take that
 * away, and no deterministic algorithm decides in every run with even one crash (Fischer, Lynch and Paterson, 1985). Raft
 * and Paxos therefore keep agreement whatever the delays, need a majority, and end only when time is kind.
 *
 * I1. `known` holds only proposals of processes, the own one among them, and never loses a value.
 * I2. `decision` is set at the end of round `f + 1`, once, and never changes.
 *
 * Differs: Lynch decides the only value of the set, or a default where there are more. Here it is the least value of the
 * set, so that the decision is always what some process proposed (the stronger of the validity conditions in §6.1).
 */
import { assert } from '../../base/index.ts'

export interface FloodSetProcessOptions {
  /** `f`: how many processes may crash. 0 or more. */
  readonly faultsMax: number
  readonly proposal: string
}

export class FloodSetProcess {
  private readonly faultsMax: number
  /** The values heard of so far, as `W` in the book (I1). */
  private readonly known: Set<string>
  private roundsEnded = 0
  private decided: string | undefined

  constructor(options: FloodSetProcessOptions) {
    assert(Number.isInteger(options.faultsMax) && options.faultsMax >= 0, 'faultsMax is a count')
    this.faultsMax = options.faultsMax
    this.known = new Set([options.proposal])
  }

  /** The round that is under way, from 1; undefined once decided. */
  get round(): number | undefined {
    return this.decided === undefined ? this.roundsEnded + 1 : undefined
  }

  /** What all others agree on, too. Undefined until round `f + 1` has ended. */
  get decision(): string | undefined {
    return this.decided
  }

  /** What to send to every other process in this round. Undefined once decided. */
  message(): readonly string[] | undefined {
    return this.decided === undefined ? [...this.known].sort() : undefined
  }

  /** Ends a round with the messages that arrived in it, of which crashes may have taken any. */
  endRound(messages: readonly (readonly string[])[]): void {
    assert(this.decided === undefined, 'no round follows the decision')
    for (const message of messages) {
      for (const value of message) this.known.add(value)
    }
    this.roundsEnded++
    if (this.roundsEnded === this.faultsMax + 1) this.decided = [...this.known].sort()[0]
  }
}
