/**
 * Keeps one instance registered: writes its state when that changes, registers it anew after its session was lost, and
 * probes its health.
 *
 * - R1  One write is under way at a time, and `bell` rings whenever there may be reason for another.
 * - R2  What is written is the newest wish; what was wished in between may never be seen.
 * - R3  `over` fires once, with why; nothing is written after that but the removal.
 */
import { type PlaneContext, roomKey } from '../context.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { endingWith, freshId } from '../turns/index.ts'
import { Backoff, Bell, latestStates, pause } from '../watching/index.ts'
import { type HealthCheck, probingOf } from './health-check.ts'
import type { InstanceRecord } from './instance.ts'
import { ProbeLoop } from './probe-loop.ts'
import { RegisteredKey } from './registered-key.ts'

/** An instance of a service: where it is reached, what is known of it, and how its health is seen. */
export interface RegisterOptions {
  readonly service: string
  /** Names the instance in its service; registering under an id that is taken takes it over. Default: made up. */
  readonly id?: string | undefined
  /** Where the instance is reached: a host name or numeric address. */
  readonly address: string
  readonly port?: number | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** Default `{ type: 'ttl' }`. */
  readonly health?: HealthCheck | undefined
  /**
   * What the registration hangs on. Default: the session that all primitives of this connection share, and after its loss
   * the next one. With a session of your own the registration is over when that is.
   */
  readonly session?: Session | undefined
}

/** An instance that this process keeps registered. */
export interface Registration {
  readonly service: string
  readonly id: string
  /** What its health check says now, whether or not that is written yet. */
  readonly healthy: boolean
  /** Fires when it is over: closed (`CLOSED`), taken over by another (`ALREADY_EXISTS`), or its own session ended. */
  readonly signal: AbortSignal
  /** Changes the metadata. Resolves when that is written; rejects when the registration is over before. */
  update(change: { readonly metadata: Readonly<Record<string, string>> }): Promise<void>
  /** Calls `listener` at each change of `healthy`, until the function it returns is called. */
  onHealthChange(listener: (healthy: boolean) => void): () => void
  /** Deregisters. Resolves when the instance is certainly gone, or its session is over. Safe to repeat. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

export class KeptRegistration implements Registration {
  readonly service: string
  readonly id: string
  readonly signal: AbortSignal
  private readonly context: PlaneContext
  private readonly options: RegisterOptions
  private readonly by: string
  private readonly key: RegisteredKey
  private readonly probing: ProbeLoop | undefined
  private readonly over = new AbortController()
  private readonly bell = new Bell()
  private readonly healthListeners = new Set<(healthy: boolean) => void>()
  private readonly finished: Promise<void>
  /** Whoever waits for the next write of the newest wish. */
  private waiters: Waiter[] = []
  /** Whether something was wished since the last write began, or that failed. */
  private isStale = true
  /** The session that was asked for last, and the one that the key was last written on. */
  private session: Session | undefined
  private writtenOn: Session | undefined
  private metadata: Readonly<Record<string, string>>
  private isHealthy: boolean
  private reason = 'not probed yet'

  constructor(context: PlaneContext, options: RegisterOptions) {
    const { outside } = context.driver
    const { service, id = freshId(outside), health = { type: 'ttl' } } = options
    this.context = context
    this.options = options
    this.service = service
    this.id = id
    this.by = freshId(outside)
    this.signal = this.over.signal
    this.metadata = { ...options.metadata }
    const key = roomKey(context, 'registry', service, 'instances', escapedPart(context, id))
    this.key = new RegisteredKey(
      context.driver,
      key,
      roomKey(context, 'registry', service, 'removed', this.by),
      this.by,
    )
    const probing = probingOf(outside, health, options)
    this.isHealthy = probing === undefined
    if (probing !== undefined) {
      const { probe, pace } = probing
      this.probing = new ProbeLoop(outside, probe, pace, (healthy, reason) => this.setHealth(healthy, reason))
    }
    this.finished = this.keep()
  }

  get healthy(): boolean {
    return this.isHealthy
  }

  update({ metadata }: { readonly metadata: Readonly<Record<string, string>> }): Promise<void> {
    if (this.signal.aborted) return Promise.reject(this.signal.reason)
    this.metadata = { ...metadata }
    return this.written()
  }

