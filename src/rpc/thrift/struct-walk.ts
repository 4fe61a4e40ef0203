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
  const walk = protocol === 'binary' ? new BinaryWalk(bytes, start) : new CompactWalk(bytes, start)
  try {
    walk.struct(1)
    return walk.at
  } catch (error) {
    if (error === underrun) return incomplete
    throw error
  }
}

/** Thrown instead of an error, which would cost a stack trace at every piece of a message. */
const underrun = Symbol('underrun')

abstract class Walk {
  at: number
  protected readonly bytes: Uint8Array

  constructor(bytes: Uint8Array, start: number) {
    this.bytes = bytes
    this.at = start
  }

  abstract struct(depth: number): void

  protected byte(): number {
    if (this.at >= this.bytes.length) throw underrun
    return this.bytes[this.at++]!
  }

  protected pass(byteLength: number): void {
    if (this.at + byteLength > this.bytes.length) throw underrun
    this.at += byteLength
  }

  /** Every element takes a byte at least, so a size is never more than what can follow. */
  protected checkDepth(depth: number): void {
    if (depth > depthMax) throw new ThriftSyntaxError(`structs and containers are nested deeper than ${depthMax}`)
  }
}

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

class BinaryWalk extends Walk {
  struct(depth: number): void {
    this.checkDepth(depth)
    for (;;) {
      const type = this.byte()
      if (type === 0) return
      this.pass(2)
      this.value(type, depth)
    }
  }

  private value(type: number, depth: number): void {
    const width = widthOf(binaryBytes, type)
    if (width > 0) return this.pass(width)
    if (type === 11) return this.pass(this.size())
    if (type === 12) return this.struct(depth + 1)
    this.checkDepth(depth + 1)
    const first = this.byte()
    const second = type === 13 ? this.byte() : undefined
    const size = this.size()
    if (size > 0) this.elements(first, second, size, depth + 1)
  }

  private elements(first: number, second: number | undefined, size: number, depth: number): void {
    const width = widthOf(binaryBytes, first) + (second === undefined ? 0 : widthOf(binaryBytes, second))
    const isFixed = widthOf(binaryBytes, first) > 0 && (second === undefined || widthOf(binaryBytes, second) > 0)
    if (isFixed) return this.pass(size * width)
    for (let left = size; left > 0; left--) {
      this.value(first, depth)
      if (second !== undefined) this.value(second, depth)
    }
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

class CompactWalk extends Walk {
  struct(depth: number): void {
    this.checkDepth(depth)
    for (;;) {
      const head = this.byte()
      if (head === 0) return
      const type = head & 0x0f
      if (head >> 4 === 0) this.varint()
      if (type !== 1 && type !== 2) this.value(type, depth)
    }
  }

  private value(type: number, depth: number): void {
    const width = widthOf(compactBytes, type)
    if (width > 0) return this.pass(width)
    if (width < 0) {
      this.varint()
      return
    }
    if (type === 8) return this.pass(this.size())
    if (type === 12) return this.struct(depth + 1)
    this.checkDepth(depth + 1)
    if (type === 11) this.map(depth + 1)
    else this.list(depth + 1)
  }

  private list(depth: number): void {
    const head = this.byte()
    const size = head >> 4 === 15 ? this.size() : head >> 4
    const type = head & 0x0f
    if (size === 0) return
    const width = widthOf(compactBytes, type)
    if (width > 0) return this.pass(size * width)
    for (let left = size; left > 0; left--) this.value(type, depth)
  }

  private map(depth: number): void {
    const size = this.size()
    if (size === 0) return
    const types = this.byte()
    for (let left = size; left > 0; left--) {
      this.value(types >> 4, depth)
      this.value(types & 0x0f, depth)
    }
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
