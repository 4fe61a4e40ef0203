/**
 * Lock-delay (Chubby §2.4): when a holder goes without letting go, the lock stays taken for a while, so that what it had
 * on its way arrives before the next one begins. For resources that cannot check fencing tokens.
 *
 * A holder that asks for it leaves a marker that does not hang on its session, and takes it along when it lets go. Who
 * becomes first and finds the marker of another waits for as long as the marker says, on its own clock, from when it
 * noticed: the time the holder has been gone by then is not known, so that it counts for nothing.
 *
 * - I1  The marker is written only by a transaction that is guarded by the writer's place in line, when nobody is ahead.
 *       Who is first and finds another's marker knows that the other is gone.
 */
import { binaryString, utf8Bytes } from '../../base/index.ts'
import type { CallOptions, Driver, Entry, Key, Operation, OperationResult } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { absent, isStill, persist } from '../turns/index.ts'
import { pause } from '../watching/index.ts'
import { entryAt } from './read-together.ts'
import type { PlaceInLine } from './waiting-line.ts'

/** Chubby's own bound. */
export const lockDelayMsMax = 60_000

/** What a marker holds, as `DELAY PLACE`: the milliseconds that its holder asked for, and the place it held by. */
function markerBytes(delayMs: number, place: PlaceInLine): Uint8Array {
  return utf8Bytes(`${delayMs} ${place.id}`)
}

function delayMsIn(marker: Entry): number {
  const delayMs = Number(binaryString(marker.value).split(' ')[0])
  return delayMs >= 0 && delayMs <= lockDelayMsMax ? delayMs : lockDelayMsMax
}

export interface DelayParts {
  readonly driver: Driver
  readonly place: PlaceInLine
  readonly markerKey: Key
  /** Where among the results of the place's reads the marker is. */
  readonly markerAt: number
  /** For whoever comes after this holder. 0: leave no marker. */
  readonly delayMs: number
}

/**
 * Called by who is first. Waits out the marker of a holder that is gone, and leaves the own one. False, without waiting,
 * when there is something to wait out and `waits` is false.
 */
export async function passDelay(
  parts: DelayParts,
  limits: CallOptions,
  waits: boolean,
  results: readonly OperationResult[],
): Promise<boolean> {
  const { driver, place, markerKey, markerAt, delayMs } = parts
  let marker = entryAt(results, markerAt)
  for (;;) {
    const isOwn = marker !== undefined && binaryString(marker.value).endsWith(` ${place.id}`)
    if (isOwn || (marker === undefined && delayMs === 0)) return true
    if (marker !== undefined) {
      if (!waits) return false
      await pause(driver.outside, delayMsIn(marker), limits)
    }
    const step: Operation =
      delayMs === 0
        ? { type: 'delete', key: markerKey }
        : { type: 'put', key: markerKey, value: markerBytes(delayMs, place) }
    const unchanged =
      marker === undefined
        ? absent(markerKey)
        : ({ key: markerKey, target: 'modRevision', is: '=', value: marker.modRevision } as const)
    const transaction = { compares: [isStill(place.key, place.createRevision), unchanged], success: [step] }
    const { succeeded } = await persist(driver.outside, limits, (call) => driver.transact(transaction, call))
    if (succeeded) return true
    // The own place is gone, which `ahead` tells, or an attempt before was applied, whose marker is there now.
    const seen = await place.look(limits)
    place.ahead()
    marker = entryAt(seen.results, markerAt)
  }
}

/** Takes the own marker and place away at once, so that nobody finds the one without the other. */
export async function leaveWithMarker(parts: DelayParts, signal: AbortSignal): Promise<void> {
  const { driver, place, markerKey, delayMs } = parts
  const transaction = {
    compares: [
      isStill(place.key, place.createRevision),
      { key: markerKey, target: 'value', is: '=', value: markerBytes(delayMs, place) } as const,
    ],
    success: [
      { type: 'delete', key: markerKey },
      { type: 'delete', key: place.key },
    ] as const,
  }
  const limits = { signal, deadlineMs: Number.POSITIVE_INFINITY }
  await persist(driver.outside, limits, (call) => driver.transact(transaction, call))
  await place.leave()
}

/** For a request that comes to nothing: a marker that it left, heard or unheard, would delay others for nobody. */
export function leaveWithMarkerLater(parts: DelayParts, signal: AbortSignal): void {
  const { place, delayMs } = parts
  if (delayMs === 0 || place.createRevision === 0) place.leaveLater()
  else leaveWithMarker(parts, signal).catch(() => place.leaveLater())
}

/** Throws `INVALID_ARGUMENT` for a delay that is none. */
export function checkedLockDelayMs(delayMs: number): number {
  if (Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= lockDelayMsMax) return delayMs
  throw new SynodError(
    'INVALID_ARGUMENT',
    `lockDelayMs is ${delayMs}; give whole milliseconds from 0 to ${lockDelayMsMax}`,
  )
}
