import { asBuffer } from '../../base/index.ts'
import { u53Bytes, WireReader, WireWriter } from '../consensus/index.ts'
import type { Entry } from '../replicated-log.ts'
import type { Slot } from './slot-log.ts'

/**
 * An accepted slot as an entry of a persist effect, for a write-ahead log in which a later record of an index replaces the
 * earlier one.
 *
 *   record   index = slot, term = the ballot of the acceptance, kind = the value's
 *   payload  valueTerm:u53 chosenAfter:u53 chosenThrough:u53 value
 *
 * The last two numbers are a claim about the log itself: the records of every slot above `chosenAfter` up to
 * `chosenThrough`, all written before this one, hold chosen values. `chosenAfter` is the snapshot that this node last took
 * from a leader: what it held below that was never known to be chosen. A restart goes by the furthest claim that its snapshot
 * reaches; without claims a whole log would have to be prepared and accepted anew after every restart, and a member of a
 * new configuration could forget that it is one (M5 in `reconfiguration.ts`).
 *
 * Worked example: slots 1..3 are accepted in ballot 4 while nothing is known chosen (claims 0..0), then 4 when 1..3 are known
 * (claim 0..3). A snapshot of slot 9 arrives; slot 10 is written with the claim 9..9. A restart from snapshot 9 finds the claim
 * 9..9: it knows 9 chosen, and has accepted 10; slots 1..4 are of no use to it.
 */
const headBytes = 3 * u53Bytes

/** The chosen part of the log on disk: see above. */
export interface ChosenClaim {
  readonly chosenAfter: number
  readonly chosenThrough: number
}

export interface SlotRecord {
  readonly slot: Slot
  readonly claim: ChosenClaim
}

/**
 * The records of one persist effect, by rising slot; their payloads share one buffer. `claim` is what is known chosen by now:
 * each record claims as much of it as is written before it, since a crash may keep any first part of them.
 */
export function encodeRecords(slots: readonly Slot[], claim: ChosenClaim): Entry[] {
  let size = 0
  for (const { value } of slots) size += headBytes + value.payload.length
  const target = Buffer.allocUnsafeSlow(size)
  const writer = new WireWriter(target, 0)
  const rising = slots.toSorted((a, b) => a.value.index - b.value.index)
  return rising.map(({ ballot, value }) => {
    const start = writer.offset
    writer.u53(value.term)
    writer.u53(claim.chosenAfter)
    writer.u53(Math.min(claim.chosenThrough, value.index - 1))
    writer.bytes(value.payload)
    return { index: value.index, term: ballot, kind: value.kind, payload: target.subarray(start, writer.offset) }
  })
}

/** The inverse; undefined for what was never written by {@link encodeRecords}. */
export function decodeRecord(record: Entry): SlotRecord | undefined {
  const { index, kind, payload } = record
  const reader = new WireReader(asBuffer(payload), 0, payload.length)
  const term = reader.u53()
  const chosenAfter = reader.u53()
  const chosenThrough = reader.u53()
  const value = reader.view(reader.remaining)
  if (reader.failed || value === undefined) return undefined
  if (term < 1 || term > record.term || chosenAfter > chosenThrough) return undefined
  return {
    slot: { ballot: record.term, value: { index, term, kind, payload: value } },
    claim: { chosenAfter, chosenThrough },
  }
}
