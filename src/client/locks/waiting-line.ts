/**
 * The line before a lock: one key for each who waits or holds, hanging on their session, in the order of their
 * createRevision. Whoever has nobody ahead that concerns them, holds; everybody else waits for the last one ahead that
 * does, so that a key that goes wakes one.
 *
 * A worked example, `lock('a')` with the sessions s and t:
 *
 *     synod/locks/a/queue/s-71c0…   createRevision 12: first, holds with token 12
 *     synod/locks/a/queue/t-09fe…   createRevision 15: waits for s-71c0… to go
 *
 * - I1  `standing` was read after this place was made, and while nobody ahead of it has gone since it is exact: who comes
 *       later stands behind.
 * - I2  A place is given up by `leave` only; K2 of `LeasedKey` then holds of it.
 * - I3  A name is used by one request of its session at a time, and again only when nothing of the one before can come
 *       back: every attempt to make its key was answered, and the key is gone. All that a request does later is guarded
 *       by its createRevision, which no other has. An engine keeps what was deleted until it compacts, and lists past it:
 *       a name for each request would make a busy lock slow.
 */
import { assertDefined, emptyBytes } from '../../base/index.ts'
import { type PlaneContext, prefixEnd, type Room, roomKey } from '../context.ts'
import type { CallOptions, Driver, Entry, Key, KeyRange, OperationResult, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { freshId, LeasedKey, persist, standingAhead } from '../turns/index.ts'
import { awaitGone } from '../watching/index.ts'
import { canJoinTransaction, entriesAt, type Read, readTogether } from './read-together.ts'

/** What a place saw when it last looked. */
export interface Standing {
  /** All who stand in line, keys only. */
  readonly line: readonly Entry[]
  /** Of the reads that the place makes along with the line, in their order. */
  readonly results: readonly OperationResult[]
  readonly revision: Revision
}

export interface PlaceParts {
  readonly context: PlaneContext
  readonly room: Room
  readonly name: string
  readonly session: Session
  /** As errors call it: `lock "x"`. */
  readonly what: string
  /** Read together with the line, or after it: never before. */
  readonly reads: readonly Read[]
  /** Goes before the place's own name in its key. */
  readonly role?: string
}

/** Names that may be used again (I3). */
const idleNames = new WeakMap<Session, string[]>()

/** The keys of those who stand in line. */
export function lineRange(context: PlaneContext, room: Room, name: string): KeyRange {
  const start = roomKey(context, room, name, 'queue', '')
  return { start, end: prefixEnd(start) }
}

/** One request for a lock, from its entry into the line until it is let go. */
export class PlaceInLine {
  readonly key: Key
  /** The last part of `key`: no other request has the same as long as anything of this one is left. */
  readonly id: string
  private readonly name: string
  private readonly driver: Driver
  private readonly parts: PlaceParts
  private readonly leased: LeasedKey
  private readonly reads: readonly Read[]
  private standing: Standing | undefined
  /** Whether `name` may be used again once all of this request is gone. */
  private isNameClean = true

  constructor(parts: PlaceParts) {
    const { context, room, name, session, role = '' } = parts
    this.parts = parts
    this.driver = context.driver
    this.name = idleNames.get(session)?.pop() ?? `${session.id}-${freshId(context.driver.outside)}`
    this.id = `${role}${this.name}`
    this.key = roomKey(context, room, name, 'queue', this.id)
    const markKey = roomKey(context, room, name, 'left', this.id)
    this.leased = new LeasedKey(context.driver, session, { key: this.key, markKey, value: emptyBytes })
    this.reads = [{ type: 'list', range: lineRange(context, room, name), keysOnly: true }, ...parts.reads]
  }

  get createRevision(): Revision {
    return this.leased.createRevision
  }

  /** Goes to the end of the line, and looks. One round trip, where the engine lists inside transactions. */
  async enter(limits: CallOptions): Promise<Standing> {
    const joins = canJoinTransaction(this.driver, this.reads)
    this.isNameClean = false
    const made = await this.leased.make(limits, { operations: joins ? this.reads : [] })
    if (!made.made) throw this.goneError()
    this.isNameClean = !this.leased.mayComeBack
    if (!joins || made.results === undefined) return this.look(limits)
    return this.seen(made.results, made.createRevision)
  }

  async look(limits: CallOptions): Promise<Standing> {
    const { results, revision } = await persist(this.driver.outside, limits, (call) =>
      readTogether(this.driver, this.reads, call),
    )
    return this.seen(results, revision)
  }

  /** Who goes just before this place, of those that `concerns` picks. */
  ahead(concerns: (entry: Entry) => boolean = () => true): Entry | 'first' {
    const { line } = assertDefined(this.standing, 'it has entered')
    const ahead = standingAhead(
      line.filter((entry) => entry.key === this.key || concerns(entry)),
      this,
    )
    if (ahead === 'gone') throw this.goneError()
    return ahead
  }

  /** Waits until nobody that `concerns` picks is ahead, and returns what was seen then. */
  async awaitFirst(limits: CallOptions, concerns?: (entry: Entry) => boolean): Promise<Standing> {
    for (;;) {
      const standing = assertDefined(this.standing, 'it has entered')
      const ahead = this.ahead(concerns)
      if (ahead === 'first') return standing
      const { key, createRevision } = ahead
      await awaitGone(this.driver, key, createRevision, { ...limits, seenAtRevision: standing.revision })
      // Whoever was ahead may have given up from the middle: look who is there now.
      await this.look(limits)
    }
  }

  /** For who has taken it out of the line by a transaction of its own: whether `leave` must follow all the same. */
  get mayComeBack(): boolean {
    return this.leased.mayComeBack
  }

  /** Gives the place up. Resolves once it certainly is, or the session is over. */
  async leave({ keepName = false }: { readonly keepName?: boolean } = {}): Promise<void> {
    await this.leased.withdraw()
    if (!keepName) this.giveNameBack()
  }

  /** To be called once nothing of this request is left; `leave` does it. */
  giveNameBack(): void {
    const { session } = this.parts
    if (!this.isNameClean || session.signal.aborted) return
    this.isNameClean = false
    const names = idleNames.get(session)
    if (names === undefined) idleNames.set(session, [this.name])
    else names.push(this.name)
  }

  /** Gives it up without keeping the caller waiting. */
  leaveLater(): void {
    this.leave().catch((error: unknown) => {
      const { logger } = this.driver.outside
      logger.warn('a place in line stays until its session ends', { key: this.key, error: String(error) })
    })
  }

  private seen(results: readonly OperationResult[], revision: Revision): Standing {
    this.standing = { line: entriesAt(results, 0), results: results.slice(1), revision }
    return this.standing
  }

  private goneError(): SynodError {
    return new SynodError(
      'LOCK_LOST',
      `the place in line for ${this.parts.what} was deleted by somebody else, or its session ended; acquire it anew`,
    )
  }
}
