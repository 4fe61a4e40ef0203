/**
 * Linearizable reads of one group, many per round (Raft thesis §6.4).
 *
 * - R1  A read joins only a round that is asked for after the read arrived.
 * - R2  At most `roundsMax` rounds are under way; reads that come meanwhile wait and share the next one.
 * - R3  A failed round is asked again for all its reads: nothing happened, so that is safe. A read that outlives its
 *       deadline is refused.
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
  /** Not yet part of a round. */
  private waiting: WaitingRead[] = []
  private readonly rounds = new Map<number, readonly WaitingRead[]>()
  /** Confirmed, waiting for the state machine to reach an index. */
  private ready: ReadyReads[] = []
  private lastRoundId = 0

  constructor(askReadIndex: (id: number) => void, knowsLeader: () => boolean) {
    this.askReadIndex = askReadIndex
    this.knowsLeader = knowsLeader
  }

  get pendingCount(): number {
    let count = this.waiting.length
    for (const reads of this.rounds.values()) count += reads.length
    for (const batch of this.ready) count += batch.reads.length
    return count
  }

  add(done: (outcome: ReadOutcome) => void, deadlineMs: number): void {
    this.waiting.push({ done, deadlineMs })
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
    if (index <= appliedIndex) for (const read of reads) read.done({ ok: true })
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
    for (const batch of due) for (const read of batch.reads) read.done({ ok: true })
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
    for (const read of late) read.done({ ok: false, reason, outcome: 'not-applied' })
  }

  /** Refuses everything: the node stops. */
  stop(): void {
    const all = [...this.waiting, ...[...this.rounds.values()].flat(), ...this.ready.flatMap((batch) => batch.reads)]
    this.waiting = []
    this.rounds.clear()
    this.ready = []
    for (const read of all) read.done({ ok: false, reason: 'stopped', outcome: 'not-applied' })
  }
}
