import type { WireReader, WireWriter } from '../consensus/index.ts'
import type { Entry, EntryKind } from '../replicated-log.ts'

/**
 * A log entry within a sequence that knows its first index.
 *
 *   entry = kind:u8 term:u53 length:u32 payload
 *   kind  = 0 noop, 1 command, 2 configuration
 */
const kinds = ['noop', 'command', 'configuration'] as const satisfies readonly EntryKind[]
const kindCodes = { noop: 0, command: 1, configuration: 2 } as const satisfies Record<EntryKind, number>
const entryHeaderBytes = 13

export function entrySize(entry: Entry): number {
  return entryHeaderBytes + entry.payload.length
}

export function writeEntry(writer: WireWriter, entry: Entry): void {
  writer.u8(kindCodes[entry.kind])
  writer.u53(entry.term)
  writer.u32(entry.payload.length)
  writer.bytes(entry.payload)
}

/** Reads `count:u32 entry*`. Payloads are views of the source. */
export function readEntries(reader: WireReader, prevLogIndex: number): Entry[] {
  const count = reader.u32()
  const entries: Entry[] = []
  const fits = count * entryHeaderBytes <= reader.remaining && Number.isSafeInteger(prevLogIndex + count)
  if (!fits) reader.failed = true
  for (let i = 1; i <= count && !reader.failed; i++) {
    const kind = kinds[reader.u8()]
    const term = reader.u53()
    const payload = reader.view(reader.u32())
    if (kind === undefined || payload === undefined) reader.failed = true
    else entries.push({ index: prevLogIndex + i, term, kind, payload })
  }
  return entries
}
