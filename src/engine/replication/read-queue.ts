/**
 * Linearizable reads of one group, many per round (Raft thesis §6.4).
 *
 * - R1  A read joins only a round that is asked for after the read arrived.
 * - R2  At most `roundsMax` rounds are under way; reads that come meanwhile wait and share the next one.
 * - R3  A failed round is asked again for all its reads: nothing happened, so that is safe. A read that outlives its
 *       deadline is refused.
 * - R4  At most `readsMax` reads wait; more are refused at once.
 */
import type { ReadOutcome } from './group.ts'

interface WaitingRead {
  readonly done: (outcome: ReadOutcome) => void
  readonly deadlineMs: number
}

interface ReadyReads {
  readonly index: number
  readonly reads: readonly WaitingRead[]
}

const roundsMax = 2

export class ReadQueue {
  private readonly askReadIndex: (id: number) => void
  private readonly knowsLeader: () => boolean
  private readonly readsMax: number
  /** Reads not answered. */
  private count = 0
  /** Not yet part of a round. */
  private waiting: WaitingRead[] = []
  private readonly rounds = new Map<number, readonly WaitingRead[]>()
  /** Confirmed, waiting for the state machine to reach an index. */
  private ready: ReadyReads[] = []
  private lastRoundId = 0

  constructor(readsMax: number, askReadIndex: (id: number) => void, knowsLeader: () => boolean) {
    this.readsMax = readsMax
    this.askReadIndex = askReadIndex
    this.knowsLeader = knowsLeader
  }

  get pendingCount(): number {
    return this.count
  }

  /** False when the bound is reached; the read is then not taken. */
  add(done: (outcome: ReadOutcome) => void, deadlineMs: number): boolean {
    if (this.count >= this.readsMax) return false
    this.count++
    this.waiting.push({ done, deadlineMs })
    return true
  }

  /** Starts a round for what waits, if one may start now. Call at the end of a turn. */
  flush(): void {
    if (this.waiting.length === 0 || this.rounds.size >= roundsMax || !this.knowsLeader()) return
    const id = ++this.lastRoundId
    this.rounds.set(id, this.waiting)
    this.waiting = []
    this.askReadIndex(id)
  }

  onReady(id: number, index: number, appliedIndex: number): void {
    const reads = this.rounds.get(id)
    if (reads === undefined) return
    this.rounds.delete(id)
    if (index <= appliedIndex) this.answer(reads)
    else this.ready.push({ index, reads })
  }

  onFailed(id: number): void {
    const reads = this.rounds.get(id)
    if (reads === undefined) return
    this.rounds.delete(id)
    this.waiting = [...reads, ...this.waiting]
  }

  onApplied(appliedIndex: number): void {
    if (this.ready.length === 0) return
    const due = this.ready.filter((batch) => batch.index <= appliedIndex)
    if (due.length === 0) return
    this.ready = this.ready.filter((batch) => batch.index > appliedIndex)
    for (const batch of due) this.answer(batch.reads)
  }

  /** Refuses the reads whose deadline has passed. */
  expire(nowMs: number, reason: 'timeout' | 'no-leader'): void {
    const late: WaitingRead[] = []
    const keep = (reads: readonly WaitingRead[]) => {
      if (!reads.some((read) => read.deadlineMs <= nowMs)) return reads
      late.push(...reads.filter((read) => read.deadlineMs <= nowMs))
      return reads.filter((read) => read.deadlineMs > nowMs)
    }
    this.waiting = [...keep(this.waiting)]
    for (const [id, reads] of this.rounds) this.rounds.set(id, keep(reads))
    this.ready = this.ready
      .map((batch) => ({ index: batch.index, reads: keep(batch.reads) }))
      .filter((batch) => batch.reads.length > 0)
    this.count -= late.length
    for (const read of late) read.done({ ok: false, reason, outcome: 'not-applied' })
  }

  /** Refuses everything: the node stops. */
  stop(): void {
    const all = [...this.waiting, ...[...this.rounds.values()].flat(), ...this.ready.flatMap((batch) => batch.reads)]
    this.waiting = []
    this.rounds.clear()
    this.ready = []
    this.count = 0
    for (const read of all) read.done({ ok: false, reason: 'stopped', outcome: 'not-applied' })
  }

  private answer(reads: readonly WaitingRead[]): void {
    this.count -= reads.length
    for (const read of reads) read.done({ ok: true })
  }
}
