import { emptyBytes } from '../../base/index.ts'
import type { Entry, EntryKind } from '../../core/index.ts'
import { corrupt } from './errors.ts'
import { getUint53, setUint53 } from './layout.ts'

/**
 * Records fill a frame without padding:
 *
 * ```
 *   0  u8   type: 1 append, 2 slot, 3 restart
 *   1  u8   entry kind: 1 noop, 2 command, 3 configuration; 0 in a restart
 *   2  u16  0
 *   4  u32  payload length; 0 in a restart
 *   8  u32  group
 *  12  u64  term; 0 in a restart
 *  20  u64  index
 *  28  payload
 * ```
 *
 * - `append` replaces the entry at `index` and every later one of its group.
 * - `slot` replaces the entry at `index` only.
 * - `restart` removes all entries of its group; the next `append` is at `index` + 1.
 */
export const recordHeaderBytes = 28

export const recordType = { append: 1, slot: 2, restart: 3 } as const
export type RecordType = (typeof recordType)[keyof typeof recordType]

const kinds: readonly (EntryKind | undefined)[] = [undefined, 'noop', 'command', 'configuration']
const kindCodes: Readonly<Record<EntryKind, number>> = { noop: 1, command: 2, configuration: 3 }

/** Writes an entry at `offset`, where there must be room, and returns the offset after it. */
export function encodeEntry(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  type: RecordType,
  group: number,
  entry: Entry,
): number {
  const payload = entry.payload
  view.setUint32(offset, type | (kindCodes[entry.kind] << 8), true)
  view.setUint32(offset + 4, payload.length, true)
  view.setUint32(offset + 8, group, true)
  setUint53(view, offset + 12, entry.term)
  setUint53(view, offset + 20, entry.index)
  bytes.set(payload, offset + recordHeaderBytes)
  return offset + recordHeaderBytes + payload.length
}

export function encodeRestart(view: DataView, offset: number, group: number, index: number): number {
  view.setUint32(offset, recordType.restart, true)
  view.setUint32(offset + 4, 0, true)
  view.setUint32(offset + 8, group, true)
  setUint53(view, offset + 12, 0)
  setUint53(view, offset + 20, index)
  return offset + recordHeaderBytes
}

/** Receives decoded records in order. Payloads are views of the bytes decoded from. */
export interface RecordSink {
  /** An entry is next. False spares making it: the sink has taken note and needs no more of it. */
  wants(type: RecordType, group: number, index: number, term: number): boolean
  entry(type: RecordType, group: number, entry: Entry): void
  restart(group: number, index: number): void
}

/**
 * Decodes the `count` records that fill `bytes` from `start` to `end`. Their CRC was right, so what does not decode was
 * written wrongly: `CORRUPT`, with `place` to name it.
 */
export function decodeRecords(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  count: number,
  sink: RecordSink,
  place: () => string,
): void {
  let offset = start
  for (let i = 0; i < count; i++) {
    if (offset + recordHeaderBytes > end) throw corrupt(`A record runs past the end of the ${place()}`)
    const head = view.getUint32(offset, true)
    const length = view.getUint32(offset + 4, true)
    const group = view.getUint32(offset + 8, true)
    const term = getUint53(view, offset + 12)
    const index = getUint53(view, offset + 20)
    const payloadStart = offset + recordHeaderBytes
    offset = payloadStart + length
    if (offset > end) throw corrupt(`A record runs past the end of the ${place()}`)
    if (!(term >= 0 && index >= 1)) throw corrupt(`A record has an impossible term or index in the ${place()}`)
    const type = head & 0xff
    if (head === recordType.restart) {
      sink.restart(group, index)
      continue
    }
    const kind = kinds[head >>> 8]
    if (kind === undefined || (type !== recordType.append && type !== recordType.slot)) {
      throw corrupt(`A record has an unknown type (${head}) in the ${place()}`)
    }
    if (!sink.wants(type, group, index, term)) continue
    const payload =
      length === 0 ? emptyBytes : new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset + payloadStart, length)
    sink.entry(type, group, { index, term, kind, payload })
  }
  if (offset !== end) throw corrupt(`Bytes are left over after the last record of the ${place()}`)
}
