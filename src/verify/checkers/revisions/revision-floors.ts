/**
 * What real time demands of revisions: whatever was shown to anybody before an operation was invoked, the operation has
 * seen, and a write comes after it.
 */
import type { HistoryRecord, OperationRecord } from '../../history/index.ts'

/** A revision that certainly existed at `atMs`, since `record` shows it. */
export interface Sighting {
  readonly revision: number
  readonly atMs: number
  readonly record: HistoryRecord
}

/** The highest revision shown before each operation of `operations`; what touches in time counts only within a client. */
export function revisionFloors(
  operations: readonly OperationRecord[],
  sightings: readonly Sighting[],
): Map<OperationRecord, Sighting> {
  const floors = new Map<OperationRecord, Sighting>()
  const byTime = [...sightings].sort((a, b) => a.atMs - b.atMs)
  const order = operations
    .map((operation, line) => ({ operation, line, returnedMs: operation.returnedMs ?? Number.POSITIVE_INFINITY }))
    .sort(
      (a, b) =>
        a.operation.invokedMs - b.operation.invokedMs ||
        (a.returnedMs === b.returnedMs ? a.line - b.line : a.returnedMs - b.returnedMs),
    )
  const ofClient = new Map<string, Sighting>()
  let highest: Sighting | undefined
  let next = 0
  for (const { operation, returnedMs } of order) {
    while (next < byTime.length && byTime[next]!.atMs < operation.invokedMs) {
      const sighting = byTime[next++]!
      if (highest === undefined || sighting.revision > highest.revision) highest = sighting
    }
    const own = ofClient.get(operation.client)
    const usable = own !== undefined && own.atMs <= operation.invokedMs ? own : undefined
    const floor = higher(highest, usable)
    if (floor !== undefined) floors.set(operation, floor)
    const revision = operation.outcome === 'ok' ? operation.output?.revision : undefined
    if (revision === undefined || returnedMs === Number.POSITIVE_INFINITY) continue
    const shown = { revision, atMs: returnedMs, record: operation }
    ofClient.set(operation.client, higher(usable, shown) ?? shown)
  }
  return floors
}

function higher(a: Sighting | undefined, b: Sighting | undefined): Sighting | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return b.revision > a.revision ? b : a
}
