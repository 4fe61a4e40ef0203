/**
 * All sessions of one connection. Owned by the plane, which closes it before the driver.
 *
 * - I1  `open` sessions are those that are not over.
 * - I2  `making` is set exactly while a shared session is being made; all who ask meanwhile get that one.
 */
import type { CallOptions, ClientRuntime, LeaseAnswer } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { Backoff, Bell, pause } from '../watching/index.ts'
import { LiveSession } from './live-session.ts'
import type { LeaseDriver, Session, SessionOptions, Sessions } from './session.ts'
import { type DriftMargin, sessionDeadlineMs } from './session-deadline.ts'

const ttlMsDefault = 10_000
/** What `docs/fault-model.md` grants each clock, twice. */
const driftPpmDefault = 10_000
const ttlMsMin = 1_000
const ttlMsMax = 86_400_000
/** So long the engine is asked to end all sessions when the connection is closed. */
const closeMsMax = 5_000

export interface SessionsSettings {
  /** Of the shared session, and of those that are opened without one of their own. Default 10 000. */
  readonly ttlMs?: number | undefined
  /** By how much this machine's clock and the engine's may differ in speed, in millionths. Default 10 000: both may be off by half of it. */
  readonly driftPpm?: number | undefined
  /** How much earlier than that a session is taken for lost. Default 10. */
  readonly marginMs?: number | undefined
}

/** The sessions of one driver. */
export function createSessions(driver: LeaseDriver, settings: SessionsSettings = {}): Sessions {
  return new SessionPool(driver, settings)
}

class SessionPool implements Sessions {
  private readonly driver: LeaseDriver
  private readonly ttlMs: number
  private readonly margin: DriftMargin
  private readonly alive = new Set<LiveSession>()
  private readonly closing = new AbortController()
  private current: Session | undefined
  private making: Promise<Session> | undefined

  constructor(driver: LeaseDriver, settings: SessionsSettings) {
    this.driver = driver
    this.ttlMs = checkedTtlMs(settings.ttlMs ?? ttlMsDefault)
    this.margin = { driftPpm: settings.driftPpm ?? driftPpmDefault, fixedMs: settings.marginMs ?? 10 }
  }

  async shared(options: CallOptions = {}): Promise<Session> {
    const { current } = this
    if (current !== undefined && current.remainingMs() > 0) return current
    this.making ??= this.make(this.ttlMs, undefined)
      .then((session) => {
        this.current = session
        return session
      })
      .finally(() => {
        this.making = undefined
      })
    return inTime(this.driver.outside, this.making, options)
  }

  async open(options: SessionOptions = {}): Promise<Session> {
    return this.make(checkedTtlMs(options.ttlMs ?? this.ttlMs), options.signal)
  }

  async close(): Promise<void> {
    this.closing.abort(new SynodError('CLOSED', 'the connection was closed by this program; connect again'))
    const ended = new AbortController()
    const patience = pause(this.driver.outside, closeMsMax, { signal: ended.signal }).catch(() => {})
    const closed = Promise.all([...this.alive].map((session) => session.close())).finally(() => ended.abort())
    await Promise.race([closed, patience])
  }

  private async make(ttlMs: number, signal: AbortSignal | undefined): Promise<Session> {
    const stop = signal === undefined ? this.closing.signal : AbortSignal.any([signal, this.closing.signal])
    try {
      const answer = await this.grant(ttlMs, stop)
      if (stop.aborted) {
        // Nobody would renew it.
        void this.driver.revokeLease(answer.leaseId).catch(() => {})
        stop.throwIfAborted()
      }
      return this.begin(answer)
    } catch (error) {
      if (this.closing.signal.aborted) throw this.closing.signal.reason
      if (signal?.aborted === true) throw cancelled(signal)
      throw error
    }
  }

  private begin(answer: LeaseAnswer): Session {
    const hex = Buffer.from(this.driver.outside.random.bytes(4)).toString('hex')
    const session = new LiveSession({
      driver: this.driver,
      id: `${answer.leaseId.toString(16).padStart(16, '0')}-${hex}`,
      answer,
      margin: this.margin,
      onOver: (over) => {
        this.alive.delete(over)
      },
    })
    this.alive.add(session)
    return session
  }

  /** A lease that was granted without our hearing of it holds nothing and ends by itself, so that asking again is safe. */
  private async grant(ttlMs: number, signal: AbortSignal): Promise<LeaseAnswer> {
    const { outside } = this.driver
    const { clock } = outside
    const backoff = new Backoff(outside)
    const untilMs = clock.monotonicMs() + ttlMs
    for (;;) {
      let failure: unknown
      try {
        const answer = await this.driver.grantLease(ttlMs, { signal })
        if (sessionDeadlineMs(answer, this.margin) > clock.monotonicMs()) return answer
        void this.driver.revokeLease(answer.leaseId).catch(() => {})
        failure = new SynodError(
          'TIMEOUT',
          `a session of ${ttlMs} ms had already ended when the engine's answer came: the engine is slower than that; ask for a longer time-to-live`,
        )
      } catch (error) {
        failure = error
      }
      const delayMs = backoff.next()
      const retryable = failure instanceof SynodError && failure.retryable
      if (!retryable || signal.aborted || clock.monotonicMs() + delayMs >= untilMs) throw failure
      await pause(outside, delayMs, { signal })
    }
  }
}

function checkedTtlMs(ttlMs: number): number {
  if (Number.isFinite(ttlMs) && ttlMs >= ttlMsMin && ttlMs <= ttlMsMax) return ttlMs
  throw new SynodError(
    'INVALID_ARGUMENT',
    `a session lives from ${ttlMsMin} to ${ttlMsMax} ms without a renewal, not ${ttlMs}: give another ttlMs`,
  )
}

function cancelled(signal: AbortSignal): SynodError {
  return new SynodError('CANCELLED', 'opening a session was cancelled by its signal', { cause: signal.reason })
}

/** What others wait for too goes on when one of them leaves. */
async function inTime<T>(outside: ClientRuntime, work: Promise<T>, limits: CallOptions): Promise<T> {
  const bell = new Bell()
  const ring = (): void => bell.ring()
  work.then(ring, ring)
  await bell.heard(outside, limits)
  return work
}
