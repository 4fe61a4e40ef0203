import { FrameReader } from './frame-reader.ts'
import { hashSeedDefault, MemoryStore } from './memory-store.ts'
import { SnapshotError } from './snapshot-error.ts'
import { countsPayloadBytes, frameEnd, frameHeader, frameRecords } from './snapshot-format.ts'
import type { MvccStore, StoreLoader } from './store.ts'
import { StoreState } from './store-state.ts'

/**
 * Builds a {@link MemoryStore} from an image. Everything in it is checked as it arrives; a fault throws a
 * {@link SnapshotError} from `write` or `finish`, and the loader then refuses all that follows.
 *
 * - I1  Records come in strictly rising (main, sub) order, and lie at or below the image's revision.
 * - I2  All records are kept under the image's compacted revision, so nothing is left to reclaim but, later,
 *       tombstones made at that very revision.
 *
 * Worked example: see `snapshot-format.ts`.
 */
export class MemoryStoreLoader implements StoreLoader {
  private readonly state: StoreState
  private readonly frames = new FrameReader((kind, payload) => this.take(kind, payload))
  /** What comes next. 'nothing' after the end frame, and after a fault. */
  private expected: 'header' | 'records' | 'nothing' = 'header'
  private complete = false
  private records = 0
  private lastMain = 0
  private lastSub = 0

  /** `hashSeed` as for {@link MemoryStore}. */
  constructor(hashSeed = hashSeedDefault) {
    this.state = new StoreState(hashSeed)
  }

  write(chunk: Uint8Array): void {
    try {
      this.frames.write(chunk)
    } catch (error) {
      this.expected = 'nothing'
      this.complete = false
      throw error
    }
  }

  finish(): MvccStore {
    if (!this.complete || !this.frames.atBoundary) throw damaged('it is cut short or has bytes after its end')
    this.complete = false
    return new MemoryStore(hashSeedDefault, this.state)
  }

  private take(kind: number, payload: Buffer): void {
    if (kind === frameHeader && this.expected === 'header') this.takeHeader(payload)
    else if (kind === frameRecords && this.expected === 'records') this.takeRecords(payload)
    else if (kind === frameEnd && this.expected === 'records') this.takeEnd(payload)
    else throw damaged(`a frame of kind ${kind} is out of place`)
  }

  private takeHeader(payload: Buffer): void {
    const { state } = this
    if (payload.length !== countsPayloadBytes) throw damaged('its header has the wrong length')
    state.revision = Number(payload.readBigUInt64LE(0))
    state.compactedRevision = state.reclaimedRevision = Number(payload.readBigUInt64LE(8))
    const isOrdered = state.compactedRevision <= state.revision && state.revision <= Number.MAX_SAFE_INTEGER
    if (!isOrdered || state.revision < 1) throw damaged('its revisions are impossible')
    this.expected = 'records'
  }

  private takeRecords(payload: Buffer): void {
    let offset = 0
    while (offset < payload.length) {
      const lengthEnd = varintEnd(payload, offset)
      const length = readVarint(payload, offset, lengthEnd)
      const subStart = lengthEnd + length
      const subEnd = varintEnd(payload, subStart)
      this.takeRecord(payload, lengthEnd, subStart, subEnd)
      offset = subEnd
    }
  }

  private takeRecord(payload: Buffer, start: number, subStart: number, subEnd: number): void {
    const { state, lastMain } = this
    const { reader, arena } = state
    if (!reader.read(payload, start, subStart)) throw damaged('a record is malformed')
    const main = reader.modRevision
    const tombstone = reader.version === 0
    const sub = readVarint(payload, subStart, subEnd)
    const isNext = main > lastMain || (main === lastMain && sub > this.lastSub)
    if (!isNext || main > state.revision) throw damaged('its records are out of order')
    const key = payload.latin1Slice(reader.keyStart, reader.keyEnd)
    const target = arena.reserve(subEnd - start)
    payload.copy(target, arena.offset, start, subEnd)
    state.append(main, subStart - start, tombstone, state.keys.find(key), key)
    if (main < state.compactedRevision) state.unreclaimedFirst = -1
    this.records++
    this.lastMain = main
    this.lastSub = sub
  }

  private takeEnd(payload: Buffer): void {
    if (payload.length !== countsPayloadBytes) throw damaged('its end has the wrong length')
    if (payload.readBigUInt64LE(0) !== BigInt(this.records)) throw damaged('records are missing')
    if (payload.readBigUInt64LE(8) !== BigInt(this.state.keys.liveCount)) throw damaged('keys are missing')
    this.expected = 'nothing'
    this.complete = true
  }
}

function damaged(problem: string): SnapshotError {
  return new SnapshotError('SNAPSHOT_DAMAGED', problem)
}

/** The offset after the varint at `at`. */
function varintEnd(bytes: Uint8Array, at: number): number {
  for (let offset = at; offset < bytes.length && offset < at + 8; offset++) if (bytes[offset]! < 0x80) return offset + 1
  throw damaged('a record is cut')
}

function readVarint(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let offset = end - 1; offset >= start; offset--) value = value * 0x80 + (bytes[offset]! & 0x7f)
  return value
}
