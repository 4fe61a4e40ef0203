/**
 * A client's way to an engine that stands elsewhere: delays, lost requests, lost answers, requests that arrive after their
 * caller has given up, refusals. The engine behind it is a real one.
 */
import type { Prng } from '../../../base/index.ts'
import type { Scheduler } from '../../../runtime/index.ts'
import type { CallOptions, ClientRuntime, Driver } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'

/** Chances of each, from 0 to 1. */
export interface CallFaults {
  /** The request is lost; the caller hears that its fate is unknown. */
  readonly lostRequest: number
  /** The same to the caller; but the request arrives, up to `lateMs` later. */
  readonly lateRequest: number
  /** It was applied; the caller hears that its fate is unknown. */
  readonly lostAnswer: number
  /** It is refused with certainty. */
  readonly refused: number
}

export const noFaults: CallFaults = { lostRequest: 0, lateRequest: 0, lostAnswer: 0, refused: 0 }
export const manyFaults: CallFaults = { lostRequest: 0.06, lateRequest: 0.06, lostAnswer: 0.08, refused: 0.05 }

export interface FaultyDriverOptions {
  readonly inner: Driver
  readonly outside: ClientRuntime
  /** Of the world rather than of the client: what is under way does not stop when the client does. */
  readonly wire: Scheduler
  readonly random: Prng
  /** Asked for each call. */
  readonly faults: () => CallFaults
}

const latencyMsMax = 5
const givenUpAfterMs = 50
const lateMs = 400

export function faultyDriver({ inner, outside, wire, random, faults }: FaultyDriverOptions): Driver {
  const after = <T>(scheduler: Scheduler, delayMs: number, work: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => scheduler.setTimer(delayMs, () => void work().then(resolve, reject)))
  const latency = (): number => random.float() * latencyMsMax

  async function cross<T>(call: () => Promise<T>): Promise<T> {
    const chances = faults()
    let draw = random.float()
    const hit = (chance: number): boolean => {
      draw -= chance
      return draw < 0
    }
    const unknown = () =>
      after<T>(outside.scheduler, givenUpAfterMs, () =>
        Promise.reject(new SynodError('UNAVAILABLE', 'the connection broke', { outcome: 'unknown' })),
      )
    if (hit(chances.refused))
      return after<T>(outside.scheduler, latency(), () => Promise.reject(new SynodError('UNAVAILABLE', 'refused')))
    if (hit(chances.lostRequest)) return unknown()
    if (hit(chances.lateRequest)) {
      after(wire, random.float() * lateMs, call).catch(() => {})
      return unknown()
    }
    const answer = after(wire, latency(), call)
    if (hit(chances.lostAnswer)) {
      answer.catch(() => {})
      return unknown()
    }
    return answer.then(
      (value) => after(outside.scheduler, latency(), () => Promise.resolve(value)),
      (error: unknown) => after<T>(outside.scheduler, latency(), () => Promise.reject(error)),
    )
  }

  // Limits end what the caller sees, not what the engine does.
  const own = (_options?: CallOptions): CallOptions => ({})
  const stamped = async (call: () => ReturnType<Driver['grantLease']>) => {
    const sentAtMs = outside.clock.monotonicMs()
    return { ...(await cross(call)), sentAtMs }
  }
  return {
    engine: inner.engine,
    can: inner.can,
    outside,
    get: (key, options) => cross(() => inner.get(key, { ...options, ...own() })),
    list: (range, options) => cross(() => inner.list(range, { ...options, ...own() })),
    transact: (transaction) => cross(() => inner.transact(transaction)),
    grantLease: (ttlMs) => stamped(() => inner.grantLease(ttlMs)),
    renewLease: (leaseId) => stamped(() => inner.renewLease(leaseId)),
    revokeLease: (leaseId) => cross(() => inner.revokeLease(leaseId)),
    observe: (range, sink, options) => inner.observe(range, sink, options),
    close: () => Promise.resolve(),
  }
}
