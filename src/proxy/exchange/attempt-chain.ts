/** The attempts of one exchange, from the last begun to the first: a list linked by `previous`. */
import type { AttemptResult } from '../../traffic/upstream/index.ts'
import type { Fields } from '../http/index.ts'
import type { Attempt } from './attempt.ts'

/** Whether one is in flight, other than `except`. */
export function isAnyInFlight(last: Attempt | undefined, except?: Attempt): boolean {
  for (let each = last; each !== undefined; each = each.previous) if (!each.isOver && each !== except) return true
  return false
}

/** Whether one in flight wants nothing more of the request's body for now. */
export function isAnyFull(last: Attempt | undefined): boolean {
  for (let each = last; each !== undefined; each = each.previous) if (!each.isOver && each.isFull) return true
  return false
}

/** One in flight whose head is kept back; of several the last begun. */
export function firstHeld(last: Attempt | undefined): Attempt | undefined {
  for (let each = last; each !== undefined; each = each.previous)
    if (!each.isOver && each.held !== undefined) return each
  return undefined
}

export function writeToAll(last: Attempt | undefined, bytes: Uint8Array): void {
  for (let each = last; each !== undefined; each = each.previous) {
    if (!each.isOver && !each.call!.write(bytes)) each.isFull = true
  }
}

export function endAll(last: Attempt | undefined, trailers: Fields | undefined): void {
  for (let each = last; each !== undefined; each = each.previous) if (!each.isOver) each.call!.end(trailers)
}

/** Gives up all in flight but `except`. */
export function cancelAll(last: Attempt | undefined, result: AttemptResult, nowMs: number, except?: Attempt): void {
  for (let each = last; each !== undefined; each = each.previous) {
    if (!each.isOver && each !== except) each.cancel(result, nowMs)
  }
}
