/**
 * The journal of a {@link RecordingDisk}, in memory or as bytes.
 *
 * Grammar of the bytes: "SYNODJRN" version:u32 record*, record = headerLength:u32 dataLength:u32 header:JSON data.
 * Integers are big-endian. `data` is a write's or an adopted file's bytes; bytes that are all zero are left out and
 * counted in the header's `zeros`. A process killed amid an append leaves a cut record at the end: it is ignored.
 * Several runs of one process may append to one file; each begins with a `run` record.
 */
import { asBuffer, utf8Bytes } from '../../base/index.ts'

/** One thing a disk did. `file` and `change` are numbers that are unique within a run. */
export type JournalEvent =
  /** A process began to record. Numbers start anew, files are open no more; what was unsynced stays unsynced. */
  | { readonly op: 'run' }
  /** A file that was there before the recording. */
  | { readonly op: 'adopt-file'; readonly path: string; readonly bytes: Uint8Array }
  | { readonly op: 'adopt-directory'; readonly path: string }
  | { readonly op: 'open'; readonly path: string; readonly file: number; readonly created: boolean }
  /** A write was asked for: from here on a power loss may leave some of it. */
  | {
      readonly op: 'write'
      readonly file: number
      readonly change: number
      readonly position: number
      readonly bytes: Uint8Array
    }
  | { readonly op: 'truncate'; readonly file: number; readonly change: number; readonly sizeBytes: number }
  /** A sync ended well. It covers the changes that were complete when it began (and, of a durable write, its own). */
  | { readonly op: 'sync'; readonly file: number; readonly changes: readonly number[] }
  | { readonly op: 'make-directory'; readonly path: string }
  | { readonly op: 'rename'; readonly path: string; readonly to: string }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'sync-directory'; readonly path: string }
  /** Something the test wants to find again. */
  | { readonly op: 'mark'; readonly label: string }

/** An event and when it was recorded, on the clock given to the recorder. */
export interface JournalRecord {
  readonly atMs: number
  readonly event: JournalEvent
}

/** Takes records in order. Must have kept the record when it returns. */
export type JournalSink = (record: JournalRecord) => void

const magic = utf8Bytes('SYNODJRN')
const formatVersion = 1
const prefixBytes = magic.length + 4

/** What a journal file begins with. */
export function encodeJournalHeader(): Uint8Array {
  const header = Buffer.alloc(prefixBytes)
  header.set(magic)
  header.writeUInt32BE(formatVersion, magic.length)
  return header
}

export function encodeJournalRecord(record: JournalRecord): Uint8Array {
  const { bytes, ...rest } = record.event as { bytes?: Uint8Array }
  const zeros = bytes !== undefined && isZero(bytes)
  const header = utf8Bytes(JSON.stringify({ atMs: record.atMs, ...rest, ...(zeros ? { zeros: bytes.length } : {}) }))
  const data = bytes === undefined || zeros ? Buffer.alloc(0) : bytes
  const encoded = Buffer.alloc(8 + header.length + data.length)
  encoded.writeUInt32BE(header.length, 0)
  encoded.writeUInt32BE(data.length, 4)
  encoded.set(header, 8)
  encoded.set(data, 8 + header.length)
  return encoded
}

/** The records of a journal file, and where they end. Throws when it is not one, or of a newer format. */
export function decodeJournal(bytes: Uint8Array): { records: JournalRecord[]; endBytes: number } {
  const buffer = asBuffer(bytes)
  if (buffer.length < prefixBytes || buffer.compare(magic, 0, magic.length, 0, magic.length) !== 0) {
    throw new Error('not a journal of a recording disk: it does not begin with SYNODJRN')
  }
  const version = buffer.readUInt32BE(magic.length)
  if (version !== formatVersion)
    throw new Error(`journal format ${version} is unknown; this version reads ${formatVersion}`)
  const records: JournalRecord[] = []
  let at = prefixBytes
  while (at + 8 <= buffer.length) {
    const dataAt = at + 8 + buffer.readUInt32BE(at)
    const end = dataAt + buffer.readUInt32BE(at + 4)
    if (end > buffer.length) break
    const { atMs, zeros, ...event } = JSON.parse(buffer.toString('utf8', at + 8, dataAt))
    if (event.op === 'write' || event.op === 'adopt-file') {
      event.bytes = zeros === undefined ? buffer.subarray(dataAt, end) : Buffer.alloc(zeros)
    }
    records.push({ atMs, event })
    at = end
  }
  return { records, endBytes: at }
}

/** The moment, for `rebuildAt`, of a power loss at `atMs`: how many records had been made by then. */
export function momentAt(journal: readonly JournalRecord[], atMs: number): number {
  const later = journal.findIndex((record) => record.atMs > atMs)
  return later === -1 ? journal.length : later
}

function isZero(bytes: Uint8Array): boolean {
  // Comparing an array with itself moved by one byte finds the first difference natively.
  return (
    bytes.length > 0 && bytes[0] === 0 && asBuffer(bytes).compare(bytes, 1, bytes.length, 0, bytes.length - 1) === 0
  )
}
