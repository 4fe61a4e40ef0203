/**
 * Encodes header lists that differ from message to message (RFC 7541), for those who pass on what others wrote.
 *
 * No field enters the peer's dynamic table: a block depends on its fields alone, so it may be kept and sent again on any
 * connection, in any order. Names of the static table cost one byte or two. Values are sent as they are: Huffman coding
 * would cost more time here than its bytes do on the wire. Credentials are marked as never to be indexed (§7.1.3).
 *
 * A peer that lowers SETTINGS_HEADER_TABLE_SIZE awaits a size update (§4.2). The first block on each connection says
 * {@link emptyTableUpdate}, once for all.
 *
 * I1. `[0, length)` of `buffer` is the block being written. The view that `finish` gives is good until the next `begin`.
 */
import { staticTable } from './hpack-static-table.ts'

/** A header block to be sent next; {@link HeaderTemplate} and {@link EncodedBlock} are such. */
export interface HeaderSource {
  /** The block. It is written at once: the next one the peer sees. */
  encode(): Uint8Array
}

/** A block that was encoded before, without the dynamic table. */
export class EncodedBlock implements HeaderSource {
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  encode(): Uint8Array {
    return this.bytes
  }
}

/** A dynamic table size update to 0 (RFC 7541 §6.3). */
export const emptyTableUpdate = 0x20

/** Names are remembered with their encoding; peers choose them, so only so many are. */
const namesRememberedMax = 1_024
const nameBytesRememberedMax = 64
const sensitiveNames = new Set(['authorization', 'cookie', 'proxy-authorization', 'set-cookie'])
/** Values up to this length are copied faster here than by a call into the runtime. */
const shortValueUnitsMax = 24

const statusIndex: readonly number[] = staticStatusIndexes()
const encodedNames = new Map<string, Uint8Array>()
for (const [at, [name]] of staticTable.entries()) {
  if (!encodedNames.has(name)) encodedNames.set(name, encodeIndexedName(name, at + 1))
}

export class HeaderBlockWriter implements HeaderSource {
  private buffer: Buffer = Buffer.allocUnsafeSlow(4 << 10)
  private length = 0
  private finished: Uint8Array = this.buffer.subarray(0, 0)

  begin(): void {
    this.length = 0
  }

  /** See {@link emptyTableUpdate}. Only at the start. */
  announceEmptyTable(): void {
    this.room(1)
    this.buffer[this.length++] = emptyTableUpdate
  }

  /** `:status`, 100 to 999. */
  status(status: number): void {
    const index = statusIndex[status]
    this.room(5)
    const buffer = this.buffer
    let at = this.length
    if (index !== undefined) {
      buffer[at++] = 0x80 | index
    } else {
      // A literal whose name is entry 8.
      buffer[at++] = 8
      buffer[at++] = 3
      buffer[at++] = 0x30 + Math.floor(status / 100)
      buffer[at++] = 0x30 + (Math.floor(status / 10) % 10)
      buffer[at++] = 0x30 + (status % 10)
    }
    this.length = at
  }

  /** `:method`, `:scheme`, `:path`, `:authority`; an empty authority is left out. */
  request(method: string, scheme: 'http' | 'https', path: string, authority: string): void {
    this.room(2)
    if (method === 'GET') this.buffer[this.length++] = 0x82
    else if (method === 'POST') this.buffer[this.length++] = 0x83
    else this.field(':method', method)
    this.room(2)
    this.buffer[this.length++] = scheme === 'http' ? 0x86 : 0x87
    if (path === '/') this.buffer[this.length++] = 0x84
    else this.field(':path', path)
    if (authority !== '') this.field(':authority', authority)
  }

  /** One field; `name` in lower case, both with one unit a byte. */
  field(name: string, value: string): void {
    const encodedName = encodedNames.get(name) ?? rememberName(name)
    const units = value.length
    this.room(encodedName.length + 6 + units)
    const buffer = this.buffer
    let at = this.length
    for (let i = 0; i < encodedName.length; i++) buffer[at++] = encodedName[i]!
    at = putLength(buffer, at, units)
    if (units <= shortValueUnitsMax) for (let i = 0; i < units; i++) buffer[at++] = value.charCodeAt(i)
    else at += buffer.latin1Write(value, at, units)
    this.length = at
  }

  /** Names at even places, values at odd ones. */
  fields(list: readonly string[]): void {
    for (let i = 0; i < list.length; i += 2) this.field(list[i]!, list[i + 1]!)
  }

  /** A block made before. */
  append(block: Uint8Array): void {
    this.room(block.length)
    this.buffer.set(block, this.length)
    this.length += block.length
  }

  /** See I1. */
  finish(): Uint8Array {
    this.finished = this.buffer.subarray(0, this.length)
    return this.finished
  }

  /** What was written last. */
  encode(): Uint8Array {
    return this.finished
  }

  get bytesWritten(): number {
    return this.length
  }

  /** A copy of what was written after the first `start` bytes, to be kept. */
  copyFrom(start: number): Uint8Array {
    return Uint8Array.prototype.slice.call(this.buffer, start, this.length)
  }

  private room(byteLength: number): void {
    const needed = this.length + byteLength
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.buffer.length))
    this.buffer.copy(grown, 0, 0, this.length)
    this.buffer = grown
  }
}

function staticStatusIndexes(): number[] {
  const indexes: number[] = []
  for (const [at, [name, value]] of staticTable.entries()) if (name === ':status') indexes[Number(value)] = at + 1
  return indexes
}

/** RFC 7541 §6.2.2 and §6.2.3: literals that leave the table alone, their names being 4-bit prefixed indexes. */
function patternOf(name: string): number {
  return sensitiveNames.has(name) ? 0x10 : 0
}

function encodeIndexedName(name: string, index: number): Uint8Array {
  const pattern = patternOf(name)
  return index < 15 ? Uint8Array.of(pattern | index) : Uint8Array.of(pattern | 15, index - 15)
}

function rememberName(name: string): Uint8Array {
  const encoded = new Uint8Array(name.length + 6)
  encoded[0] = patternOf(name)
  let at = putLength(encoded, 1, name.length)
  for (let i = 0; i < name.length; i++) encoded[at++] = name.charCodeAt(i)
  const exact = encoded.slice(0, at)
  if (encodedNames.size < namesRememberedMax && name.length <= nameBytesRememberedMax) encodedNames.set(name, exact)
  return exact
}

/** RFC 7541 §5.2, without Huffman coding. */
function putLength(buffer: Uint8Array, start: number, length: number): number {
  let at = start
  if (length < 0x7f) {
    buffer[at++] = length
    return at
  }
  buffer[at++] = 0x7f
  let rest = length - 0x7f
  for (; rest >= 0x80; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80
  buffer[at++] = rest
  return at
}
