/**
 * One request for a permit: who is at the head of the line takes a free slot, and by that leaves the line. Only the head
 * watches the slots; everybody else waits for the one ahead.
 *
 * - I1  A slot is taken by one transaction: it was free, the taker's place is in the line, the number of permits is as
 *       agreed; and with it the place goes. Whatever attempts are under way, one place takes one slot.
 * - I2  After the place is gone for certain no attempt can take a slot for it any more; what one took before is found by
 *       the place's id. That is how an attempt of unknown fate is cleaned up.
 */
import { binaryString, binaryStringToBytes } from '../../base/index.ts'
import type { PlaneContext } from '../context.ts'
import type { CallOptions, Driver, Entry, Revision, Transaction } from '../driver/index.ts'
import type { Session } from '../sessions/index.ts'
import { absent, isStill, persist } from '../turns/index.ts'
import { latestStates } from '../watching/index.ts'
import type { GrantRequest } from './acquirable.ts'
import type { HeldPermit } from './held.ts'
import type { HoldingParts } from './holding.ts'
import { LockHolding } from './lock-holding.ts'
import { entriesAt, entryAt } from './read-together.ts'
import type { SemaphoreKeys } from './semaphore-keys.ts'
import { tokenFloorKey, tokenIn } from './token-floor.ts'
import { PlaceInLine, type Standing } from './waiting-line.ts'

const slotsAt = 0
const permitsAt = 1
const floorAt = 2

interface SlotGrant {
  readonly slot: number
  /** Of the transaction that took it. */
  readonly revision: Revision
  readonly floor: number
}

export class SlotRequest {
  private readonly driver: Driver
  private readonly keys: SemaphoreKeys
  private readonly session: Session
  private readonly limits: CallOptions
  private readonly waits: boolean
  private readonly floorKey: string
  private readonly place: PlaceInLine
  private readonly what: string
  /** Whether an attempt to take a slot was begun: then leaving the line is not enough (I2). */
  private taking = false

  constructor(context: PlaneContext, keys: SemaphoreKeys, { session, limits, waits }: GrantRequest) {
    this.driver = context.driver
    this.keys = keys
    this.session = session
    this.limits = limits
    this.waits = waits
    this.floorKey = tokenFloorKey(context)
    this.what = `semaphore ${JSON.stringify(keys.name)}`
    this.place = new PlaceInLine({
      context,
      room: 'semaphores',
      name: keys.name,
      session,
      what: this.what,
      reads: [
        { type: 'list', range: keys.slots },
        { type: 'get', key: keys.permitsKey },
        { type: 'get', key: this.floorKey },
      ],
    })
  }

  async grant(): Promise<HeldPermit | undefined> {
    try {
      if (!this.waits && this.isTaken(await this.place.look(this.limits))) {
        this.leaveLater()
        return undefined
      }
      const entered = await this.place.enter(this.limits)
      this.keys.assertAgreed(entryAt(entered.results, permitsAt))
      const grant = this.waits || this.place.ahead() === 'first' ? await this.takeAsHead() : undefined
      if (grant === undefined) {
        this.leaveLater()
        return undefined
      }
      if (this.place.mayComeBack) this.place.leaveLater()
      return this.holding(grant)
    } catch (error) {
      this.leaveLater()
      throw error
    }
  }

  private isTaken({ line, results }: Standing): boolean {
    this.keys.assertAgreed(entryAt(results, permitsAt))
    return line.length > 0 || this.keys.free(entriesAt(results, slotsAt)) === undefined
  }

  private async takeAsHead(): Promise<SlotGrant | undefined> {
    const grant = await this.take(await this.place.awaitFirst(this.limits))
    if (grant !== undefined || !this.waits) return grant
    for await (const { entries } of latestStates(this.driver, this.keys.slots, this.limits)) {
      const slots = [...entries.values()]
      if (this.ownOf(slots) === undefined && this.keys.free(slots) === undefined) continue
      const later = await this.take(await this.place.look(this.limits))
      if (later !== undefined) return later
    }
    return undefined
  }

