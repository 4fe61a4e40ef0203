/** Finding a free slot and taking it. */

import { utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, roomKey } from '../context.ts'
import type { Entry, Operation } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { freshId, LeasedKey, type PersistOptions, persist } from '../turns/index.ts'
import { decodeTime, encodeTime, idsFloorKey, slotKeys } from './floor.ts'
import { refuseTimeBeyond, slotCount } from './id-layout.ts'
import { reserveStepMs, Slot } from './slot.ts'

/** Looked at together; with two keys each and the floor, they fit a transaction of any engine. */
const slotsAtOnce = 32

/** A slot as it was found. */
interface FoundSlot {
  readonly number: number
  readonly reserved: Entry | undefined
  /** An owner begins after this moment. */
  readonly afterMs: number
}

/**
 * Takes a slot, of those that nobody holds one whose time has passed if there is one. Begins looking at a random place,
 * so that programs that start together seldom want the same. `RESOURCE_EXHAUSTED` when all are held.
 */
export async function claimSlot(
  context: PlaneContext,
  name: string,
  session: Session,
  options: PersistOptions,
): Promise<Slot> {
  const { clock, random } = context.driver.outside
  const first = random.below(slotCount)
  for (let offset = 0; offset < slotCount; offset += slotsAtOnce) {
    const numbers = Array.from({ length: slotsAtOnce }, (_, index) => (first + offset + index) % slotCount)
    const free = await freeSlots(context, name, numbers, options)
    const aheadMs = ({ afterMs }: FoundSlot): number => Math.max(0, afterMs - clock.wallMs())
    for (const found of free.sort((a, b) => aheadMs(a) - aheadMs(b))) {
      const slot = await tryToClaim(context, name, session, found, options)
      if (slot !== undefined) return slot
    }
  }
  throw new SynodError(
    'RESOURCE_EXHAUSTED',
    `all ${slotCount} slots of the id generator "${name}" are held: so many processes make ids at once; close some`,
  )
}

async function freeSlots(
  context: PlaneContext,
  name: string,
  numbers: readonly number[],
  options: PersistOptions,
): Promise<FoundSlot[]> {
  const { driver } = context
  const keys = numbers.flatMap((number) => Object.values(slotKeys(context, name, number)))
  const reads: Operation[] = [idsFloorKey(context), ...keys].map((key) => ({ type: 'get', key }))
  const { results } = await persist(driver.outside, options, (call) =>
    driver.transact({ compares: [], success: reads }, call),
  )
  const [floor, ...entries] = results.map((result) => (result.type === 'get' ? result.entry : undefined))
  return numbers.flatMap((number, index) => {
    const [held, reserved] = [entries[2 * index], entries[2 * index + 1]]
    if (held !== undefined) return []
    return { number, reserved, afterMs: Math.max(decodeTime(floor), decodeTime(reserved)) }
  })
}

async function tryToClaim(
  context: PlaneContext,
  name: string,
  session: Session,
  { number, reserved, afterMs }: FoundSlot,
  options: PersistOptions,
): Promise<Slot | undefined> {
  const { driver } = context
  const keys = slotKeys(context, name, number)
  const claim = freshId(driver.outside)
  const heldKey = new LeasedKey(driver, session, {
    key: keys.held,
    markKey: roomKey(context, 'ids', name, 'withdrawn', claim),
    value: utf8Bytes(claim),
  })
  const reservedUntilMs = Math.max(afterMs, driver.outside.clock.wallMs()) + reserveStepMs
  refuseTimeBeyond(reservedUntilMs)
  const unmoved = { key: keys.reserved, target: 'modRevision', is: '=', value: reserved?.modRevision ?? 0 } as const
  const reserve = { type: 'put', key: keys.reserved, value: encodeTime(reservedUntilMs) } as const
  try {
    const { made } = await heldKey.make(options, { compares: [unmoved], operations: [reserve] })
    if (!made) return undefined
  } catch (error) {
    void heldKey.withdraw().catch(() => {})
    throw error
  }
  return new Slot(context, session, { number, heldKey, reservedKey: keys.reserved, afterMs, reservedUntilMs })
}
