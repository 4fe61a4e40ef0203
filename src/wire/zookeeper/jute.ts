/**
 * Jute, ZooKeeper's record format: big-endian, no field numbers, no padding.
 *
 *     boolean  1 byte, 0 or 1              int   4 bytes, signed          long  8 bytes, signed
 *     buffer   int length, the bytes; length -1 is null
 *     ustring  a buffer of UTF-8
 *     vector   int count, the elements; count -1 is null
 *     record   its fields one after the other
 *
 * A {@link Codec} is the grammar of a value and reads and writes it. Longs are bigints: session ids use all 64 bits.
 * Null buffers are read as `undefined`, null strings and vectors as empty.
 */
/** Bytes that are no record of the kind expected. Whatever sent them is not to be talked to any further. */
export class JuteError extends Error {
  override readonly name = 'JuteError'
}

/** Appends to one growing buffer. */
export class JuteWriter {
  #bytes = Buffer.allocUnsafe(256)
  #length = 0

  /** Makes room and returns where it begins. */
  reserve(length: number): number {
    const offset = this.#length
    this.#length += length
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, offset)
      this.#bytes = grown
    }
    return offset
  }

  int(value: number): void {
    const offset = this.reserve(4)
    this.#bytes.writeInt32BE(value, offset)
  }

  /** Overwrites an int written before. */
  patchInt(offset: number, value: number): void {
    this.#bytes.writeInt32BE(value, offset)
  }

  long(value: bigint): void {
    const offset = this.reserve(8)
    this.#bytes.writeBigInt64BE(BigInt.asIntN(64, value), offset)
  }

  byte(value: number): void {
    const offset = this.reserve(1)
    this.#bytes[offset] = value
  }

  raw(value: Uint8Array): void {
    const offset = this.reserve(value.length)
    this.#bytes.set(value, offset)
  }

  get length(): number {
    return this.#length
  }

  /** What was written; the writer is not used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}

/** Reads from one frame. Every method throws {@link JuteError} at the end of the bytes. */
export class JuteReader {
  readonly #bytes: Buffer
  #offset: number
  readonly #end: number

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#offset = start
    this.#end = end
  }

  get remaining(): number {
    return this.#end - this.#offset
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  long(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!
  }

  /** A copy: what a program keeps must not hold on to a whole received chunk. */
  raw(length: number): Uint8Array {
    const start = this.#take(length)
    return new Uint8Array(this.#bytes.subarray(start, start + length))
  }

  text(length: number): string {
    const start = this.#take(length)
    return this.#bytes.utf8Slice(start, start + length)
  }

  /** Bytes after a record would mean that the two sides disagree about its grammar. */
  finish(): void {
    if (this.remaining !== 0) throw new JuteError(`${this.remaining} bytes after the end of the record`)
  }

  #take(length: number): number {
    const offset = this.#offset
    if (length < 0) throw new JuteError(`a length of ${length}`)
    if (length > this.#end - offset)
      throw new JuteError(`the record needs ${length} more bytes and has ${this.#end - offset}`)
    this.#offset = offset + length
    return offset
  }
}

/** The grammar of one kind of value. */
export interface Codec<T> {
  write(writer: JuteWriter, value: T): void
  read(reader: JuteReader): T
}

/** What a codec carries. */
export type Carried<C> = C extends Codec<infer T> ? T : never

export const int: Codec<number> = {
  write: (writer, value) => writer.int(value),
  read: (reader) => reader.int(),
}

export const long: Codec<bigint> = {
  write: (writer, value) => writer.long(value),
  read: (reader) => reader.long(),
}

export const boolean: Codec<boolean> = {
  write: (writer, value) => writer.byte(value ? 1 : 0),
  read: (reader) => reader.byte() !== 0,
}

export const buffer: Codec<Uint8Array | undefined> = {
  write(writer, value) {
    writer.int(value?.length ?? -1)
    if (value !== undefined) writer.raw(value)
  },
  read(reader) {
    const length = reader.int()
    return length === -1 ? undefined : reader.raw(length)
  },
}

export const ustring: Codec<string> = {
  write(writer, value) {
    const bytes = Buffer.from(value, 'utf8')
    writer.int(bytes.length)
    writer.raw(bytes)
  },
  read(reader) {
    const length = reader.int()
    return length === -1 ? '' : reader.text(length)
  },
}

/** `elementBytesMin` bounds the count by what the frame can hold, before anything is allocated. */
export function vector<T>(element: Codec<T>, elementBytesMin = 4): Codec<readonly T[]> {
  return {
    write(writer, values) {
      writer.int(values.length)
      for (const value of values) element.write(writer, value)
    },
    read(reader) {
      const count = reader.int()
      if (count === -1) return []
      if (count < 0 || count * elementBytesMin > reader.remaining) throw new JuteError(`a vector of ${count} elements`)
      return Array.from({ length: count }, () => element.read(reader))
    },
  }
}

type Fields = Readonly<Record<string, unknown>>
type FieldCodecs<T extends Fields> = { readonly [K in keyof T]: Codec<T[K]> }

/** The fields in the order in which they are written here. */
export function record<T extends Fields>(codecs: FieldCodecs<T>): Codec<Readonly<T>> {
  const fields = Object.entries(codecs) as [keyof T, Codec<T[keyof T]>][]
  return {
    write(writer, value) {
      for (const [name, codec] of fields) codec.write(writer, value[name])
    },
    read(reader) {
      const value = {} as T
      for (const [name, codec] of fields) value[name] = codec.read(reader)
      return value
    },
  }
}

/** A record without fields. */
export const nothing: Codec<Readonly<Record<never, never>>> = {
  write() {},
  read: () => ({}),
}
