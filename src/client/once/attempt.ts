/**
 * One attempt at a batch: its operations computed, in order, from the states of their keys as they are known, and the
 * transaction that makes it so if those states still hold and nothing of the session came between.
 */
import type { Compare, Entry, Key, LeaseId, Operation as Step, Transaction } from '../driver/index.ts'
import { encodeMarker, type Marker } from './marker.ts'
import type { Operation } from './operation.ts'

/** A key as it was when this machine last heard. `modRevision` 0: not there. */
export interface KeyState {
  readonly modRevision: number
  readonly value: Uint8Array | undefined
}

export const absent: KeyState = { modRevision: 0, value: undefined }

export function stateOf(entry: Entry | undefined): KeyState {
  return entry === undefined ? absent : { modRevision: entry.modRevision, value: entry.value }
}

/** How an operation ends if the attempt applies. */
type Ending = { readonly result: unknown } | { readonly error: unknown }

export class Attempt {
  readonly number: number
  readonly operations: readonly Operation[]
  /** What the keys become. Empty: the attempt only makes sure that the states it was computed from still hold. */
  readonly written: ReadonlyMap<Key, Uint8Array>
  private readonly endings: readonly Ending[]

  constructor(number: number, operations: readonly Operation[], states: ReadonlyMap<Key, KeyState>) {
    const written = new Map<Key, Uint8Array>()
    this.number = number
    this.operations = operations
    this.endings = operations.map((operation) => ending(operation, written, states))
    this.written = written
  }

  /** Whether one of its operations has been settled since, so that it must not be sent again. */
  get isOutdated(): boolean {
    return this.operations.some((operation) => operation.isSettled)
  }

  /** Tells all operations how they ended. */
  conclude(): void {
    this.operations.forEach((operation, index) => {
      const end = this.endings[index]!
      if ('error' in end) operation.fail(end.error)
      else operation.succeed(end.result)
    })
  }
}

function ending(operation: Operation, written: Map<Key, Uint8Array>, states: ReadonlyMap<Key, KeyState>): Ending {
  try {
    const current = written.get(operation.key) ?? states.get(operation.key)?.value
    const { value, result } = operation.apply(current)
    if (value !== undefined) written.set(operation.key, value)
    return { result }
  } catch (error) {
    return { error }
  }
}

/** The marker as it is to be found, and as it is left behind. */
export interface MarkerStep {
  readonly key: Key
  readonly modRevision: number
  readonly leaseId: LeaseId
  readonly next: Marker
}

/**
 * `marker` is left out of an attempt that writes nothing and settles nothing. If a compare fails, the answer carries the
 * states of the marker and of `keys`, in this order.
 */
export function attemptTransaction(
  attempt: Attempt,
  keys: readonly Key[],
  states: ReadonlyMap<Key, KeyState>,
  marker: MarkerStep,
  writesMarker: boolean,
): Transaction {
  const compares: Compare[] = keys.map((key) => unchanged(key, states.get(key)!.modRevision))
  const success: Step[] = [...attempt.written].map(([key, value]) => ({ type: 'put', key, value }))
  if (writesMarker) {
    compares.push(unchanged(marker.key, marker.modRevision))
    success.push({ type: 'put', key: marker.key, value: encodeMarker(marker.next), leaseId: marker.leaseId })
  } else {
    success.push({ type: 'get', key: marker.key })
  }
  return { compares, success, failure: readsOf(marker.key, keys) }
}

/** Reads the marker and `keys`, in this order. */
export function readTransaction(markerKey: Key, keys: readonly Key[]): Transaction {
  return { compares: [], success: readsOf(markerKey, keys) }
}

function readsOf(markerKey: Key, keys: readonly Key[]): Step[] {
  return [markerKey, ...keys].map((key) => ({ type: 'get', key }))
}

function unchanged(key: Key, modRevision: number): Compare {
  return { key, target: 'modRevision', is: '=', value: modRevision }
}
