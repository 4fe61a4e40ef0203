/**
 * Turns header blocks into heads of requests or responses, remembering the last few.
 *
 * A gRPC peer sends the same bytes again and again: once its fields are in the dynamic table, a block is a dozen
 * index bytes. While the table stands still, equal bytes mean an equal list, so the head (and the route that the
 * layer above memoised in it) is reused.
 *
 * I1. A remembered head was decoded from exactly `bytes` while `tableChanges` had its present value, and decoding it
 *     did not change the table.
 */
import type { HeaderField } from './header-field.ts'
import { HpackDecoder, type HpackResult } from './hpack-decoder.ts'

interface RememberedHead<Head> {
  readonly bytes: Uint8Array
  readonly head: Head
}

const rememberedMax = 8
const rememberedBlockBytesMax = 512

export class HeadDecoder<Head> {
  readonly hpack = new HpackDecoder()
  private readonly listBytesMax: number
  private readonly headOf: (fields: readonly HeaderField[]) => Head | undefined
  private remembered: RememberedHead<Head>[] = []
  private rememberedAt = 0
  private nextSlot = 0

  /** `headOf` gives `undefined` for a list that is malformed. */
  constructor(listBytesMax: number, headOf: (fields: readonly HeaderField[]) => Head | undefined) {
    this.listBytesMax = listBytesMax
    this.headOf = headOf
  }

  /** The head, or why there is none. `invalid` is a stream error, `malformed` a connection error. */
  decode(bytes: Buffer, start: number, end: number): Head | Exclude<HpackResult, 'ok'> | 'invalid' {
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
    const head = this.headOf(hpack.fields)
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
