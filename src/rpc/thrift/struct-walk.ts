/**
 * Finds the end of a Thrift struct without building it, and refuses what would hurt whoever builds it: endless
 * containers, deep nesting, unknown types. Everything received passes here before generated code reads it.
 *
 * Binary (thrift doc/specs/thrift-binary-protocol.md):
 *
 *     struct => { field } 0x00        field => type:1 id:2 value
 *     string => length:4 bytes        list, set => elementType:1 size:4 { value }
 *     map => keyType:1 valueType:1 size:4 { key value }
 *
 * Compact (thrift doc/specs/thrift-compact-protocol.md):
 *
 *     struct => { field } 0x00        field => (idDelta:4 type:4 | 0:4 type:4 id:zigzag) value
 *     binary => length:varint bytes   list, set => (size:4 | 15:4) elementType:4 [size:varint] { value }
 *     map => 0x00 | size:varint (keyType:4 valueType:4) { key value }
 */
import type { ThriftProtocolName } from './protocols.ts'

/** Bytes that are no Thrift. */
export class ThriftSyntaxError extends Error {
  override readonly name = 'ThriftSyntaxError'
}

/** The bytes end within the struct: more are needed. */
export const incomplete = -1

const depthMax = 64

/** Where the struct that begins at `start` ends, or {@link incomplete}. Throws a {@link ThriftSyntaxError}. */
export function structEnd(bytes: Uint8Array, start: number, protocol: ThriftProtocolName): number {
  return structWalk(protocol).advance(bytes, start)
}

/** A walk of one struct, which goes on where it stopped when more bytes are there. */
export function structWalk(protocol: ThriftProtocolName): StructWalk {
  return protocol === 'binary' ? new BinaryWalk() : new CompactWalk()
}

/** Thrown instead of an error, which would cost a stack trace at every piece of a message. */
const underrun = Symbol('underrun')

/** In `left` of a struct: it ends by itself. */
const open = -1

/**
 * I1. `levels` structs and containers are open; of level i, `left[i]` values are to come (`open`: a struct), of type
 *     `first[i]`, or by turns of `first[i]` and `second[i]`, which is 0 for all but maps.
 * I2. `passed` bytes of the struct were walked, up to the beginning of a field or value: an underrun goes back there, so
 *     what arrives in many pieces is walked once.
 */
export abstract class StructWalk {
  protected at = 0
  protected bytes: Uint8Array = noBytes
  private passed = 0
  private levels = 1
  private readonly left: number[] = [open]
  private readonly first: number[] = [0]
  private readonly second: number[] = [0]

  /**
   * Goes on. `bytes` hold the struct from `start` as far as it is there: what they held before, and more. Where it ends,
   * or {@link incomplete}. Throws a {@link ThriftSyntaxError}.
   */
  advance(bytes: Uint8Array, start: number): number {
    this.bytes = bytes
    this.at = start + this.passed
    try {
      while (this.levels > 0) {
        this.step(this.levels - 1)
        this.passed = this.at - start
      }
      return this.at
    } catch (error) {
      if (error === underrun) return incomplete
      throw error
    } finally {
      this.bytes = noBytes
    }
  }

  /** The next field of a struct; false: it ended. */
  protected abstract field(): boolean
  protected abstract value(type: number): void

  /** A struct begins. */
  protected enterStruct(): void {
    this.enter(open, 0, 0)
  }

  /** A container of `size` values begins, or of pairs where `second` is not 0. */
  protected enterContainer(size: number, first: number, second: number): void {
    this.enter(second === 0 ? size : size * 2, first, second)
  }

  protected byte(): number {
    if (this.at >= this.bytes.length) throw underrun
    return this.bytes[this.at++]!
  }

  protected pass(byteLength: number): void {
    if (this.at + byteLength > this.bytes.length) throw underrun
    this.at += byteLength
  }

  /** Counted when the value was read, or begun: what it takes is never half counted. */
  private step(level: number): void {
    const left = this.left[level]!
    if (left === open) {
      if (!this.field()) this.levels--
    } else if (left === 0) {
      this.levels--
    } else {
      const second = this.second[level]!
      this.value(second === 0 || left % 2 === 0 ? this.first[level]! : second)
      this.left[level] = left - 1
    }
  }

