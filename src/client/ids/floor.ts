/** Below which moment a plane's generators make no ids: written when ids move here from another engine. */
import { binaryString, utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, prefixEnd, roomKey, roomPrefix } from '../context.ts'
import type { Entry, Key } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { listPages } from '../watching/index.ts'
import { epochMs } from './id-layout.ts'

export function idsFloorKey(context: Pick<PlaneContext, 'namespace'>): Key {
  return roomKey(context, 'floors', 'ids')
}

/** A moment as it is stored: decimal milliseconds since the Unix epoch. */
export function encodeTime(timeMs: number): Uint8Array {
  return utf8Bytes(String(timeMs))
}

/** No key: before any id. Throws `CORRUPT`. */
export function decodeTime(entry: Entry | undefined): number {
  if (entry === undefined) return epochMs - 1
  const timeMs = Number(binaryString(entry.value))
  if (Number.isSafeInteger(timeMs) && timeMs >= 0) return timeMs
  throw new SynodError(
    'CORRUPT',
    'a reserved time of the id generators was overwritten; leave synod/ids/ and synod/floors/ alone',
  )
}

/** The floor in milliseconds since the Unix epoch. */
export async function idsFloor(context: PlaneContext): Promise<number> {
  return decodeTime((await context.driver.get(idsFloorKey(context))).entry)
}

/** Of a generator's slot: the key that its owner holds, and the one that outlives it. */
export function slotKeys(context: PlaneContext, name: string, slot: number): { held: Key; reserved: Key } {
  const digits = String(slot).padStart(4, '0')
  return {
    held: roomKey(context, 'ids', name, 'slots', digits),
    reserved: roomKey(context, 'ids', name, 'reserved', digits),
  }
}

/** Up to when the generators of this plane may have made ids: all slots that ever were, of all names. */
export async function reservedTimes(context: PlaneContext): Promise<readonly number[]> {
  const prefix = roomPrefix(context, 'ids')
  const times: number[] = []
  for await (const page of listPages(context.driver, { start: prefix, end: prefixEnd(prefix) }))
    for (const entry of page.entries)
      if (/^[^/]*\/reserved\/\d{4}$/.test(entry.key.slice(prefix.length))) times.push(decodeTime(entry))
  return times
}

/** The floor of a plane whose ids shall come after all that this one can have made. */
export async function maxIdsFloor(context: PlaneContext): Promise<number> {
  return (await reservedTimes(context)).reduce((latest, timeMs) => Math.max(latest, timeMs), await idsFloor(context))
}
