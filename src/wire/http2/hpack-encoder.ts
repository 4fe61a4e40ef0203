/**
 * Encodes the header lists of one connection's responses (RFC 7541).
 *
 * Lists are registered once as templates. Fields that the owner calls *memorable* (those that every response carries)
 * are put into the peer's dynamic table the first time and cost one byte afterwards; everything else is a literal
 * that leaves the table alone. So the table holds at most the memorable fields and nothing is ever evicted.
 *
 * I1. The peer sees blocks in the order in which `encode` made them: encode directly before writing, never earlier.
 * I2. `inserted` lists what the peer's table holds, oldest first. It only grows, until a peer that shrinks its table
 *     below `tableBytes` empties it for good.
 * I3. A template's cached bytes are valid while `generation` stands, and never contain an insertion or a size update.
 */
import { fieldOverheadBytes } from './header-field.ts'
import { staticTable } from './hpack-static-table.ts'
import { huffmanEncode, huffmanLength } from './huffman.ts'

export type FieldPair = readonly [name: string, value: string]

const staticIndexOfField = new Map<string, number>()
const staticIndexOfName = new Map<string, number>()
for (const [at, [name, value]] of staticTable.entries()) {
  if (value !== '') staticIndexOfField.set(`${name}\n${value}`, at + 1)
  if (!staticIndexOfName.has(name)) staticIndexOfName.set(name, at + 1)
}

export class HpackEncoder {
  /** See I3. */
  generation = 0
  private readonly memorable: readonly string[]
  /** What this encoder asks of the peer's table: the memorable fields and nothing more. */
  private readonly tableBytes: number
  private inserted: string[] = []
  /** False once the peer's table is too small for the memorable fields. */
  private indexing: boolean
  /** A dynamic table size to announce at the start of the next block. */
  private announcedSize: number | undefined

  constructor(memorable: readonly FieldPair[]) {
    this.memorable = memorable.map(keyOf)
    this.tableBytes = memorable.reduce((sum, [name, value]) => sum + name.length + value.length + fieldOverheadBytes, 0)
    this.indexing = memorable.length > 0
    this.announcedSize = this.tableBytes
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. Above what is in use it changes nothing. */
  setPeerTableBytes(bytes: number): void {
    if (!this.indexing || bytes >= this.tableBytes) return
    this.indexing = false
    this.inserted = []
    this.announcedSize = 0
    this.generation++
  }

  template(fields: readonly FieldPair[]): HeaderTemplate {
    return new HeaderTemplate(this, fields)
  }

  /** See I1. `cacheable` is false when the block may be sent only this once. */
  encodeFields(fields: readonly FieldPair[]): { readonly bytes: Uint8Array; readonly cacheable: boolean } {
    const out: number[] = []
    let cacheable = true
    if (this.announcedSize !== undefined) {
      putInteger(out, 0x20, 5, this.announcedSize)
      this.announcedSize = undefined
      cacheable = false
    }
    for (const field of fields) if (!this.encodeField(out, field)) cacheable = false
    return { bytes: Uint8Array.from(out), cacheable }
  }

  /** Returns false when it changed the peer's table. */
  private encodeField(out: number[], field: FieldPair): boolean {
    const key = keyOf(field)
    const staticIndex = staticIndexOfField.get(key)
    if (staticIndex !== undefined) {
      putInteger(out, 0x80, 7, staticIndex)
      return true
    }
    const at = this.inserted.indexOf(key)
    if (at !== -1) {
      putInteger(out, 0x80, 7, staticTable.length + this.inserted.length - at)
      return true
    }
    const insert = this.indexing && this.memorable.includes(key)
    putLiteral(out, field, insert)
    if (!insert) return true
    this.inserted.push(key)
    this.generation++
    return false
  }
}

/** A header list that is sent often. Made by {@link HpackEncoder.template}. */
export class HeaderTemplate {
  private readonly encoder: HpackEncoder
  private readonly fields: readonly FieldPair[]
  private cached: Uint8Array | undefined
  private cachedAt = -1

  constructor(encoder: HpackEncoder, fields: readonly FieldPair[]) {
    this.encoder = encoder
    this.fields = fields
  }

  /** The block. Must be the next one the peer sees (I1). */
  encode(): Uint8Array {
    if (this.cachedAt === this.encoder.generation && this.cached !== undefined) return this.cached
    const { bytes, cacheable } = this.encoder.encodeFields(this.fields)
    this.cached = cacheable ? bytes : undefined
    this.cachedAt = this.encoder.generation
    return bytes
  }
}

function keyOf([name, value]: FieldPair): string {
  return `${name}\n${value}`
}

/** RFC 7541 §6.2.1 (with insertion) and §6.2.2. */
function putLiteral(out: number[], [name, value]: FieldPair, insert: boolean): void {
  const nameIndex = staticIndexOfName.get(name) ?? 0
  if (insert) putInteger(out, 0x40, 6, nameIndex)
  else putInteger(out, 0, 4, nameIndex)
  if (nameIndex === 0) putString(out, name)
  putString(out, value)
}

/** RFC 7541 §5.2: Huffman when that is shorter. */
function putString(out: number[], text: string): void {
  const coded = huffmanLength(text)
  if (coded < text.length) {
    putInteger(out, 0x80, 7, coded)
    for (const byte of huffmanEncode(text)) out.push(byte)
    return
  }
  putInteger(out, 0, 7, text.length)
  for (let i = 0; i < text.length; i++) out.push(text.charCodeAt(i) & 0xff)
}

/** RFC 7541 §5.1. */
function putInteger(out: number[], pattern: number, prefixBits: number, value: number): void {
  const prefixMax = (1 << prefixBits) - 1
  if (value < prefixMax) {
    out.push(pattern | value)
    return
  }
  out.push(pattern | prefixMax)
  let rest = value - prefixMax
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  out.push(rest)
}
