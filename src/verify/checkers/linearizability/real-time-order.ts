/**
 * Which operation certainly came before which: one that returned before another was invoked, and one that the same
 * client had concluded before it began another.
 *
 * Events are listed by time; at the same moment invocations stand before returns, so that what touches counts as
 * overlapping. The order within one client, which would be lost where a client goes on at the moment of its last answer,
 * is kept beside the list as `predecessor`.
 */
import type { CompiledOperation } from './compiled-operation.ts'

export interface RealTimeOrder {
  /** For each operation the one of the same client that certainly precedes it, or -1. */
  readonly predecessor: Int32Array
  /** The place of each operation's invocation in the list of events. */
  readonly invocationPlace: Int32Array
  /** The place of each certain operation's return; that of others lies past all. */
  readonly returnPlace: Int32Array
  /** Operations by invocation. */
  readonly byInvocation: Int32Array
  /** Certain operations by return. */
  readonly byReturn: Int32Array
}

export function realTimeOrder(operations: readonly CompiledOperation[]): RealTimeOrder {
  const count = operations.length
  const byInvocation = Int32Array.from(operations.keys()).sort(
    (a, b) => operations[a]!.invokedMs - operations[b]!.invokedMs || a - b,
  )
  const concluded = [...operations.keys()].filter((i) => operations[i]!.returnedMs < Number.POSITIVE_INFINITY)
  const byReturn = Int32Array.from(concluded).sort(
    (a, b) => operations[a]!.returnedMs - operations[b]!.returnedMs || a - b,
  )
  const invocationPlace = new Int32Array(count)
  const returnPlace = new Int32Array(count).fill(2 * count)
  let place = 0
  let returned = 0
  for (const operation of byInvocation) {
    const { invokedMs } = operations[operation]!
    while (returned < byReturn.length && operations[byReturn[returned]!]!.returnedMs < invokedMs)
      returnPlace[byReturn[returned++]!] = place++
    invocationPlace[operation] = place++
  }
  while (returned < byReturn.length) returnPlace[byReturn[returned++]!] = place++
  return { predecessor: predecessors(operations, byInvocation), invocationPlace, returnPlace, byInvocation, byReturn }
}

function predecessors(operations: readonly CompiledOperation[], byInvocation: Int32Array): Int32Array {
  const predecessor = new Int32Array(operations.length).fill(-1)
  // Of operations that begin together the one that ends first came first; then lines stand in the order of completion.
  const inClientOrder = [...byInvocation].sort(
    (a, b) =>
      operations[a]!.invokedMs - operations[b]!.invokedMs ||
      compareTimes(operations[a]!.returnedMs, operations[b]!.returnedMs) ||
      a - b,
  )
  const begun = (operation: number) => operations[operation]!.invokedMs
  /** By client the last concluded one, and the last of those that began before it. */
  const last = new Map<string, { readonly operation: number; readonly earlier: number }>()
  for (const operation of inClientOrder) {
    const { record, certain, invokedMs, returnedMs } = operations[operation]!
    const concluded = last.get(record.client)
    let before = concluded?.operation ?? -1
    // Nothing tells whether an operation without an end came before or after one that began at the same moment.
    if (!certain && before >= 0 && begun(before) === invokedMs) before = concluded!.earlier
    if (before >= 0 && operations[before]!.returnedMs <= invokedMs) predecessor[operation] = before
    if (returnedMs === Number.POSITIVE_INFINITY) continue
    const began = concluded !== undefined && begun(concluded.operation) < invokedMs
    last.set(record.client, { operation, earlier: began ? concluded.operation : (concluded?.earlier ?? -1) })
  }
  return predecessor
}

/** Subtraction would make NaN of two operations that never returned. */
function compareTimes(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}
