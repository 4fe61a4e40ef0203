/**
 * Reads and writes one record as etcd's `mvccpb.KeyValue`, in place, without allocating.
 *
 * ```
 * KeyValue  = [0x0a len key] [0x10 createRevision] [0x18 modRevision] [0x20 version] [0x2a len value] [0x30 lease]
 * tombstone = [0x0a len key] [0x18 modRevision]
 * ```
 *
 * Numbers are base-128 varints; the lease is an int64, so a negative one takes ten bytes. Fields stand in this order;
 * zero and empty ones are left out.
 *
 * Worked example: key "foo", created at 2, modified at 300, version 2, value "bar", no lease:
 * `0a 03 66 6f 6f  10 02  18 ac 02  20 02  2a 03 62 61 72`.
 */

const tagKey = 0x0a
const tagCreateRevision = 0x10
const tagModRevision = 0x18
const tagVersion = 0x20
const tagValue = 0x2a
const tagLease = 0x30

/** From this length on, copying a key by a native call beats a loop. */
const keyLoopLengthMax = 48

export function varintLength(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  if (value < 0x1000_0000) return 4
  let length = 4
  for (let rest = Math.floor(value / 0x1000_0000); rest > 0; rest = Math.floor(rest / 0x80)) length++
  return length
}

/** Writes `value` (at most 2^53 - 1) and returns the offset after it. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let offset = at
  let rest = value
  while (rest >= 0x8000_0000) {
    target[offset++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  while (rest >= 0x80) {
    target[offset++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  target[offset++] = rest
  return offset
}

/** The bytes a lease's field takes: none for no lease. */
export function leaseFieldLength(lease: bigint): number {
  if (lease === 0n) return 0
  let length = 1
  for (let rest = BigInt.asUintN(64, lease); rest > 0n; rest >>= 7n) length++
  return length
}

function writeLeaseField(target: Uint8Array, at: number, lease: bigint): number {
  let offset = at
  target[offset++] = tagLease
  let rest = BigInt.asUintN(64, lease)
  while (rest >= 0x80n) {
    target[offset++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  target[offset++] = Number(rest)
  return offset
}

function keyFieldLength(keyLength: number): number {
  return keyLength === 0 ? 0 : 1 + varintLength(keyLength) + keyLength
}

function writeKeyField(target: Buffer, at: number, key: string): number {
  if (key.length === 0) return at
  target[at] = tagKey
  const offset = writeVarint(target, at + 1, key.length)
  if (key.length > keyLoopLengthMax) return offset + target.latin1Write(key, offset, key.length)
  for (let i = 0; i < key.length; i++) target[offset + i] = key.charCodeAt(i)
  return offset + key.length
}

/** True when the record encoded at `at` is of `key`. */
export function hasKey(bytes: Uint8Array, at: number, key: string): boolean {
  const start = keyStartAt(bytes, at)
  const length = key.length
  if (keyLengthAt(bytes, at) !== length) return false
  for (let i = 0; i < length; i++) if (bytes[start + i] !== key.charCodeAt(i)) return false
  return true
}

/** Orders the key of the record encoded at `at` against `key`: negative, zero or positive. */
export function compareKey(bytes: Uint8Array, at: number, key: string): number {
  const start = keyStartAt(bytes, at)
  const length = keyLengthAt(bytes, at)
  const common = Math.min(length, key.length)
  for (let i = 0; i < common; i++) {
    const difference = bytes[start + i]! - key.charCodeAt(i)
    if (difference !== 0) return difference
  }
  return length - key.length
}

/** The key of the record encoded at `at`. A flat string that keeps nothing else alive. */
export function keyAt(bytes: Buffer, at: number): string {
  const start = keyStartAt(bytes, at)
  return bytes.latin1Slice(start, start + keyLengthAt(bytes, at))
}

function keyStartAt(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== tagKey) return at
  let offset = at + 1
  while (bytes[offset]! >= 0x80) offset++
  return offset + 1
}

function keyLengthAt(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== tagKey) return 0
  let length = 0
  let scale = 1
  for (let offset = at + 1; ; offset++) {
    const byte = bytes[offset]!
    length += (byte & 0x7f) * scale
    if (byte < 0x80) return length
    scale *= 0x80
  }
}

