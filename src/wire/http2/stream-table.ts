/**
 * The streams of one connection by id, and what is known about ids that are not open (RFC 9113 §5.1, §5.1.1).
 *
 * I1. `lastId` is the highest id a client has used; ids above it are idle.
 * I2. Ids at most `lastId` that are not in `open` are closed: used up, or skipped when a higher id was used.
 */
import type { Http2Stream } from './http2-stream.ts'

/** What an id without an open stream means for a frame that names it. */
export type AbsentStream =
  /** Never used. */
  | 'idle'
  /** Reset by this side a moment ago: the peer may not know yet, so its frames are ignored. */
  | 'reset-here'
  /** Skipped: closed without ever having been open. */
  | 'skipped'
  | 'closed'

const skippedRangesMax = 16

export class StreamTable {
  readonly open = new Map<number, Http2Stream>()
  lastId = 0
  private readonly resetHere = new Set<number>()
  private readonly rememberedResetsMax: number
  private readonly skipped: { readonly first: number; readonly last: number }[] = []

  constructor(rememberedResetsMax: number) {
    this.rememberedResetsMax = rememberedResetsMax
  }

  /** Notes that the client used the odd id `id`, which is above `lastId`. */
  use(id: number): void {
    if (id > this.lastId + 2) {
      this.skipped.push({ first: this.lastId + 1, last: id - 1 })
      if (this.skipped.length > skippedRangesMax) this.skipped.shift()
    }
    this.lastId = id
  }

  rememberReset(id: number): void {
    this.resetHere.add(id)
    if (this.resetHere.size <= this.rememberedResetsMax) return
    for (const oldest of this.resetHere) {
      this.resetHere.delete(oldest)
      return
    }
  }

  /** The peer reset the stream too: it has no excuse for later frames. */
  forgetReset(id: number): void {
    this.resetHere.delete(id)
  }

  /** What the id of a stream that is not open means. */
  absent(id: number): AbsentStream {
    // Even ids are a server's, which never opens any.
    if (id > this.lastId || (id & 1) === 0) return 'idle'
    if (this.resetHere.has(id)) return 'reset-here'
    return this.skipped.some((range) => id >= range.first && id <= range.last) ? 'skipped' : 'closed'
  }
}
