/**
 * A barrier: put up by one process, waited at by any number, taken down by any (ZooKeeper recipe "Barriers"; Curator's
 * `DistributedBarrier`).
 *
 * One key says how it stands: `{"state":"up","hold":ID}` or `{"state":"down","hold":ID}`, where the id is of the hold that
 * put it up last. No key: down.
 *
 * - B1  Each change is guarded by the revision it was decided on, so it is applied at most once, however often an answer
 *       is lost. This is why a barrier that is down keeps its key.
 */
import { utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, roomKey } from '../context.ts'
import type { CallOptions, Entry, Key, LeaseId, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import type { Session } from '../sessions/index.ts'
import { endingWith, freshId, lastingAsLongAs, persist } from '../turns/index.ts'
import { latestStates } from '../watching/index.ts'

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

interface BarrierState {
  readonly isUp: boolean
  /** Of the hold that put it up last; '' when there was none. */
  readonly hold: string
  /** 0: there is no key. */
  readonly modRevision: Revision
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
    if (!state.isUp) return { outcome: state.hold === holdId }
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
  let state: BarrierState | undefined
  return persist(driver.outside, limits, async (call) => {
    for (;;) {
      state = readState((await driver.get(key, call)).entry)
      const decision = decide(state)
      if ('outcome' in decision) return decision.outcome
      const value = utf8Bytes(JSON.stringify(decision.next))
      const { succeeded } = await driver.transact(
        {
          compares: [{ key, target: 'modRevision', is: '=', value: state.modRevision }],
          success: [{ type: 'put', key, value, ...(leaseId === undefined ? {} : { leaseId }) }],
        },
        call,
      )
      if (succeeded) return true
    }
  })
}

async function wait(context: PlaneContext, key: Key, limits: CallOptions): Promise<void> {
  for await (const { entries } of latestStates(context.driver, { start: key, end: undefined }, limits)) {
    if (!readState(entries.get(key)).isUp) return
  }
}

function readState(entry: Entry | undefined): BarrierState {
  if (entry === undefined) return { isUp: false, hold: '', modRevision: 0 }
  try {
    const { state, hold: id } = JSON.parse(new TextDecoder().decode(entry.value)) as { state?: unknown; hold?: unknown }
    return { isUp: state === 'up', hold: String(id), modRevision: entry.modRevision }
  } catch (cause) {
    throw new SynodError('CORRUPT', `the barrier's key ${JSON.stringify(entry.key)} holds something else; delete it`, {
      cause,
    })
  }
}
