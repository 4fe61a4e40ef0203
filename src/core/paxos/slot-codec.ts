import type { WireReader, WireWriter } from '../consensus/index.ts'
import type { Entry, EntryKind } from '../replicated-log.ts'
import type { Slot } from './slot-log.ts'

/**
 * Values and accepted slots in messages.
 *
 *   value = kind:u8 term:u53 length:u32 payload      within a run that knows its first slot
 *   slot  = index:u53 ballot:u53 value
 *   kind  = 0 noop, 1 command, 2 configuration
 */
const kinds = ['noop', 'command', 'configuration'] as const satisfies readonly EntryKind[]
const kindCodes = { noop: 0, command: 1, configuration: 2 } as const satisfies Record<EntryKind, number>
const valueHeaderBytes = 13
const slotHeaderBytes = 16

export function valueSize(entry: Entry): number {
  return valueHeaderBytes + entry.payload.length
}

export function slotSize(slot: Slot): number {
  return slotHeaderBytes + valueSize(slot.value)
}

export function writeValue(writer: WireWriter, entry: Entry): void {
  writer.u8(kindCodes[entry.kind])
  writer.u53(entry.term)
  writer.u32(entry.payload.length)
  writer.bytes(entry.payload)
}

export function writeSlot(writer: WireWriter, { ballot, value }: Slot): void {
  writer.u53(value.index)
  writer.u53(ballot)
  writeValue(writer, value)
}

/** Reads `count:u32 value*`. Payloads are views of the source. */
export function readValues(reader: WireReader, firstSlot: number): Entry[] {
  const entries: Entry[] = []
  const count = readCount(reader, valueHeaderBytes)
  if (!Number.isSafeInteger(firstSlot + count)) reader.failed = true
  for (let i = 0; i < count && !reader.failed; i++) {
    const entry = readValue(reader, firstSlot + i)
    if (entry !== undefined) entries.push(entry)
  }
  return entries
}

/** Reads `count:u32 slot*`. Payloads are views of the source. */
export function readSlots(reader: WireReader): Slot[] {
  const slots: Slot[] = []
  const count = readCount(reader, slotHeaderBytes + valueHeaderBytes)
  for (let i = 0; i < count && !reader.failed; i++) {
    const index = reader.u53()
    const ballot = reader.u53()
    const value = readValue(reader, index)
    if (value !== undefined) slots.push({ ballot, value })
  }
  return slots
}

/** A count of things of at least `bytesMin` each, which must fit what is left. */
function readCount(reader: WireReader, bytesMin: number): number {
  const count = reader.u32()
  if (count * bytesMin > reader.remaining) reader.failed = true
  return count
}

function readValue(reader: WireReader, index: number): Entry | undefined {
  const kind = kinds[reader.u8()]
  const term = reader.u53()
  const payload = reader.view(reader.u32())
  if (kind === undefined || payload === undefined) {
    reader.failed = true
    return undefined
  }
  return { index, term, kind, payload }
}
