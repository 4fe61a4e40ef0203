/** Collects what is seen of a world: the history that the checkers judge, counts, and the story for people. */
import type { HistoryRecord, OperationRecord } from '../history/index.ts'

/** Lines of the story that are kept at its beginning and at its end. */
const headLines = 40
const tailLines = 160

export class Recorder {
  readonly records: HistoryRecord[] = []
  readonly counts = new Map<string, number>()
  readonly faults = new Map<string, number>()
  operations = 0
  elections = 0
  private readonly now: () => number
  private readonly head: string[] = []
  private tail: string[] = []
  private leftOut = 0
  /** Operations under way, as they stand in the history if no answer comes. */
  private readonly open = new Set<HistoryRecord>()

  constructor(now: () => number) {
    this.now = now
  }

  get nowMs(): number {
    return this.now()
  }

  add(record: HistoryRecord): void {
    this.records.push(record)
  }

  /** An operation begins; `unknown` is its record should no answer ever come. Call what it returns with the real one. */
  beginOperation(unknown: OperationRecord): (record: OperationRecord | undefined) => void {
    const finish = this.begin(unknown)
    return (record) => {
      if (finish(record) && record !== undefined) this.count(`operation ${record.outcome}`)
    }
  }

  /** The same for an operation of any kind. What it returns tells whether the operation was still open. */
  begin<T extends HistoryRecord>(unknown: T): (record: T | undefined) => boolean {
    this.operations++
    this.open.add(unknown)
    return (record) => {
      if (!this.open.delete(unknown)) return false
      if (record !== undefined) this.records.push(record)
      return true
    }
  }

  /** Everything, with what is still under way as unknown. */
  history(): readonly HistoryRecord[] {
    return [...this.records, ...this.open]
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  countFault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1)
  }

  tell(text: string): void {
    const line = `${(this.now() / 1000).toFixed(3).padStart(9)} s  ${text}`
    if (this.head.length < headLines) {
      this.head.push(line)
      return
    }
    this.tail.push(line)
    if (this.tail.length < 2 * tailLines) return
    this.leftOut += this.tail.length - tailLines
    this.tail = this.tail.slice(-tailLines)
  }

  story(): string[] {
    const tail = this.tail.slice(-tailLines)
    const leftOut = this.leftOut + this.tail.length - tail.length
    return [...this.head, ...(leftOut > 0 ? [`           …  ${leftOut} lines left out`] : []), ...tail]
  }
}
