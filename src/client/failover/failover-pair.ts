/**
 * A primary and its standbys: members register in the registry, and the healthy ones stand for election. Used by
 * `synod.failover`.
 *
 * - F1  A member stands only while its own health check says that it is healthy, and steps down when it does not.
 * - F2  A member that steps down by itself (unhealthy, closed) resigns only after `onDemote` is done: the next primary is
 *       promoted after this one stopped. One that lost its session may overlap: the fencing token tells them apart.
 * - F3  Clients are told of a primary only once its `onPromote` is done.
 */
import type { PlaneContext } from '../context.ts'
import { createElectionIn, type Election, type Leader, type Leadership } from '../elections/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, cancelledError } from '../limits.ts'
import { checkRegisterOptions, createRegistry, type RegisterOptions, type Registration } from '../registry/index.ts'
import { Backoff, Bell, flatMapped, pause } from '../watching/index.ts'
import { decodePrimary, encodePrimary, type Primary } from './primary.ts'

/** How this process takes part. */
export interface FailoverPairOptions {
  /** Its place in the registry, whose service is the pair's name. */
  readonly instance: Omit<RegisterOptions, 'service'>
  /**
   * Makes this process the primary: opens for writes, with this token on all it writes elsewhere. Clients are told once
   * it is done. `signal` fires when it must stop being primary, which may be while it still runs. When it throws, another
   * member has its turn.
   */
  onPromote(fencingToken: number, signal: AbortSignal): Promise<void> | void
  /** Makes it a standby again. Called once after each `onPromote`, also one that threw. */
  onDemote?(): Promise<void> | void
  /** Told of what the callbacks threw, and of failures of the engine, which are tried again. Default: they are logged. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** What clients see of a pair. */
export interface FailoverView {
  readonly name: string
  /** The primary now, by a linearizable read; undefined while there is none that is ready. */
  primary(limits?: CallLimits): Promise<Primary | undefined>
  /** The primary now, and after each change. Converges. Leave it with `break`, or by `signal`, which throws `CANCELLED`. */
  watchPrimary(limits?: Pick<CallLimits, 'signal'>): AsyncIterableIterator<Primary | undefined>
}

/** A member of a pair (which may have more than two). */
export interface FailoverPair extends FailoverView {
  readonly role: 'standby' | 'primary'
  /** Steps down, deregisters. Resolves when that is done. Safe to repeat. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Takes part in the pair `name`, from now until it is closed. Throws `INVALID_ARGUMENT` for an instance that is none. */
export function createFailoverPair(context: PlaneContext, name: string, options: FailoverPairOptions): FailoverPair {
  checkRegisterOptions(context, { ...options.instance, service: name })
  return new Member(context, name, options)
}

/** Looks at the pair `name` without taking part. */
export function createFailoverView(context: PlaneContext, name: string): FailoverView {
  const election = createElectionIn(context, 'registry', name)
  return {
    name,
    primary: async (limits) => primaryOf(await election.leader(limits)),
    watchPrimary: (limits) => watchPrimary(election, limits),
  }
}

class Member implements FailoverPair {
  readonly name: string
  private readonly context: PlaneContext
  private readonly options: FailoverPairOptions
  private readonly election: Election
  private readonly view: FailoverView
  private readonly closing = new AbortController()
  private readonly finished: Promise<void>
  private currentRole: 'standby' | 'primary' = 'standby'

  constructor(context: PlaneContext, name: string, options: FailoverPairOptions) {
    this.context = context
    this.name = name
    this.options = options
    this.election = createElectionIn(context, 'registry', name)
    this.view = createFailoverView(context, name)
    this.finished = this.takePart()
  }

  get role(): 'standby' | 'primary' {
    return this.currentRole
  }

  primary(limits?: CallLimits): Promise<Primary | undefined> {
    return this.view.primary(limits)
  }

  watchPrimary(limits?: Pick<CallLimits, 'signal'>): AsyncIterableIterator<Primary | undefined> {
    return this.view.watchPrimary(limits)
  }

