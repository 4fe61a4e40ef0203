/**
 * Which keys `copy` takes along. A key here is **relative**: without its plane's namespace.
 *
 *   the program's own keys, counters, config, registry, fences, queues, …   move
 *   what hangs on a lease (locks, candidacies, claims, registrations)       stays: its session does not move
 *   rooms that mean something only where they are                           stay:
 *     locks      who held, for the lock-delay          elections   who stands
 *     once       markers of sessions                   ids         slots; what they reserved goes into the floor
 *     floors     merged, never copied
 *     the bounds of a double barrier, which are revisions of the source
 */
import { type PlaneContext, prefixEnd } from '../context.ts'
import type { Entry, Key, KeyRange } from '../driver/index.ts'

const roomsThatStay: ReadonlySet<string> = new Set(['locks', 'elections', 'once', 'ids', 'floors'])
const boundsOfBarrier = /^synod\/barriers\/[^/]+\/bounds$/

export type Fate = 'moves' | 'leased' | 'stays'

/** The room that a relative key lies in; undefined for the program's own keys. */
export function roomOf(key: Key): string | undefined {
  return /^synod\/([^/]+)\//.exec(key)?.[1]
}

export function fateOf(key: Key, entry: Entry): Fate {
  if (entry.leaseId !== 0n) return 'leased'
  const room = roomOf(key)
  return (room !== undefined && roomsThatStay.has(room)) || boundsOfBarrier.test(key) ? 'stays' : 'moves'
}

/** The ranges to read, in key order and without overlap: all of the plane, or what begins with one of `prefixes`. */
export function rangesOf({ namespace }: PlaneContext, prefixes: readonly Key[]): readonly KeyRange[] {
  const kept: Key[] = []
  for (const prefix of [...prefixes].sort()) {
    const last = kept.at(-1)
    if (last === undefined || !prefix.startsWith(last)) kept.push(prefix)
  }
  return (kept.length === 0 ? [''] : kept).map((prefix) => {
    const start = namespace + prefix
    return { start, end: prefixEnd(start) }
  })
}

/** Keys in which the order of their making matters: jobs, which stand in line. */
export function standsInLine(key: Key): boolean {
  return roomOf(key) === 'queues'
}
