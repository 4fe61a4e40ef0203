/**
 * A double barrier: `count` processes begin together and end together (ZooKeeper recipe "Double Barriers").
 *
 * A process enters with a member key that hangs on its session. Members form rounds in the order in which they came: once
 * `count` of them stand after the last bound, whoever sees that writes the revision of the key that completes them as the
 * next bound. A member is in once a bound reaches it.
 *
 * - D1  Bounds rise. A round's members are those made after the bound before and up to its own, so a process that comes
 *       again, or one too many, belongs to the next round, never to one that is under way.
 * - D2  When a bound is written, `count` members were there at one moment, after every bound before.
 * - D3  While entering, each looks once it is there, and again when there is a new bound. Members that go complete
 *       nothing, so of those that are there the last one to come saw all others: no round that is complete is left
 *       waiting. While leaving, all but the oldest wait for the oldest, and the oldest for the youngest.
 *
 * Differs: the recipe's `ready` key is there or not, and must be gone before the barrier is used again; bounds make
 * rounds tell themselves apart.
 */
import { utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, prefixEnd, roomKey } from '../context.ts'
import type { CallOptions, Entry, Key, KeyRange, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import type { Session } from '../sessions/index.ts'
import { endingWith, freshId, isBefore, LeasedKey, lastingAsLongAs, persist } from '../turns/index.ts'
import { awaitGone, latestStates } from '../watching/index.ts'

const boundsKept = 16

/** What may be said of a double barrier when it is made; all of it can be left out. */
export interface DoubleBarrierOptions {
  /** What memberships hang on. Default: the session that all primitives of this connection share. */
  readonly session?: Session | undefined
}

/**
 * A barrier that `count` processes enter together and leave together. One object is one member: it enters, then leaves,
 * and may do so again. Every process must give the same count.
 */
export interface DoubleBarrier {
  readonly name: string
  readonly count: number
  /**
   * Resolves when `count` members are in. Waits for as long as it takes, unless `timeoutMs` is given. After a rejection
   * (`TIMEOUT`, `CANCELLED`, `SESSION_LOST`) this member is not in, or is taken out as soon as the engine can be reached;
   * others may have counted it.
   */
  enter(limits?: CallLimits): Promise<void>
  /**
   * Resolves when all members of this round have left or lost their sessions. This member has left, or soon has, also
   * when the wait ends with `TIMEOUT` or `CANCELLED`. Rejects with `SESSION_LOST` when its own session was lost.
   */
  leave(limits?: CallLimits): Promise<void>
}

interface Round {
  /** Members were made after this revision … */
  readonly after: Revision
  /** … and up to this one. */
  readonly upTo: Revision
}

interface Bounds {
  readonly count: number
  /** The newest last. */
  readonly bounds: readonly Revision[]
  /** 0: nobody wrote any yet. */
  readonly modRevision: Revision
}

/** Makes a member of the double barrier `name`. Throws `INVALID_ARGUMENT` unless `count` is an integer above 0. */
export function createDoubleBarrier(
  context: PlaneContext,
  name: string,
  count: number,
  options: DoubleBarrierOptions = {},
): DoubleBarrier {
  if (!Number.isInteger(count) || count < 1)
    throw new SynodError('INVALID_ARGUMENT', `a double barrier is for 1 or more members, not ${count}`)
  return new Member(context, name, count, options.session)
}

interface Inside {
  readonly session: Session
  readonly key: LeasedKey
  readonly round: Round
}

class Member implements DoubleBarrier {
  readonly name: string
  readonly count: number
  private readonly context: PlaneContext
  private readonly givenSession: Session | undefined
  private readonly boundsKey: Key
  private readonly members: KeyRange
  private state: 'out' | 'entering' | 'leaving' | Inside = 'out'

  constructor(context: PlaneContext, name: string, count: number, session: Session | undefined) {
    this.context = context
    this.name = name
    this.count = count
    this.givenSession = session
    this.boundsKey = roomKey(context, 'barriers', name, 'bounds')
    const start = roomKey(context, 'barriers', name, 'members', '')
    this.members = { start, end: prefixEnd(start) }
  }

  enter(limits: CallLimits = {}): Promise<void> {
    return this.context.tracing.span('double-barrier.enter', { 'synod.name': this.name }, async () => {
      if (this.state !== 'out')
        throw new SynodError('INVALID_ARGUMENT', 'this member is in already, or about to be; leave first')
      this.state = 'entering'
      try {
        this.state = await this.comeIn(callOptions(this.context, limits))
      } finally {
        if (this.state === 'entering') this.state = 'out'
      }
    })
  }

  leave(limits: CallLimits = {}): Promise<void> {
    return this.context.tracing.span('double-barrier.leave', { 'synod.name': this.name }, async () => {
      const inside = this.state
      if (typeof inside === 'string') throw new SynodError('INVALID_ARGUMENT', 'this member is not in; enter first')
      this.state = 'leaving'
      const options = callOptions(this.context, limits)
      try {
        await endingWith(inside.session, options, () => this.goOut(inside, lastingAsLongAs(inside.session, options)))
      } finally {
        this.state = 'out'
        this.takeBack(inside.key)
      }
    })
  }

  private async comeIn(options: CallOptions): Promise<Inside> {
    const { context, name } = this
    const session = this.givenSession ?? (await context.sessions.shared(options))
    const id = `${session.id}-${freshId(context.driver.outside)}`
    const markKey = roomKey(context, 'barriers', name, 'withdrawn', id)
    const key = new LeasedKey(context.driver, session, { key: this.members.start + id, markKey, value: utf8Bytes(id) })
    try {
      const { made } = await key.make(options)
      if (!made) throw this.deleted()
      const limits = lastingAsLongAs(session, options)
      const round = await endingWith(session, options, () => this.awaitRound(key, limits))
      return { session, key, round }
    } catch (error) {
      this.takeBack(key)
      throw error
    }
  }

  private async awaitRound(own: LeasedKey, limits: CallOptions): Promise<Round> {
    for (;;) {
      const bounds = await this.readBounds(limits)
      const round = roundOf(own.createRevision, bounds)
      if (round !== undefined) return round
      const waiting = (await this.list(limits)).filter((entry) => entry.createRevision > lastBound(bounds))
      const completing = waiting[this.count - 1]
      if (!waiting.some((entry) => entry.key === own.key)) {
        // Between the two reads a round may have been completed, which the next look at the bounds shows.
        if (lastBound(await this.readBounds(limits)) === lastBound(bounds)) throw this.deleted()
      } else if (completing !== undefined) await this.complete(completing.createRevision, bounds, limits)
      else await this.boundsOtherThan(bounds.modRevision, limits)
    }
  }

  /** Writes the bound of a round that is complete; somebody else's bound makes it look again. */
  private async complete(bound: Revision, { bounds, modRevision }: Bounds, limits: CallOptions): Promise<void> {
    const { driver } = this.context
    const next = { count: this.count, bounds: [...bounds, bound].slice(-boundsKept) }
    await persist(driver.outside, patient(limits), (call) =>
      driver.transact(
        {
          compares: [{ key: this.boundsKey, target: 'modRevision', is: '=', value: modRevision }],
          success: [{ type: 'put', key: this.boundsKey, value: utf8Bytes(JSON.stringify(next)) }],
        },
        call,
      ),
    )
  }

  /** Resolves when somebody wrote a bound since. */
  private async boundsOtherThan(modRevision: Revision, limits: CallOptions): Promise<void> {
    const range = { start: this.boundsKey, end: undefined }
    for await (const { entries } of latestStates(this.context.driver, range, limits)) {
      if ((entries.get(this.boundsKey)?.modRevision ?? 0) !== modRevision) return
    }
  }

  private async goOut({ key, round }: Inside, limits: CallOptions): Promise<void> {
    const { driver } = this.context
    for (;;) {
      const staying = (await this.list(limits)).filter(
        ({ createRevision }) => createRevision > round.after && createRevision <= round.upTo,
      )
      const others = staying.filter((entry) => entry.key !== key.key)
      const [oldest] = others
      const youngest = others.at(-1)
      if (oldest === undefined || youngest === undefined) return key.withdraw()
      if (others.length < staying.length && isBefore(key, oldest)) {
        await awaitGone(driver, youngest.key, youngest.createRevision, limits)
      } else {
        await key.withdraw()
        await awaitGone(driver, oldest.key, oldest.createRevision, limits)
      }
    }
  }

  /** All members, the oldest first. */
  private async list(limits: CallOptions): Promise<Entry[]> {
    const { driver } = this.context
    const { entries } = await persist(driver.outside, patient(limits), (call) =>
      driver.list(this.members, { ...call, keysOnly: true }),
    )
    return [...entries].sort((a, b) => (isBefore(a, b) ? -1 : 1))
  }

  private async readBounds(limits: CallOptions): Promise<Bounds> {
    const { driver } = this.context
    const { entry } = await persist(driver.outside, patient(limits), (call) => driver.get(this.boundsKey, call))
    const bounds = decodeBounds(entry, this.count)
    if (bounds.count === this.count) return bounds
    const message = `the double barrier '${this.name}' is used with ${bounds.count} members, here with ${this.count}; use one count everywhere`
    throw new SynodError('INVALID_ARGUMENT', message)
  }

  private takeBack(key: LeasedKey): void {
    key.withdraw().catch((cause: unknown) => {
      const fields = { barrier: this.name, cause: String(cause) }
      this.context.driver.outside.logger.warn('a member of a barrier could not be taken out', fields)
    })
  }

  private deleted(): SynodError {
    return new SynodError('NOT_FOUND', `the member's key of the double barrier '${this.name}' was deleted; enter again`)
  }
}

function patient({ signal, deadlineMs = Number.POSITIVE_INFINITY }: CallOptions): CallOptions {
  return { signal, deadlineMs }
}

function lastBound({ bounds }: Bounds): Revision {
  return bounds.at(-1) ?? 0
}

/** The round of a member made at `revision`; undefined while no bound reaches it. */
function roundOf(revision: Revision, { bounds }: Bounds): Round | undefined {
  const index = bounds.findIndex((bound) => bound >= revision)
  return index === -1 ? undefined : { after: bounds[index - 1] ?? 0, upTo: bounds[index]! }
}

function decodeBounds(entry: Entry | undefined, count: number): Bounds {
  if (entry === undefined) return { count, bounds: [], modRevision: 0 }
  try {
    const { bounds, ...rest } = JSON.parse(new TextDecoder().decode(entry.value)) as { count: number; bounds: number[] }
    return { count: rest.count, bounds: bounds.map(Number), modRevision: entry.modRevision }
  } catch (cause) {
    throw new SynodError('CORRUPT', `the barrier's key ${JSON.stringify(entry.key)} holds something else; delete it`, {
      cause,
    })
  }
}
