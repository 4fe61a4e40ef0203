/**
 * Elections: candidates stand in a line of leased keys, and the oldest leads (etcd's `concurrency.Election`, ZooKeeper's
 * recipe for leader election). Used by `synod.election`, and by schedules and failover with keys of their own.
 *
 * - E1  A candidate waits for the one just ahead of it, so that each that goes wakes one.
 * - E2  The fencing token is the floor of tokens, read once it leads, plus the revision that made the candidacy. The line
 *       is ordered by that revision, so each leadership has a greater token than those before it.
 * - E3  A campaign that ends without leadership takes its candidacy back, also when it cannot know whether it stands.
 */
import { type PlaneContext, prefixEnd, type Room, roomKey } from '../context.ts'
import type { CallOptions, Entry, KeyRange } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import { readTokenFloor } from '../locks/index.ts'
import type { Session } from '../sessions/index.ts'
import { awaitTurn, endingWith, freshId, LeasedKey, lastingAsLongAs, standingAhead } from '../turns/index.ts'
import { HeldLeadership, type Leadership, proclamationBytes } from './leadership.ts'
import { type Leader, leaderOf, observeLeaders } from './observe.ts'
import { type RunWhileLeaderOptions, runWhileLeader } from './run-while-leader.ts'

/** How a candidate stands for an election. */
export interface CampaignOptions {
  /** What observers see while this candidate leads. Default: empty. */
  readonly value?: string | Uint8Array | undefined
  /** Takes the candidacy back: the campaign rejects with `CANCELLED`. Does nothing to a leadership already won. */
  readonly signal?: AbortSignal | undefined
  /** Rejects with `TIMEOUT` when it has not won within so many milliseconds. Default: waits for as long as it takes. */
  readonly waitMs?: number | undefined
  /** What the candidacy hangs on. Default: the session that all primitives of this connection share. */
  readonly session?: Session | undefined
}

/**
 * An election of one leader among any number of candidates, in the order in which they came.
 *
 * At any moment at most one candidate leads by its own clock (`assertLeader`, `remainingMs`), as long as clocks run at
 * nearly the same rate. A process that stood still may believe that it leads for as long as it cannot look: whatever a
 * leader changes elsewhere must carry `fencingToken`, which rises with each leadership.
 */
export interface Election {
  readonly name: string
  /**
   * Stands, and resolves once it leads. One process may stand several times.
   *
   * Rejects with `TIMEOUT` (after `waitMs`), `CANCELLED`, `SESSION_LOST` (stand again) or `NOT_LEADER` (somebody deleted
   * the candidacy). The candidacy is then taken back, as soon as the engine can be reached.
   *
   * @example
   * await using leadership = await synod.election('billing').campaign({ value: 'node-7' })
   * await runInvoices({ fencingToken: leadership.fencingToken, signal: leadership.signal })
   */
  campaign(options?: CampaignOptions): Promise<Leadership>
  /**
   * Follows who leads: the leader now (`undefined`: nobody), then each change of the leader or of its value. Converges:
   * a leader that came and went between two looks may be left out. Ends with `break`, or by throwing `CANCELLED`.
   */
  observe(limits?: Pick<CallLimits, 'signal'>): AsyncIterable<Leader | undefined>
  /** Who leads, by a linearizable read; `undefined`: nobody. */
  leader(limits?: CallLimits): Promise<Leader | undefined>
  /**
   * Runs `work` whenever this process leads. Resolves with what `work` returned while it led; stands again when
   * leadership was lost before. See {@link RunWhileLeaderOptions}. Rejects with what the engine says when it cannot be
   * reached for so long that no session can be opened (`UNAVAILABLE`, `TIMEOUT`).
   *
   * `work` never runs twice at once here: after a loss it is waited for, so it must end when `leadership.signal` fires.
   * What it throws after the loss is logged and forgotten; what it throws while leading is thrown, after resigning.
   */
  runWhileLeader<T>(options: RunWhileLeaderOptions, work: (leadership: Leadership) => Promise<T> | T): Promise<T>
}

/** Makes the election `name`. Nothing is asked of the engine until it is used. */
export function createElection(context: PlaneContext, name: string): Election {
  return createElectionIn(context, 'elections', name)
}

/** An election among the keys of another primitive. */
export function createElectionIn(context: PlaneContext, room: Room, name: string): Election {
  const line = candidatesOf(context, room, name)
  const election: Election = {
    name,
    campaign: (options = {}) =>
      context.tracing.span('election.campaign', { 'synod.name': name }, () => campaign(context, room, name, options)),
    observe: (limits = {}) => observeLeaders(context, line, limits),
    leader: (limits = {}) => leaderOf(context, line, callOptions(context, limits)),
    runWhileLeader: (options, work) => runWhileLeader(context, election, options, work),
  }
  return election
}

function candidatesOf(context: PlaneContext, room: Room, name: string): KeyRange {
  const start = roomKey(context, room, name, 'candidates', '')
  return { start, end: prefixEnd(start) }
}

async function campaign(
  context: PlaneContext,
  room: Room,
  name: string,
  options: CampaignOptions,
): Promise<Leadership> {
  const { driver } = context
  const { signal, waitMs } = options
  const limits: CallOptions = { signal, deadlineMs: callOptions(context, { timeoutMs: waitMs }).deadlineMs }
  const session = options.session ?? (await context.sessions.shared(limits))
  const value = proclamationBytes(options.value)
  const id = `${session.id}-${freshId(driver.outside)}`
  const key = roomKey(context, room, name, 'candidates', id)
  const candidacy = new LeasedKey(driver, session, {
    key,
    markKey: roomKey(context, room, name, 'withdrawn', id),
    value,
  })
  const line = candidatesOf(context, room, name)
  try {
    await stand(context, line, candidacy, session, limits)
    const floor = await endingWith(session, limits, () => {
      const { signal, deadlineMs = Number.POSITIVE_INFINITY } = lastingAsLongAs(session, limits)
      return readTokenFloor(context, { signal, deadlineMs })
    })
    session.assertAlive()
    return new HeldLeadership(context, { electionName: name, session, candidacy, value, floor })
  } catch (error) {
    candidacy.withdraw().catch((cause: unknown) => {
      driver.outside.logger.warn('a candidacy could not be taken back', { election: name, cause: String(cause) })
    })
    throw error
  }
}

/** Resolves when the candidacy is the first of the line. */
async function stand(
  context: PlaneContext,
  line: KeyRange,
  candidacy: LeasedKey,
  session: Session,
  limits: CallOptions,
): Promise<void> {
  const { driver } = context
  // Where the engine can, the look at the line travels with the key: an election without rivals costs one round trip.
  const look = { type: 'list', range: line, keysOnly: true } as const
  const made = await candidacy.make(limits, driver.can.rangeInTransaction ? { operations: [look] } : {})
  if (!made.made) throw removed()
  const [seen] = made.results ?? []
  if (seen?.type === 'list' && standingAhead(seen.entries as readonly Entry[], candidacy) === 'first') return
  const turn = await endingWith(session, limits, () =>
    awaitTurn(driver, line, candidacy, lastingAsLongAs(session, limits)),
  )
  if (turn === 'gone') {
    session.assertAlive()
    throw removed()
  }
}

function removed(): SynodError {
  return new SynodError('NOT_LEADER', 'the candidacy was deleted from outside while it waited; campaign again')
}
