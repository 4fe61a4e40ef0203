/**
 * Encodes lists of fields, remembering the encodings of the few that come again and again.
 *
 * A list is known by its identity: heads are shared by equal messages, so an equal list is mostly the same one.
 *
 * I1. `blocks[i]`, where there is one, is the encoding of `lists[i]`. A list seen once has a place and no encoding yet:
 *     lists that never return cost no copy.
 */
import type { HeaderBlockWriter } from '../../wire/http2/index.ts'
import type { Fields } from '../http/index.ts'

const placesMax = 16
/** Fields of one HTTP/1 connection, that have no place in HTTP/2 (RFC 9113 §8.2.2), should they be left. */
const connectionFields = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])
/** Larger encodings are not kept. */
const blockBytesKeptMax = 4 << 10

export class FieldBlocks {
  private readonly writer: HeaderBlockWriter
  private readonly asksForTrailers: boolean
  private readonly lists: (Fields | undefined)[] = new Array<Fields | undefined>(placesMax).fill(undefined)
  private readonly blocks: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(placesMax).fill(undefined)
  private next = 0

  /** With `asksForTrailers` gRPC requests get `te: trailers`, which its servers insist on. */
  constructor(writer: HeaderBlockWriter, asksForTrailers: boolean) {
    this.writer = writer
    this.asksForTrailers = asksForTrailers
  }

  /** Adds `fields` to the block that is being written. */
  write(fields: Fields): void {
    const lists = this.lists
    for (let place = 0; place < placesMax; place++) {
      if (lists[place] !== fields) continue
      const block = this.blocks[place]
      if (block !== undefined) this.writer.append(block)
      else this.blocks[place] = this.encode(fields)
      return
    }
    lists[this.next] = fields
    this.blocks[this.next] = undefined
    this.next = (this.next + 1) % placesMax
    this.encode(fields)
  }

  /** Returns a copy of what it added, unless that is too large to keep. */
  private encode(fields: Fields): Uint8Array | undefined {
    const writer = this.writer
    const start = writer.bytesWritten
    let isGrpc = false
    let hasTe = false
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!
      const value = fields[i + 1]!
      if (connectionFields.has(name)) continue
      if (name === 'te') hasTe = true
      else if (name === 'content-type') isGrpc = value.startsWith('application/grpc')
      writer.field(name, value)
    }
    if (isGrpc && !hasTe && this.asksForTrailers) writer.field('te', 'trailers')
    return writer.bytesWritten - start <= blockBytesKeptMax ? writer.copyFrom(start) : undefined
  }
}