  private enter(left: number, first: number, second: number): void {
    const level = this.levels
    if (level >= depthMax) throw new ThriftSyntaxError(`structs and containers are nested deeper than ${depthMax}`)
    this.left[level] = left
    this.first[level] = first
    this.second[level] = second
    this.levels++
  }
}

const noBytes = new Uint8Array(0)

/** Bytes that a value of a type takes; 0: it has a length of its own. */
const binaryBytes: Readonly<Record<number, number>> = {
  2: 1,
  3: 1,
  4: 8,
  6: 2,
  8: 4,
  10: 8,
  11: 0,
  12: 0,
  13: 0,
  14: 0,
  15: 0,
  16: 16,
}

class BinaryWalk extends StructWalk {
  protected field(): boolean {
    const type = this.byte()
    if (type === 0) return false
    this.pass(2)
    this.value(type)
    return true
  }

  protected value(type: number): void {
    const width = widthOf(binaryBytes, type)
    if (width > 0) this.pass(width)
    else if (type === 11) this.pass(this.size())
    else if (type === 12) this.enterStruct()
    else this.container(type === 13)
  }

  /** Every element takes a byte at least, so a size is never more than what can follow. */
  private container(isMap: boolean): void {
    const first = this.byte()
    const second = isMap ? this.byte() : 0
    const size = this.size()
    if (size === 0) return
    const firstWidth = widthOf(binaryBytes, first)
    const secondWidth = isMap ? widthOf(binaryBytes, second) : 0
    const isFixed = firstWidth > 0 && (!isMap || secondWidth > 0)
    if (isFixed) this.pass(size * (firstWidth + secondWidth))
    else this.enterContainer(size, first, second)
  }

  private size(): number {
    const at = this.at
    this.pass(4)
    const { bytes } = this
    const size = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
    if (size < 0) throw new ThriftSyntaxError(`a size is ${size}`)
    return size
  }
}

/** As {@link binaryBytes}; -1: a varint. Booleans are in the type within a struct, and a byte within a container. */
const compactBytes: Readonly<Record<number, number>> = {
  1: 1,
  2: 1,
  3: 1,
  4: -1,
  5: -1,
  6: -1,
  7: 8,
  8: 0,
  9: 0,
  10: 0,
  11: 0,
  12: 0,
  13: 16,
}
const varintBytesMax = 10

class CompactWalk extends StructWalk {
  protected field(): boolean {
    const head = this.byte()
    if (head === 0) return false
    const type = head & 0x0f
    if (head >> 4 === 0) this.varint()
    if (type !== 1 && type !== 2) this.value(type)
    return true
  }

  protected value(type: number): void {
    const width = widthOf(compactBytes, type)
    if (width > 0) this.pass(width)
    else if (width < 0) this.varint()
    else if (type === 8) this.pass(this.size())
    else if (type === 12) this.enterStruct()
    else if (type === 11) this.map()
    else this.list()
  }

  private list(): void {
    const head = this.byte()
    const size = head >> 4 === 15 ? this.size() : head >> 4
    const type = head & 0x0f
    if (size === 0) return
    const width = widthOf(compactBytes, type)
    if (width > 0) this.pass(size * width)
    else this.enterContainer(size, type, 0)
  }

  private map(): void {
    const size = this.size()
    if (size === 0) return
    const types = this.byte()
    const [first, second] = [types >> 4, types & 0x0f]
    // Type 0 would read as a list's.
    widthOf(compactBytes, second)
    this.enterContainer(size, first, second)
  }

  private size(): number {
    const size = this.varint()
    if (size > 0x7fffffff) throw new ThriftSyntaxError(`a size is ${size}`)
    return size
  }

  private varint(): number {
    let value = 0
    for (let read = 0; read < varintBytesMax; read++) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** (7 * read)
      if (byte < 0x80) return value
    }
    throw new ThriftSyntaxError(`a number takes more than ${varintBytesMax} bytes`)
  }
}

function widthOf(widths: Readonly<Record<number, number>>, type: number): number {
  const width = widths[type]
  if (width === undefined) throw new ThriftSyntaxError(`there is no type ${type}`)
  return width
}
