/**
 * Decodes HPACK header blocks (RFC 7541) of one connection.
 *
 * I1. `tableBytes` is the sum of the sizes of the live dynamic entries and never exceeds `tableBytesLimit`, which
 *     never exceeds the size that this side advertised.
 * I2. A block whose list is too large is still decoded to its end, so that the dynamic table stays in step with the
 *     peer's; its fields are counted and dropped (HPACK bomb).
 * I3. `tableChanges` moves whenever the dynamic table or its limit does. Equal blocks decode equally while it stands.
 */
import { fieldOverheadBytes, type HeaderField, headerField } from './header-field.ts'
import { staticTable } from './hpack-static-table.ts'
import { huffmanDecode } from './huffman.ts'

const staticFields: readonly HeaderField[] = staticTable.map(([name, value]) => headerField(name, value))

/** `malformed` is a COMPRESSION_ERROR: the connection cannot go on. */
export type HpackResult = 'ok' | 'too-large' | 'malformed'

/** An HPACK integer past this is refused; no length or index here comes near it. */
const integerMax = 0x0fff_ffff

export class HpackDecoder {
  /** The fields of the block decoded last; empty unless it was `ok`. A fresh array every time. */
  fields: HeaderField[] = []
  /** See I3. */
  tableChanges = 0

  /** Dynamic entries in a ring: the newest at `newest`, older ones before it. */
  private readonly ring: (HeaderField | undefined)[]
  private newest = 0
  private entries = 0
  private tableBytes = 0
  private tableBytesLimit: number
  private readonly tableBytesMax: number

  // The cursor over the block being decoded.
  private bytes: Buffer = Buffer.alloc(0)
  private offset = 0
  private end = 0
  private failed = false

  constructor(tableBytesMax = 4096) {
    this.tableBytesMax = tableBytesMax
    this.tableBytesLimit = tableBytesMax
    this.ring = new Array<HeaderField | undefined>(Math.floor(tableBytesMax / fieldOverheadBytes) + 1).fill(undefined)
  }

  /** Decodes `bytes[start..end)`, one whole header block, into `fields`. */
  decode(bytes: Buffer, start: number, end: number, listBytesMax: number): HpackResult {
    this.bytes = bytes
    this.offset = start
    this.end = end
    this.failed = false
    const fields: HeaderField[] = []
    let listBytes = 0
    let sizeUpdateAllowed = true
    while (this.offset < end) {
      const first = bytes[this.offset]!
      if ((first & 0xe0) === 0x20) {
        if (!sizeUpdateAllowed || !this.updateTableSize()) return this.fail()
        continue
      }
      sizeUpdateAllowed = false
      const field = first >= 0x80 ? this.fieldAt(this.readInteger(7)) : this.readLiteral(first)
      if (field === undefined || this.failed) return this.fail()
      listBytes += field.sizeBytes
      if (listBytes <= listBytesMax) fields.push(field)
    }
    if (listBytes > listBytesMax) {
      this.fields = []
      return 'too-large'
    }
    this.fields = fields
    return 'ok'
  }

  private fail(): HpackResult {
    this.fields = []
    return 'malformed'
  }

  /** Index 1 to 61 is static, above it dynamic, the newest first (RFC 7541 §2.3.3). */
  private fieldAt(index: number): HeaderField | undefined {
    if (index <= staticFields.length) return staticFields[index - 1]
    const age = index - staticFields.length - 1
    if (age >= this.entries) return undefined
    const slot = this.newest - age
    return this.ring[slot < 0 ? slot + this.ring.length : slot]
  }

  private readLiteral(first: number): HeaderField | undefined {
    const indexed = first >= 0x40
    const nameIndex = this.readInteger(indexed ? 6 : 4)
    const name = nameIndex === 0 ? this.readString() : this.fieldAt(nameIndex)?.name
    if (name === undefined || this.failed) return undefined
    const value = this.readString()
    if (value === undefined) return undefined
    const field = headerField(name, value)
    if (indexed) this.insert(field)
    return field
  }

  /** RFC 7541 §5.1. The prefix is in the byte at the cursor. */
  private readInteger(prefixBits: number): number {
    const prefixMax = (1 << prefixBits) - 1
    let value = this.bytes[this.offset++]! & prefixMax
    if (value < prefixMax) return value
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.offset >= this.end) break
      const byte = this.bytes[this.offset++]!
      value += (byte & 0x7f) * 2 ** shift
      if (value > integerMax) break
      if (byte < 0x80) return value
    }
    this.failed = true
    return 0
  }

  /** RFC 7541 §5.2. */
  private readString(): string | undefined {
    if (this.offset >= this.end) return undefined
    const huffman = this.bytes[this.offset]! >= 0x80
    const length = this.readInteger(7)
    const start = this.offset
    if (this.failed || length > this.end - start) return undefined
    this.offset = start + length
    return huffman ? huffmanDecode(this.bytes, start, this.offset) : this.bytes.latin1Slice(start, this.offset)
  }

  /** RFC 7541 §6.3. */
  private updateTableSize(): boolean {
    const limit = this.readInteger(5)
    if (this.failed || limit > this.tableBytesMax) return false
    this.tableBytesLimit = limit
    this.tableChanges++
    this.evictTo(limit)
    return true
  }

  /** RFC 7541 §4.4: an entry larger than the table empties it and is not kept. */
  private insert(field: HeaderField): void {
    this.tableChanges++
    this.evictTo(this.tableBytesLimit - field.sizeBytes)
    if (field.sizeBytes > this.tableBytesLimit) return
    this.newest = this.newest + 1 === this.ring.length ? 0 : this.newest + 1
    this.ring[this.newest] = field
    this.entries++
    this.tableBytes += field.sizeBytes
  }

  private evictTo(limit: number): void {
    while (this.entries > 0 && this.tableBytes > limit) {
      const slot = this.newest - this.entries + 1
      const oldest = slot < 0 ? slot + this.ring.length : slot
      this.tableBytes -= this.ring[oldest]!.sizeBytes
      this.ring[oldest] = undefined
      this.entries--
    }
  }
}
