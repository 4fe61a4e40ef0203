/**
 * A barrier: put up by one process, waited at by any number, taken down by any (ZooKeeper recipe "Barriers"; Curator's
 * `DistributedBarrier`).
 *
 * One key says how it stands; a hold that hangs on a session has another, which goes with it:
 *
 *     synod/barriers/migrated/state        {"state":"up","hold":ID}: of the hold that put it up last. No key: down.
 *     synod/barriers/migrated/state        {"state":"up","hold":ID,"leased":true}: up while there is
 *     synod/barriers/migrated/state/ID     on the session
 *     synod/barriers/migrated/state        {"state":"down","hold":ID}
 *
 * - B1  Each change is guarded by the revision it was decided on, so it is applied at most once, however often an answer
 *       is lost. This is why the first key stays once it is there: its revision never comes back.
 * - B2  A hold's own key is made with the state that names it, and never again: once it is gone, that hold is over.
 */
import { emptyBytes, utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, prefixEnd, roomKey } from '../context.ts'
import type { CallOptions, Driver, Entry, Key, LeaseId, Operation, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import type { Session } from '../sessions/index.ts'
import { endingWith, freshId, lastingAsLongAs, persist } from '../turns/index.ts'
import { latestStates } from '../watching/index.ts'

/** How a barrier is put up: for how long at most the call may take, and with whose session it comes down again. */
export interface BarrierHoldOptions extends CallLimits {
  /** The barrier comes down when this session ends. Default: it stays up until it is released. */
  readonly session?: Session | undefined
}

/** A barrier that holds back whoever waits at it, until somebody releases it. */
export interface Barrier {
  readonly name: string
  /**
   * Puts the barrier up. Resolves with whether this call did: false when it was up. Applied at most once, also when
   * answers are lost.
   */
  hold(options?: BarrierHoldOptions): Promise<boolean>
  /** Takes it down, and so wakes all who wait. Resolves with whether this call did: false when it was down. */
  release(limits?: CallLimits): Promise<boolean>
  /**
   * Resolves when the barrier is down, at once if it is. Waits for as long as it takes, unless `timeoutMs` is given
   * (`TIMEOUT`). A barrier that is released and put up again at once may be seen as never down.
   *
   * @example
   * await synod.barrier('schema-migrated').wait({ timeoutMs: 60_000 })
   */
  wait(limits?: CallLimits): Promise<void>
}

/** What the barrier's key says. */
interface Written {
  readonly state: 'up' | 'down'
  /** Of the hold that put it up last; '' when there was none. */
  readonly hold: string
  /** Whether it is up only as long as the hold's own key is there. */
  readonly isLeased: boolean
  /** 0: there is no key. */
  readonly modRevision: Revision
}

interface BarrierState extends Written {
  readonly isUp: boolean
}

/** Makes the barrier `name`. Nothing is asked of the engine until it is used. */
export function createBarrier(context: PlaneContext, name: string): Barrier {
  const key = roomKey(context, 'barriers', name, 'state')
  const span = <T>(what: string, work: () => Promise<T>): Promise<T> =>
    context.tracing.span(`barrier.${what}`, { 'synod.name': name }, work)
  return {
    name,
    hold: (options = {}) => span('hold', () => hold(context, key, options)),
    release: (limits = {}) => span('release', () => release(context, key, callOptions(context, limits))),
    wait: (limits = {}) => span('wait', () => wait(context, key, callOptions(context, limits))),
  }
}

async function hold(context: PlaneContext, key: Key, options: BarrierHoldOptions): Promise<boolean> {
  const { session } = options
  const limits = callOptions(context, options)
  const id = freshId(context.driver.outside)
  const up = (call: CallOptions): Promise<boolean> =>
    change(context, key, call, session?.leaseId, (state) => {
      if (state.hold === id) return { outcome: true }
      return state.isUp ? { outcome: false } : { next: { state: 'up', hold: id } }
    })
  if (session === undefined) return up(limits)
  return endingWith(session, limits, () => up(lastingAsLongAs(session, limits)))
}

function release(context: PlaneContext, key: Key, limits: CallOptions): Promise<boolean> {
  /** The hold that this call is taking down. */
  let holdId: string | undefined
  return change(context, key, limits, undefined, (state) => {
    if (!state.isUp) return { outcome: state.state === 'down' && state.hold === holdId }
    // Released by this call or another, and put up again since.
    if (holdId !== undefined && state.hold !== holdId) return { outcome: true }
    holdId = state.hold
    return { next: { state: 'down', hold: holdId } }
  })
}

/** What to do about a state: to write another, or nothing because it is as wanted. */
type Decision =
  | { readonly next: { readonly state: 'up' | 'down'; readonly hold: string } }
  | { readonly outcome: boolean }

/** Resolves with true when `decide`'s write was applied, or with the outcome it decided on. */
async function change(
  context: PlaneContext,
  key: Key,
  limits: CallOptions,
  leaseId: LeaseId | undefined,
  decide: (state: BarrierState) => Decision,
): Promise<boolean> {
  const { driver } = context
  return persist(driver.outside, limits, async (call) => {
    for (;;) {
      const written = decode((await driver.get(key, call)).entry)
      const isUp = written.state === 'up' && (!written.isLeased || (await isThere(driver, holdKey(key, written), call)))
      const decision = decide({ ...written, isUp })
      if ('outcome' in decision) return decision.outcome
      const { succeeded } = await driver.transact(
        {
          compares: [{ key, target: 'modRevision', is: '=', value: written.modRevision }],
          success: stepsTo(key, decision.next, written, leaseId),
        },
        call,
      )
      if (succeeded) return true
    }
  })
}

function stepsTo(
  key: Key,
  next: { readonly state: 'up' | 'down'; readonly hold: string },
  before: Written,
  leaseId: LeaseId | undefined,
): Operation[] {
  const isLeased = next.state === 'up' && leaseId !== undefined
  const steps: Operation[] = [
    { type: 'put', key, value: utf8Bytes(JSON.stringify(isLeased ? { ...next, leased: true } : next)) },
  ]
  if (isLeased) steps.push({ type: 'put', key: holdKey(key, next), value: emptyBytes, leaseId })
  if (before.isLeased) steps.push({ type: 'delete', key: holdKey(key, before) })
  return steps
}

async function wait(context: PlaneContext, key: Key, limits: CallOptions): Promise<void> {
  for await (const { entries } of latestStates(context.driver, { start: key, end: prefixEnd(`${key}/`) }, limits)) {
    const written = decode(entries.get(key))
    if (written.state === 'down' || (written.isLeased && !entries.has(holdKey(key, written)))) return
  }
}

/** The key of a hold that hangs on a session. */
function holdKey(key: Key, { hold: id }: { readonly hold: string }): Key {
  return `${key}/${id}`
}

async function isThere(driver: Driver, key: Key, call: CallOptions): Promise<boolean> {
  return (await driver.get(key, call)).entry !== undefined
}

function decode(entry: Entry | undefined): Written {
  if (entry === undefined) return { state: 'down', hold: '', isLeased: false, modRevision: 0 }
  const { modRevision } = entry
  try {
    const { state, hold: id, leased } = JSON.parse(new TextDecoder().decode(entry.value)) as Record<string, unknown>
    return { state: state === 'up' ? 'up' : 'down', hold: String(id), isLeased: leased === true, modRevision }
  } catch (cause) {
    throw new SynodError('CORRUPT', `the barrier's key ${JSON.stringify(entry.key)} holds something else; delete it`, {
      cause,
    })
  }
}