  /** Takes the first free slot; `undefined` when there is none. */
  private async take(seen: Standing): Promise<SlotGrant | undefined> {
    for (let standing = seen; ; standing = await this.place.look(this.limits)) {
      const { results } = standing
      const slots = entriesAt(results, slotsAt)
      const own = this.ownOf(slots)
      if (own !== undefined) {
        const floor = tokenIn(entryAt(results, floorAt))
        return { slot: this.keys.slotOf(own.key), revision: own.modRevision, floor }
      }
      // Tells when the place is gone: then no attempt can succeed.
      this.place.ahead()
      this.keys.assertAgreed(entryAt(results, permitsAt))
      const free = this.keys.free(slots)
      if (free === undefined) return undefined
      const grant = await this.attempt(free, entryAt(results, permitsAt))
      if (grant !== undefined) return grant
    }
  }

  private async attempt(slot: number, permits: Entry | undefined): Promise<SlotGrant | undefined> {
    const { keys, place, session } = this
    const key = keys.slotKey(slot)
    const { permitsKey, permitsBytes } = keys
    const agreed =
      permits === undefined
        ? absent(permitsKey)
        : ({ key: permitsKey, target: 'value', is: '=', value: permitsBytes } as const)
    const taking: Transaction = {
      compares: [absent(key), isStill(place.key, place.createRevision), agreed],
      success: [
        { type: 'get', key: this.floorKey },
        { type: 'put', key, value: binaryStringToBytes(place.id), leaseId: session.leaseId },
        { type: 'delete', key: place.key },
        ...(permits === undefined ? [{ type: 'put', key: permitsKey, value: permitsBytes } as const] : []),
      ],
    }
    this.taking = true
    const { succeeded, revision, results } = await persist(this.driver.outside, this.limits, (call) =>
      this.driver.transact(taking, call),
    )
    return succeeded ? { slot, revision, floor: tokenIn(entryAt(results, 0)) } : undefined
  }

  private ownOf(slots: readonly Entry[]): Entry | undefined {
    return slots.find((entry) => binaryString(entry.value) === this.place.id)
  }

  private leaveLater(): void {
    if (!this.taking) {
      this.place.leaveLater()
      return
    }
    this.leaveAndGiveBack().catch((error: unknown) => {
      if (this.session.signal.aborted) return
      const { logger } = this.driver.outside
      logger.warn('a permit stays taken until its session ends', { key: this.place.key, error: String(error) })
    })
  }

  /** First the place, so that no attempt succeeds after; then what one took (I2). */
  private async leaveAndGiveBack(): Promise<void> {
    await this.place.leave({ keepName: true })
    const limits = { signal: this.session.signal, deadlineMs: Number.POSITIVE_INFINITY }
    const { outside } = this.driver
    const { entries } = await persist(outside, limits, (call) => this.driver.list(this.keys.slots, call))
    const own = this.ownOf(entries)
    if (own !== undefined) await this.giveBack(own.key, own.createRevision)
    this.place.giveNameBack()
  }

  private async giveBack(key: string, createRevision: Revision): Promise<void> {
    const limits = { signal: this.session.signal, deadlineMs: Number.POSITIVE_INFINITY }
    const removal: Transaction = { compares: [isStill(key, createRevision)], success: [{ type: 'delete', key }] }
    await persist(this.driver.outside, limits, (call) => this.driver.transact(removal, call))
  }

  private holding({ slot, revision, floor }: SlotGrant): HeldPermit {
    const { driver, what, session } = this
    const key = this.keys.slotKey(slot)
    const letGo = async () => {
      await this.giveBack(key, revision)
      this.place.giveNameBack()
    }
    return new PermitHolding({ driver, what, session, key, createRevision: revision, letGo }, this.keys.name, {
      slot,
      fencingToken: floor + revision,
    })
  }
}

class PermitHolding extends LockHolding implements HeldPermit {
  readonly slot: number

  constructor(parts: HoldingParts, name: string, grant: Pick<HeldPermit, 'slot' | 'fencingToken'>) {
    super(parts, name, grant.fencingToken)
    this.slot = grant.slot
  }
}
