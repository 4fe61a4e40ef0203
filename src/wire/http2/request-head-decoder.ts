/**
 * Turns header blocks into request heads, remembering the last few.
 *
 * A gRPC client sends the same bytes again and again: once its fields are in the dynamic table, a block is a dozen
 * index bytes. While the table stands still, equal bytes mean an equal list, so the head (and the route that the
 * layer above memoised in it) is reused.
 *
 * I1. A remembered head was decoded from exactly `bytes` while `tableChanges` had its present value, and decoding it
 *     did not change the table.
 */
import { HpackDecoder, type HpackResult } from './hpack-decoder.ts'
import { type RequestHead, requestHeadOf } from './request-head.ts'

interface RememberedHead {
  readonly bytes: Uint8Array
  readonly head: RequestHead
}

const rememberedMax = 8
const rememberedBlockBytesMax = 512

export class RequestHeadDecoder {
  readonly hpack = new HpackDecoder()
  private readonly listBytesMax: number
  private remembered: RememberedHead[] = []
  private rememberedAt = 0
  private nextSlot = 0

  constructor(listBytesMax: number) {
    this.listBytesMax = listBytesMax
  }

  /** The head of a request, or why there is none. `invalid` is a stream error, `malformed` a connection error. */
  decode(bytes: Buffer, start: number, end: number): RequestHead | Exclude<HpackResult, 'ok'> | 'invalid' {
    const hpack = this.hpack
    if (this.rememberedAt === hpack.tableChanges) {
      for (const candidate of this.remembered) {
        if (matches(candidate.bytes, bytes, start, end)) return candidate.head
      }
    } else {
      this.remembered = []
      this.nextSlot = 0
      this.rememberedAt = hpack.tableChanges
    }
    const result = hpack.decode(bytes, start, end, this.listBytesMax)
    if (result !== 'ok') return result
    const head = requestHeadOf(hpack.fields)
    if (head === undefined) return 'invalid'
    if (hpack.tableChanges === this.rememberedAt && end - start <= rememberedBlockBytesMax) {
      this.remembered[this.nextSlot] = { bytes: Uint8Array.prototype.slice.call(bytes, start, end), head }
      this.nextSlot = (this.nextSlot + 1) % rememberedMax
    }
    return head
  }
}

function matches(block: Uint8Array, bytes: Buffer, start: number, end: number): boolean {
  if (block.length !== end - start) return false
  for (let i = 0; i < block.length; i++) if (block[i] !== bytes[start + i]) return false
  return true
}
