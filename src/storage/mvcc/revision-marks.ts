/**
 * Owns where revisions begin in the revision list: a mark (main revision, first slot) now and then, so that finding a
 * revision needs no walk from the end. Called by the store's writer and by `changes`.
 *
 * - I1  Marks rise strictly by main revision. Consecutive ones are at least `recordsPerMark` records apart.
 * - I2  A mark above the compacted revision points to a record that still has its slot.
 *
 * Worked example: puts at revisions 2 to 1000, one record each, leave marks at 2, 130, 258, …; revision 300 is found
 * by walking 42 records from the mark at 258.
 */

const recordsPerMark = 128
const marksPerChunk = 512

export class RevisionMarks {
  private readonly chunks: Float64Array[] = []
  /** Marks in all chunks but the last fill them. */
  private lastChunkCount = 0
  private lastMain = 0
  private recordsSinceMark = recordsPerMark

  get sizeBytes(): number {
    return this.chunks.length * marksPerChunk * 16
  }

  /** Reports the next record of the revision list. */
  append(main: number, slot: number): void {
    if (++this.recordsSinceMark <= recordsPerMark || main === this.lastMain) {
      this.lastMain = main
      return
    }
    this.recordsSinceMark = 0
    this.lastMain = main
    if (this.chunks.length === 0 || this.lastChunkCount === marksPerChunk) {
      this.chunks.push(new Float64Array(marksPerChunk * 2))
      this.lastChunkCount = 0
    }
    const chunk = this.chunks.at(-1)!
    chunk[this.lastChunkCount * 2] = main
    chunk[this.lastChunkCount * 2 + 1] = slot
    this.lastChunkCount++
  }

  /** Forgets whole chunks of marks at or below `main`. */
  trim(main: number): void {
    let gone = 0
    while (gone + 1 < this.chunks.length && this.chunks[gone + 1]![0]! <= main) gone++
    if (gone > 0) this.chunks.splice(0, gone)
  }

  /** The slot of the last mark with `after` < mark <= `main`, or else of the first mark above `after`, or -1. */
  near(main: number, after: number): number {
    const total = this.chunks.length === 0 ? 0 : (this.chunks.length - 1) * marksPerChunk + this.lastChunkCount
    const above = this.firstAbove(main, total)
    if (above > 0 && this.main(above - 1) > after) return this.slot(above - 1)
    const first = this.firstAbove(after, total)
    return first < total ? this.slot(first) : -1
  }

  private firstAbove(main: number, total: number): number {
    let low = 0
    let high = total
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.main(middle) <= main) low = middle + 1
      else high = middle
    }
    return low
  }

  private main(mark: number): number {
    return this.chunks[Math.floor(mark / marksPerChunk)]![(mark % marksPerChunk) * 2]!
  }

  private slot(mark: number): number {
    return this.chunks[Math.floor(mark / marksPerChunk)]![(mark % marksPerChunk) * 2 + 1]!
  }
}
