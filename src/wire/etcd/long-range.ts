/**
 * Encodes the answer to a long range over several turns, in chunks that together are one RangeResponse (its grammar is
 * in `kv-responses.ts`): the header, the records, the tail.
 */
import { bytesFieldSize } from '../../base/index.ts'
import type { RangeResult } from '../../engine/coordination/index.ts'
import { putRangeTail, putRecord, rangeTailSize } from './kv-responses.ts'
import type { ResponseHeaderEncoder } from './response-header.ts'

/** About what one step encodes. */
const chunkBytes = 128 * 1024
/** Records measured in one step, at most. */
const chunkRecordsMax = 1000

export class LongRangeEncoder {
  readonly chunks: Uint8Array[] = []
  /** The bytes of all chunks so far. */
  byteLength = 0
  private readonly result: RangeResult
  private readonly accept: (byteLength: number) => boolean
  private nextRef = 0

  /** `result` must be pinned until the last step. `accept` is asked before each chunk; false ends the work. */
  constructor(result: RangeResult, header: ResponseHeaderEncoder, accept: (byteLength: number) => boolean) {
    this.result = result
    this.accept = accept
    this.add(header.encode(result.revision))
  }

  /** Encodes some more. Returns true while there is more to do. */
  step(): boolean {
    const { result } = this
    const { store, refs, keysOnly } = result
    if (this.nextRef === refs.length) {
      const tail = Buffer.allocUnsafe(rangeTailSize(result))
      putRangeTail(tail, 0, result)
      this.add(tail)
      return false
    }
    const first = this.nextRef
    const stopMax = Math.min(refs.length, first + chunkRecordsMax)
    let stop = first
    let size = 0
    while (stop < stopMax && size < chunkBytes) size += bytesFieldSize(2, store.encodedLength(refs[stop++]!, keysOnly))
    if (!this.accept(size)) return false
    const chunk = Buffer.allocUnsafeSlow(size)
    let offset = 0
    for (let i = first; i < stop; i++) offset = putRecord(store, chunk, offset, 2, refs[i]!, keysOnly)
    this.nextRef = stop
    this.add(chunk)
    return true
  }

  private add(chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.byteLength += chunk.length
  }
}