export function tombstoneLength(key: string, modRevision: number): number {
  return keyFieldLength(key.length) + 1 + varintLength(modRevision)
}

export function writeTombstone(target: Buffer, at: number, key: string, modRevision: number): number {
  const offset = writeKeyField(target, at, key)
  target[offset] = tagModRevision
  return writeVarint(target, offset + 1, modRevision)
}

export function putLength(
  key: string,
  createRevision: number,
  modRevision: number,
  version: number,
  value: Uint8Array,
  lease: bigint,
): number {
  const valueField = value.length === 0 ? 0 : 1 + varintLength(value.length) + value.length
  const numbers = 3 + varintLength(createRevision) + varintLength(modRevision) + varintLength(version)
  return keyFieldLength(key.length) + numbers + valueField + leaseFieldLength(lease)
}

export function writePut(
  target: Buffer,
  at: number,
  key: string,
  createRevision: number,
  modRevision: number,
  version: number,
  value: Uint8Array,
  lease: bigint,
): number {
  let offset = writeKeyField(target, at, key)
  target[offset] = tagCreateRevision
  offset = writeVarint(target, offset + 1, createRevision)
  target[offset] = tagModRevision
  offset = writeVarint(target, offset + 1, modRevision)
  target[offset] = tagVersion
  offset = writeVarint(target, offset + 1, version)
  if (value.length > 0) {
    target[offset] = tagValue
    offset = writeVarint(target, offset + 1, value.length)
    target.set(value, offset)
    offset += value.length
  }
  return lease === 0n ? offset : writeLeaseField(target, offset, lease)
}

/** Finds the fields of one encoded record. One reader serves many records, one after another. */
export class RecordReader {
  keyStart = 0
  keyEnd = 0
  createRevision = 0
  modRevision = 0
  version = 0
  /** Where field 5 begins with its tag; equal to `valueEnd` when there is none. */
  valueFieldStart = 0
  valueStart = 0
  valueEnd = 0
  /** Where the lease's varint begins, or -1. */
  private leaseStart = -1
  private offset = 0
  private end = 0
  private bytes: Uint8Array = Buffer.alloc(0)

  /** Reads the fields between `start` and `end`. False when those bytes are no record: the fields then mean nothing. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes
    this.offset = start
    this.end = end
    this.keyStart = this.keyEnd = start
    if (this.takes(tagKey)) {
      const length = this.varint()
      this.keyStart = this.offset
      this.keyEnd = this.offset += length
    }
    this.createRevision = this.takes(tagCreateRevision) ? this.varint() : 0
    this.modRevision = this.takes(tagModRevision) ? this.varint() : 0
    this.version = this.takes(tagVersion) ? this.varint() : 0
    this.valueFieldStart = this.offset
    if (this.takes(tagValue)) {
      const length = this.varint()
      this.valueStart = this.offset
      this.valueEnd = this.offset += length
    } else {
      this.valueStart = this.valueEnd = this.offset
    }
    this.leaseStart = -1
    if (this.takes(tagLease)) {
      this.leaseStart = this.offset
      this.skipLease()
    }
    return this.offset === end
  }

  /** The record's lease, signed; 0n for none. */
  lease(): bigint {
    if (this.leaseStart < 0) return 0n
    let value = 0n
    let shift = 0n
    for (let at = this.leaseStart; ; at++) {
      const byte = this.bytes[at]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, value)
      shift += 7n
    }
  }

  private takes(tag: number): boolean {
    if (this.offset >= this.end || this.bytes[this.offset] !== tag) return false
    this.offset++
    return true
  }

  private skipLease(): void {
    const limit = Math.min(this.end, this.offset + 10)
    while (this.offset < limit) if (this.bytes[this.offset++]! < 0x80) return
    this.offset = Number.NaN
  }

  /** Reads a varint of at most 2^53 - 1. A longer or cut one makes `offset` NaN, so that `read` fails. */
  private varint(): number {
    const bytes = this.bytes
    let value = 0
    let scale = 1
    for (let i = 0; i < 8 && this.offset < this.end; i++) {
      const byte = bytes[this.offset++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 0x80
    }
    this.offset = Number.NaN
    return 0
  }
}