  async close(): Promise<void> {
    this.closing.abort()
    await this.finished
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async takePart(): Promise<void> {
    const { outside } = this.context.driver
    const { signal } = this.closing
    const backoff = new Backoff(outside, { firstMs: 100, longestMs: 5000 })
    let registration: Registration | undefined
    while (!signal.aborted) {
      try {
        if (registration === undefined || registration.signal.aborted) registration = await this.register()
        await this.standOnce(registration)
      } catch (error) {
        if (signal.aborted) break
        this.tell(error)
        const own = this.options.instance.session
        if (own?.signal.aborted === true || isClosed(error)) break
        await pause(outside, backoff.next(), { signal }).catch(() => {})
      }
    }
    await registration?.close()
  }

  private register(): Promise<Registration> {
    const { signal } = this.closing
    const registry = createRegistry(this.context)
    return registry.register({ ...this.options.instance, service: this.name }, { signal })
  }

  /** Waits for health, for leadership, and for their end. */
  private async standOnce(registration: Registration): Promise<void> {
    await this.untilHealthy(registration)
    const unfit = new AbortController()
    const stopListening = registration.onHealthChange((healthy) => {
      if (!healthy) unfit.abort()
    })
    if (!registration.healthy) unfit.abort()
    const signal = AbortSignal.any([this.closing.signal, registration.signal, unfit.signal])
    try {
      const value = encodePrimary(this.primaryWith(registration, false))
      const { session } = this.options.instance
      const leadership = await this.election.campaign({ value, signal, session }).catch((error: unknown) => {
        if (signal.aborted) return undefined
        throw error
      })
      if (leadership === undefined) return
      if (signal.aborted) await leadership.resign()
      else await this.reign(leadership, registration, signal)
    } finally {
      stopListening()
    }
  }

  private async reign(leadership: Leadership, registration: Registration, stepDown: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([leadership.signal, stepDown])
    this.currentRole = 'primary'
    try {
      await this.options.onPromote(leadership.fencingToken, signal)
      if (!signal.aborted) {
        await leadership.proclaim(encodePrimary(this.primaryWith(registration, true)), { signal })
        await fired(signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.currentRole = 'standby'
      try {
        await this.options.onDemote?.()
      } catch (error) {
        this.tell(error)
      }
      await leadership.resign()
    }
  }

  private primaryWith({ id }: Registration, ready: boolean): Parameters<typeof encodePrimary>[0] {
    const { address, port, metadata = {} } = this.options.instance
    return { id, address, port, metadata, ready }
  }

  private async untilHealthy(registration: Registration): Promise<void> {
    const bell = new Bell()
    const stopListening = registration.onHealthChange(() => bell.ring())
    try {
      const signal = AbortSignal.any([this.closing.signal, registration.signal])
      while (!registration.healthy) await bell.heard(this.context.driver.outside, { signal })
      if (signal.aborted) throw cancelledError(signal)
    } finally {
      stopListening()
    }
  }

  private tell(error: unknown): void {
    const { logger } = this.context.driver.outside
    try {
      if (this.options.onError !== undefined) this.options.onError(error)
      else logger.warn('a member of a failover pair failed', { failover: this.name, error: String(error) })
    } catch (thrown) {
      // A listener that throws ends nothing.
      logger.error('an onError threw', { failover: this.name, error: String(thrown) })
    }
  }
}

function watchPrimary(
  election: Election,
  limits: Pick<CallLimits, 'signal'> = {},
): AsyncIterableIterator<Primary | undefined> {
  let told: string | undefined
  return flatMapped(election.observe(limits)[Symbol.asyncIterator](), (leader) => {
    const primary = primaryOf(leader)
    const state = primary === undefined ? 'none' : JSON.stringify(primary)
    if (state === told) return []
    told = state
    return [primary]
  })
}

function primaryOf(leader: Leader | undefined): Primary | undefined {
  return leader === undefined ? undefined : decodePrimary(leader.value, leader.fencingToken)
}

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function isClosed(error: unknown): boolean {
  return error instanceof SynodError && (error.code === 'CLOSED' || error.code === 'ENGINE_FAILED')
}
