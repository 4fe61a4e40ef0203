/**
 * The read/write lock: one line for both. A reader holds once no writer is ahead, a writer once nobody is. Readers that
 * came before a writer are let through, those after it wait: neither side starves.
 *
 * A writer's grant is recorded as the lock's generation, by a transaction that is guarded by its place in line: a reader
 * that sees no writer ahead sees the generation of the last one that was granted.
 */
import { type PlaneContext, roomKey } from '../context.ts'
import type { Entry } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { isStill, persist } from '../turns/index.ts'
import { createAcquirable, type GrantRequest } from './acquirable.ts'
import type { Acquirable, HeldLock, HeldReadLock } from './held.ts'
import { Holding, type HoldingParts } from './holding.ts'
import { LockHolding } from './lock-holding.ts'
import { entryAt } from './read-together.ts'
import { tokenBytes, tokenFloorKey, tokenIn } from './token-floor.ts'
import { lineRange, PlaceInLine } from './waiting-line.ts'

/** A lock that many may hold to read, or one to write. */
export interface RwLock {
  /** Shared with other readers. */
  readonly read: Acquirable<HeldReadLock>
  /** Exclusive. */
  readonly write: Acquirable<HeldLock>
}

/** What may be said of a read-write lock when it is made. */
export interface RwLockOptions {
  /** What grants hang on. Default: the connection's shared session. */
  readonly session?: Session | undefined
}

/**
 * A fair read/write lock. A writer's fencing token is above those of all writers before, and above the generation that
 * any reader before it was given; a reader's generation is the token of the last writer before it. Uncontended: one
 * round trip for a reader, two for a writer, where the engine lists inside transactions.
 *
 * @example
 * const lock = createRwLock(context, 'catalogue')
 * await lock.read.run({}, async (held) => show(await load(), held.generation))
 */
export function createRwLock(context: PlaneContext, name: string, options: RwLockOptions = {}): RwLock {
  const { session } = options
  return {
    read: createAcquirable({
      context,
      kind: 'read lock',
      name,
      session,
      grant: (request) => grantRead(context, name, request),
    }),
    write: createAcquirable({
      context,
      kind: 'write lock',
      name,
      session,
      grant: (request) => grantWrite(context, name, request),
    }),
  }
}

const floorAt = 0
const generationAt = 1
const readerRole = 'r-'
const writerRole = 'w-'

function newPlace(context: PlaneContext, name: string, session: Session, role: string): PlaceInLine {
  const reads = [
    { type: 'get', key: tokenFloorKey(context) },
    { type: 'get', key: roomKey(context, 'rwlocks', name, 'generation') },
  ] as const
  const what = `${role === readerRole ? 'read' : 'write'} lock ${JSON.stringify(name)}`
  return new PlaceInLine({ context, room: 'rwlocks', name, session, what, reads, role })
}

async function grantRead(
  context: PlaneContext,
  name: string,
  { session, limits, waits }: GrantRequest,
): Promise<HeldReadLock | undefined> {
  const writers = `${lineRange(context, 'rwlocks', name).start}${writerRole}`
  const isWriter = (entry: Entry): boolean => entry.key.startsWith(writers)
  const place = newPlace(context, name, session, readerRole)
  try {
    if (!waits && (await place.look(limits)).line.some(isWriter)) {
      place.leaveLater()
      return undefined
    }
    await place.enter(limits)
    if (!waits && place.ahead(isWriter) !== 'first') {
      place.leaveLater()
      return undefined
    }
    const { results } = await place.awaitFirst(limits, isWriter)
    const generation = Math.max(tokenIn(entryAt(results, floorAt)), tokenIn(entryAt(results, generationAt)))
    return new ReadHolding(holdingParts(context, place, `read lock ${JSON.stringify(name)}`, session), name, generation)
  } catch (error) {
    place.leaveLater()
    throw error
  }
}

async function grantWrite(
  context: PlaneContext,
  name: string,
  { session, limits, waits }: GrantRequest,
): Promise<HeldLock | undefined> {
  const { driver } = context
  const place = newPlace(context, name, session, writerRole)
  try {
    if (!waits && (await place.look(limits)).line.length > 0) {
      place.leaveLater()
      return undefined
    }
    await place.enter(limits)
    if (!waits && place.ahead() !== 'first') {
      place.leaveLater()
      return undefined
    }
    const { results } = await place.awaitFirst(limits)
    const token = tokenIn(entryAt(results, floorAt)) + place.createRevision
    const what = `write lock ${JSON.stringify(name)}`
    const key = roomKey(context, 'rwlocks', name, 'generation')
    const record = {
      compares: [isStill(place.key, place.createRevision)],
      success: [{ type: 'put', key, value: tokenBytes(token) } as const],
    }
    const { succeeded } = await persist(driver.outside, limits, (call) => driver.transact(record, call))
    if (!succeeded)
      throw new SynodError('LOCK_LOST', `${what} was lost while it was granted: its key was deleted; acquire it anew`)
    return new LockHolding(holdingParts(context, place, what, session), name, token)
  } catch (error) {
    place.leaveLater()
    throw error
  }
}

function holdingParts(context: PlaneContext, place: PlaceInLine, what: string, session: Session): HoldingParts {
  const { key, createRevision } = place
  return { driver: context.driver, what, session, key, createRevision, letGo: () => place.leave() }
}

class ReadHolding extends Holding implements HeldReadLock {
  readonly name: string
  readonly generation: number

  constructor(parts: HoldingParts, name: string, generation: number) {
    super(parts)
    this.name = name
    this.generation = generation
  }
}
