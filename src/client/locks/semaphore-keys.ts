/**
 * The keys of a semaphore. A worked example, `semaphore('s', 2)` with slot 0 held and one request in line:
 *
 *     synod/semaphores/s/permits        2, so that all programs agree
 *     synod/semaphores/s/slots/0        the id of the place that took it; hangs on the holder's session
 *     synod/semaphores/s/queue/t-09fe…  the head of the line, about to take slot 1
 */
import { type PlaneContext, prefixEnd, roomKey } from '../context.ts'
import type { Entry, Key, KeyRange } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { tokenBytes, tokenIn } from './token-floor.ts'

/** All of a semaphore's slots are listed by whoever is at the head of its line. */
export const permitsMax = 10_000

export class SemaphoreKeys {
  readonly name: string
  readonly permits: number
  readonly permitsKey: Key
  readonly slots: KeyRange

  constructor(context: PlaneContext, name: string, permits: number) {
    if (!(Number.isInteger(permits) && permits >= 1 && permits <= permitsMax))
      throw new SynodError('INVALID_ARGUMENT', `a semaphore has 1 to ${permitsMax} permits, not ${permits}`)
    this.name = name
    this.permits = permits
    this.permitsKey = roomKey(context, 'semaphores', name, 'permits')
    const start = roomKey(context, 'semaphores', name, 'slots', '')
    this.slots = { start, end: prefixEnd(start) }
  }

  slotKey(slot: number): Key {
    return `${this.slots.start}${slot}`
  }

  slotOf(key: Key): number {
    return Number(key.slice(this.slots.start.length))
  }

  get permitsBytes(): Uint8Array {
    return tokenBytes(this.permits)
  }

  /** The lowest slot that nobody holds. */
  free(taken: Iterable<Entry>): number | undefined {
    const slots = new Set<number>()
    for (const { key } of taken) slots.add(this.slotOf(key))
    for (let slot = 0; slot < this.permits; slot++) if (!slots.has(slot)) return slot
    return undefined
  }

  /** Throws `CONFLICT` when another program set another number. */
  assertAgreed(permitsEntry: Entry | undefined): void {
    if (permitsEntry === undefined) return
    const agreed = tokenIn(permitsEntry)
    if (agreed === this.permits) return
    throw new SynodError(
      'CONFLICT',
      `semaphore ${JSON.stringify(this.name)} has ${agreed} permits, and this program asks for ${this.permits}: all programs must ` +
        `agree; to change the number, stop them, delete the key ${JSON.stringify(this.permitsKey)}, and start them with the new one`,
      { retryable: false },
    )
  }
}
