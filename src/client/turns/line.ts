import type { CallOptions, Driver, Entry, Key, KeyRange, Revision } from '../driver/index.ts'
import { awaitGone } from '../watching/index.ts'
import { persist } from './persist.ts'

/** A key in a line, by the write that made it. */
export interface Place {
  readonly key: Key
  readonly createRevision: Revision
}

/**
 * Waits until no key of `line` is older than `own`. Waits for the one just ahead only, so that each that goes wakes one.
 * When that one goes it looks again: it may have given up from the middle. Resolves with `gone` when `own` is not in
 * the line any more.
 */
export async function awaitTurn(
  driver: Driver,
  line: KeyRange,
  own: Place,
  options: CallOptions,
): Promise<'first' | 'gone'> {
  const limits = { ...options, deadlineMs: options.deadlineMs ?? Number.POSITIVE_INFINITY }
  for (;;) {
    const { entries, revision } = await persist(driver.outside, limits, (call) =>
      driver.list(line, { ...call, keysOnly: true }),
    )
    const next = standingAhead(entries, own)
    if (next === 'gone' || next === 'first') return next
    await awaitGone(driver, next.key, next.createRevision, { ...options, seenAtRevision: revision })
  }
}

/** Who of the line goes just before `own`. */
export function standingAhead(entries: readonly Entry[], own: Place): Entry | 'first' | 'gone' {
  let ahead: Entry | undefined
  let here = false
  for (const entry of entries) {
    if (entry.key === own.key) here = entry.createRevision === own.createRevision
    else if (isBefore(entry, own) && (ahead === undefined || isBefore(ahead, entry))) ahead = entry
  }
  if (!here) return 'gone'
  return ahead ?? 'first'
}

/** The oldest of the line. */
export function firstOf(entries: Iterable<Entry>): Entry | undefined {
  let first: Entry | undefined
  for (const entry of entries) if (first === undefined || isBefore(entry, first)) first = entry
  return first
}

/** The order of a line: as made, and by key what one transaction made. */
export function isBefore(a: Place, b: Place): boolean {
  return a.createRevision < b.createRevision || (a.createRevision === b.createRevision && a.key < b.key)
}
