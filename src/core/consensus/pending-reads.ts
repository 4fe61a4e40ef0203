import { assert } from '../../base/index.ts'
import { type MemberId, noMember } from '../replicated-log.ts'

/** A read that waits: of this node (`from` is `noMember`, `id` the host's) or a follower's (`id` is its context). */
export interface PendingRead {
  readonly from: MemberId
  readonly id: number
  readonly sinceTick: number
}

/** Reads that share one confirmation. Leader: a round of heartbeats. Follower: one message to the leader. */
export interface ReadRound {
  readonly context: number
  /** Leader: the commit index when the round began. Follower: 0. */
  readonly index: number
  readonly reads: readonly PendingRead[]
}

/**
 * The reads that wait for a read index, on a leader and on a follower alike: first in `waiting`, then in a round.
 * How they begin and end stands with each algorithm (`read-index.ts`).
 *
 * Invariants:
 * - R1  `count` is the number of reads in `waiting` and in all rounds.
 * - R2  Contexts rise from round to round and never exceed `lastContext`.
 */
export class PendingReads {
  waiting: PendingRead[] = []
  rounds: ReadRound[] = []
  /** The newest round's context, or the number the first round will follow. */
  lastContext = 0
  /** Held reads. */
  count = 0

  add(from: MemberId, id: number, sinceTick: number): void {
    this.waiting.push({ from, id, sinceTick })
    this.count++
  }

  /** Moves all waiting reads to a new round. */
  beginRound(index: number): ReadRound {
    this.lastContext++
    const round = { context: this.lastContext, index, reads: this.waiting }
    this.rounds.push(round)
    this.waiting = []
    return round
  }

  /** Takes out the rounds up to `context`. */
  takeThrough(context: number): readonly ReadRound[] {
    let done = 0
    while (done < this.rounds.length && (this.rounds[done] as ReadRound).context <= context) done++
    return done === 0 ? [] : this.release(this.rounds.splice(0, done))
  }

  /** Takes out the round with exactly `context`. */
  take(context: number): ReadRound | undefined {
    const at = this.rounds.findIndex((round) => round.context === context)
    return at < 0 ? undefined : this.release(this.rounds.splice(at, 1))[0]
  }

  /** Takes out all reads. */
  takeAll(): readonly PendingRead[] {
    if (this.count === 0) return []
    const reads = [...this.rounds.flatMap((round) => round.reads), ...this.waiting]
    this.waiting = []
    this.rounds = []
    this.count = 0
    return reads
  }

  /** Takes out all reads that have waited since `tick` or earlier. */
  takeOlderThan(tick: number): readonly PendingRead[] {
    const oldest = this.rounds[0]?.reads[0] ?? this.waiting[0]
    if (oldest === undefined || oldest.sinceTick > tick) return []
    const expired: PendingRead[] = []
    // A round is as old as its oldest read: the later ones in it would wait for the same lost answer.
    while (((this.rounds[0]?.reads[0] as PendingRead | undefined)?.sinceTick ?? tick + 1) <= tick) {
      expired.push(...(this.rounds.shift() as ReadRound).reads)
    }
    const young = this.waiting.findIndex((read) => read.sinceTick > tick)
    expired.push(...this.waiting.splice(0, young < 0 ? this.waiting.length : young))
    this.count -= expired.length
    return expired
  }

  validate(): void {
    let held = this.waiting.length
    let context = 0
    for (const round of this.rounds) {
      held += round.reads.length
      assert(round.context > context, 'contexts rise (R2)')
      context = round.context
    }
    assert(context <= this.lastContext, 'no round is beyond the last context (R2)')
    assert(held === this.count, 'reads are counted (R1)')
  }

  private release(rounds: ReadRound[]): ReadRound[] {
    for (const round of rounds) this.count -= round.reads.length
    return rounds
  }
}

/** Marks a read of this node itself. */
export const ownRead: MemberId = noMember
