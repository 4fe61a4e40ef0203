/**
 * The bits of an id, from the highest: a sign that is 0, then
 *
 *     milliseconds since 2025-01-01T00:00Z : 41   slot : 10   sequence : 12
 *
 * so that ids order by time, and are positive in a signed 64-bit column.
 */
import { assert } from '../../base/index.ts'
import { SynodError } from '../errors.ts'

/** 2025-01-01T00:00:00Z. */
export const epochMs = 1_735_689_600_000
/** Ids can tell times up to September 2094. */
export const idTimeMsMax = epochMs + 2 ** 41 - 1
export const slotCount = 2 ** 10
export const sequenceMax = 2 ** 12 - 1

/** Throws `NOT_SUPPORTED` for a moment that ids cannot tell. */
export function refuseTimeBeyond(timeMs: number): void {
  if (timeMs > idTimeMsMax)
    throw new SynodError(
      'NOT_SUPPORTED',
      'ids have no bits for times after September 2094: set this clock right, or look at the floor and the reserved times',
    )
}

export function idOf(timeMs: number, slot: number, sequence: number): bigint {
  assert(timeMs >= epochMs && timeMs <= idTimeMsMax, 'the time fits its bits')
  assert(slot >= 0 && slot < slotCount, 'the slot fits its bits')
  assert(sequence >= 0 && sequence <= sequenceMax, 'the sequence fits its bits')
  return (BigInt(timeMs - epochMs) << 22n) | BigInt(slot * (sequenceMax + 1) + sequence)
}

/** Crockford's digits, in lower case: without i, l, o and u. */
const digits = '0123456789abcdefghjkmnpqrstvwxyz'

/** Thirteen digits that order as the ids do. */
export function idText(id: bigint): string {
  let text = ''
  for (let shift = 60n; shift >= 0n; shift -= 5n) text += digits[Number((id >> shift) & 31n)]
  return text
}
