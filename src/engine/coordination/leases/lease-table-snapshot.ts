/**
 * The image of a lease table:
 *
 *     image = version:u8 count:u32le entry*count     entry = id:i64le ttlSeconds:u64le     ids ascending
 *
 * Worked example, one lease 0x2a with a TTL of 60 s:
 *
 *     01  01 00 00 00  2a 00 00 00 00 00 00 00  3c 00 00 00 00 00 00 00
 */
import { concatBytes } from '../../../base/index.ts'
import { RestoreError, type StateRestorer, type StateSnapshot } from '../../replication/index.ts'
import { leaseTtlSecondsMax } from './limits.ts'

const formatVersion = 1
const headBytes = 5
const entryBytes = 16

/** Copies ids and TTLs when it is made (16 bytes a lease), encodes them chunk by chunk. */
export class LeaseTableSnapshot implements StateSnapshot {
  private readonly ids: BigInt64Array
  private readonly ttls: Float64Array
  private nextEntry = 0
  private headSent = false

  constructor(count: number, ids: Iterable<bigint>, ttlSeconds: (id: bigint) => number) {
    this.ids = new BigInt64Array(count)
    let at = 0
    for (const id of ids) this.ids[at++] = id
    this.ids.sort()
    this.ttls = new Float64Array(count)
    for (let i = 0; i < count; i++) this.ttls[i] = ttlSeconds(this.ids[i] as bigint)
  }

  next(chunkBytes: number): Uint8Array | undefined {
    const { ids } = this
    if (this.headSent && this.nextEntry === ids.length) return undefined
    const entries = Math.min(ids.length - this.nextEntry, Math.max(1, Math.floor(chunkBytes / entryBytes)))
    const head = this.headSent ? 0 : headBytes
    const chunk = Buffer.allocUnsafe(head + entries * entryBytes)
    if (!this.headSent) {
      chunk.writeUInt8(formatVersion, 0)
      chunk.writeUInt32LE(ids.length, 1)
      this.headSent = true
    }
    let offset = head
    for (const stop = this.nextEntry + entries; this.nextEntry < stop; this.nextEntry++) {
      offset = chunk.writeBigInt64LE(ids[this.nextEntry] as bigint, offset)
      offset = chunk.writeBigUInt64LE(BigInt(this.ttls[this.nextEntry] as number), offset)
    }
    return chunk
  }

  close(): void {}
}

/** Reads an image. Gives the leases to `install` once all of them are there and make sense. */
export class LeaseTableRestorer implements StateRestorer {
  private readonly install: (entries: readonly (readonly [bigint, number])[]) => void
  private readonly entries: (readonly [bigint, number])[] = []
  private rest: Uint8Array = new Uint8Array(0)
  private expected: number | undefined = undefined

  constructor(install: (entries: readonly (readonly [bigint, number])[]) => void) {
    this.install = install
  }

  write(chunk: Uint8Array): void {
    const bytes = Buffer.from(this.rest.length === 0 ? chunk : concatBytes([this.rest, chunk]))
    let offset = 0
    if (this.expected === undefined && bytes.length >= headBytes) {
      if (bytes.readUInt8(0) !== formatVersion) throw new RestoreError('lease table: unknown format version')
      this.expected = bytes.readUInt32LE(1)
      offset = headBytes
    }
    if (this.expected !== undefined) {
      for (; bytes.length - offset >= entryBytes; offset += entryBytes) {
        this.add(bytes.readBigInt64LE(offset), bytes.readBigUInt64LE(offset + 8))
      }
    }
    this.rest = bytes.subarray(offset)
  }

  finish(): void {
    if (this.expected !== this.entries.length || this.rest.length > 0) throw new RestoreError('lease table: cut short')
    this.install(this.entries)
  }

  private add(id: bigint, ttlSeconds: bigint): void {
    const last = this.entries.at(-1)
    if (last !== undefined && last[0] >= id) throw new RestoreError('lease table: ids out of order')
    if (ttlSeconds > BigInt(leaseTtlSecondsMax)) throw new RestoreError('lease table: a TTL is out of range')
    if (this.entries.length === this.expected) throw new RestoreError('lease table: more leases than announced')
    this.entries.push([id, Number(ttlSeconds)])
  }
}