  /** Resolves when the wish as it is now is written. */
  written(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject })
      this.isStale = true
      this.bell.ring()
    })
  }

  onHealthChange(listener: (healthy: boolean) => void): () => void {
    this.healthListeners.add(listener)
    return () => this.healthListeners.delete(listener)
  }

  async close(): Promise<void> {
    this.end(new SynodError('CLOSED', `the registration of '${this.id}' was closed`))
    await this.finished
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async keep(): Promise<void> {
    const { outside } = this.context.driver
    const watching = this.watchKey()
    const backoff = new Backoff(outside, { firstMs: 100, longestMs: 5000 })
    while (!this.signal.aborted) {
      try {
        const session = this.options.session ?? (await this.context.sessions.shared({ signal: this.signal }))
        this.session = session
        if (session.signal.aborted) throw session.signal.reason
        if (this.isStale || this.key.isDisturbed || session !== this.writtenOn) await this.writeOn(session)
        await this.nextOccasion(session)
      } catch (error) {
        if (this.signal.aborted) break
        if (!this.mayGoOn(error)) this.end(error)
        else await pause(outside, backoff.next(), { signal: this.signal }).catch(() => {})
      }
    }
    await watching
    if (this.session !== undefined) await this.remove(this.session)
  }

  private async writeOn(session: Session): Promise<void> {
    const { waiters } = this
    this.waiters = []
    this.isStale = false
    try {
      const limits = { signal: this.signal }
      await endingWith(session, limits, () => this.key.write(session, this.wish(), limits))
    } catch (error) {
      this.waiters.push(...waiters)
      this.isStale = true
      throw error
    }
    this.writtenOn = session
    for (const waiter of waiters) waiter.resolve()
    if (this.key.isDisturbed) this.bell.ring()
  }

  /** Resolves when there may be something to write: a wish, another session, or a key that is not as written. */
  private async nextOccasion(session: Session): Promise<void> {
    const onEnd = (): void => this.bell.ring()
    session.signal.addEventListener('abort', onEnd)
    if (session.signal.aborted) onEnd()
    try {
      await this.bell.heard(this.context.driver.outside, { signal: this.signal })
    } finally {
      session.signal.removeEventListener('abort', onEnd)
    }
  }

  private async watchKey(): Promise<void> {
    const { driver } = this.context
    const range = { start: this.key.key, end: undefined }
    try {
      for await (const { entries, revision } of latestStates(driver, range, { signal: this.signal })) {
        this.key.see(entries.get(this.key.key), revision)
        if (this.key.isDisturbed) this.bell.ring()
      }
    } catch (error) {
      if (this.signal.aborted) return
      driver.outside.logger.warn('a registration can no longer notice changes by others', { error: String(error) })
    }
  }

  private async remove(session: Session): Promise<void> {
    try {
      await this.key.remove(session)
    } catch (error) {
      // The engine removes the key with the session.
      if (session.signal.aborted) return
      const fields = { service: this.service, id: this.id, error: String(error) }
      this.context.driver.outside.logger.warn('a registration stays until its session ends', fields)
    }
  }

  private wish(): InstanceRecord {
    const { by, id, metadata, isHealthy: healthy } = this
    const { address, port } = this.options
    return { by, id, address, port, metadata, healthy, reason: healthy ? '' : this.reason }
  }

  private setHealth(healthy: boolean, reason: string): void {
    this.isHealthy = healthy
    this.reason = reason
    this.isStale = true
    this.bell.ring()
    for (const listener of [...this.healthListeners]) {
      try {
        listener(healthy)
      } catch (error) {
        const fields = { service: this.service, id: this.id, error: String(error) }
        this.context.driver.outside.logger.error('a listener of health changes threw', fields)
      }
    }
  }

  private mayGoOn(error: unknown): boolean {
    if (!(error instanceof SynodError)) return false
    if (error.code === 'SESSION_LOST') return this.options.session === undefined
    return error.retryable || error.outcome === 'unknown'
  }

  private end(error: unknown): void {
    if (this.signal.aborted) return
    this.probing?.stop()
    this.over.abort(error)
    for (const waiter of this.waiters) waiter.reject(error)
    this.waiters = []
  }
}

/** Throws `INVALID_ARGUMENT` for an instance that cannot be registered. */
export function checkRegisterOptions(context: PlaneContext, options: RegisterOptions): void {
  const { service, id = 'x', address, port, health = { type: 'ttl' } } = options
  if (typeof address !== 'string' || address === '')
    throw new SynodError(
      'INVALID_ARGUMENT',
      `an instance of ${service} has no address: give the host that others reach it by`,
    )
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535))
    throw new SynodError(
      'INVALID_ARGUMENT',
      `an instance of ${service} has the port ${port}; a port is from 1 to 65535`,
    )
  roomKey(context, 'registry', service, escapedPart(context, id))
  probingOf(context.driver.outside, health, options)
}

/** An id as the last part of a key, escaped and checked as names are. */
function escapedPart(context: PlaneContext, id: string): string {
  return roomKey(context, 'registry', id).slice(roomKey(context, 'registry', 'x').length - 1)
}
