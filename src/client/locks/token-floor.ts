/**
 * What is added to every fencing token of this engine: 0, unless the data came from another engine by `synod copy`,
 * which sets it to the highest token that the other could have given. Read at or after a grant, never before: then every
 * grant after the copy has a token above all from before.
 */
import { binaryString, utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, roomKey } from '../context.ts'
import type { Entry, Key } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type PersistOptions, persist } from '../turns/index.ts'

/** Where the floor is kept. */
export function tokenFloorKey(context: Pick<PlaneContext, 'namespace'>): Key {
  return roomKey(context, 'floors', 'tokens')
}

/** A token as it is kept: decimal digits. */
export function tokenBytes(token: number): Uint8Array {
  return utf8Bytes(String(token))
}

/** What {@link tokenBytes} wrote. A key that is not there counts as 0. */
export function tokenIn(entry: Entry | undefined): number {
  if (entry === undefined) return 0
  const text = binaryString(entry.value)
  const token = Number(text)
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(token)) return token
  throw new SynodError(
    'CORRUPT',
    `the key ${JSON.stringify(entry.key)} holds ${JSON.stringify(text.slice(0, 40))} in place of a fencing token; something else wrote there`,
  )
}

/**
 * The floor now, read until it is answered. Add a key's createRevision, of a grant that was certain before this was
 * called. Default time: 30 s.
 */
export async function readTokenFloor(
  context: Pick<PlaneContext, 'namespace' | 'driver'>,
  options: PersistOptions = {},
): Promise<number> {
  const { driver } = context
  const { entry } = await persist(driver.outside, options, (call) => driver.get(tokenFloorKey(context), call))
  return tokenIn(entry)
}
