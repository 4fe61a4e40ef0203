/**
 * Leases: each is a ZooKeeper session of its own, with its own connection, and its keys are ephemeral nodes.
 */
import type { ClientRuntime, LeaseAnswer, LeaseId } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { Call } from './call.ts'
import { driverClosed, leaseNotFound, passOverLoss } from './errors.ts'
import { askedOfServerMs, LeasePromise, type Promised, ttlMsMax } from './lease-promise.ts'
import type { ZooKeeperSettings } from './options.ts'
import { answered, saysSessionIsGone } from './requests.ts'
import { ServerSession } from './session.ts'

export class Leases {
  readonly #settings: ZooKeeperSettings
  readonly #root: string
  readonly #outside: ClientRuntime
  readonly #onEnded: (zxid: bigint) => void
  readonly #leases = new Map<LeaseId, Lease>()

  /** `onEnded` is told the zxid at which a lease, and its keys, ended by {@link revoke}. */
  constructor(settings: ZooKeeperSettings, outside: ClientRuntime, onEnded: (zxid: bigint) => void) {
    this.#settings = settings
    this.#root = settings.root
    this.#outside = outside
    this.#onEnded = onEnded
  }

  sessionOf(leaseId: LeaseId): ServerSession | undefined {
    return this.#leases.get(leaseId)?.session
  }

  async grant(call: Call, ttlMs: number): Promise<LeaseAnswer> {
    if (!(ttlMs > 0 && ttlMs <= ttlMsMax))
      throw new SynodError('INVALID_ARGUMENT', `a lease of ${ttlMs} ms: give more than 0 and at most ${ttlMsMax}`)
    const lease = new Lease(this.#settings, ttlMs, this.#outside)
    call.onEnd(() => lease.abandon())
    await lease.session.connected(call)
    call.check()
    const granted = lease.session.timeoutMs
    if (granted < ttlMs) {
      lease.abandon()
      throw new SynodError(
        'INVALID_ARGUMENT',
        `the server grants sessions of at most ${granted} ms, and ${ttlMs} were asked for; ask for less, or raise maxSessionTimeout (default: 20 ticks) in its configuration`,
      )
    }
    const leaseId = lease.session.sessionId
    this.#leases.set(leaseId, lease)
    return { leaseId, ...lease.opened() }
  }

  async renew(call: Call, leaseId: LeaseId): Promise<LeaseAnswer> {
    const lease = this.#leases.get(leaseId)
    if (lease === undefined) throw leaseNotFound()
    return { leaseId, ...(await this.#whileKnown(leaseId, lease.renew(call, this.#root))) }
  }

  /** A lease of another driver cannot be told from none at all, and is left alone. */
  async revoke(call: Call, leaseId: LeaseId): Promise<void> {
    const lease = this.#leases.get(leaseId)
    if (lease === undefined) return
    try {
      this.#onEnded(await this.#whileKnown(leaseId, lease.revoke(call)))
    } catch (error) {
      if (!(error instanceof SynodError && error.code === 'LEASE_NOT_FOUND')) throw error
    }
    this.#leases.delete(leaseId)
  }

  close(): void {
    for (const lease of this.#leases.values()) lease.abandon()
    this.#leases.clear()
  }

  /** Forgets a lease that is found to be over. */
  async #whileKnown<T>(leaseId: LeaseId, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      if (error instanceof SynodError && error.code === 'LEASE_NOT_FOUND') this.#leases.delete(leaseId)
      throw error
    }
  }
}

class Lease {
  readonly session: ServerSession
  readonly #outside: ClientRuntime
  readonly #promise: LeasePromise

  constructor(settings: ZooKeeperSettings, ttlMs: number, outside: ClientRuntime) {
    this.#outside = outside
    this.#promise = new LeasePromise(ttlMs)
    const role = {
      timeoutMs: askedOfServerMs(ttlMs),
      isReplaceable: false,
      onWatch: () => {},
      onDisconnected: () => {},
    }
    this.session = new ServerSession(settings, role, outside)
  }

  /** After the session was opened or resumed. */
  opened(): Promised {
    return this.#promise.opened(this.session.helloAtMs, this.session.timeoutMs)
  }

  async renew(call: Call, root: string): Promise<Promised> {
    for (;;) {
      call.check()
      const resumedBefore = this.session.helloAtMs
      const connection = await this.session.connected(call)
      if (this.session.helloAtMs !== resumedBefore) return this.opened()
      const sentAtMs = this.#outside.clock.monotonicMs()
      // There must be time left to go to another server.
      const patience = this.#outside.scheduler.setTimer(this.session.timeoutMs / 6, () => connection.destroy())
      try {
        const [, sync] = await Promise.all([connection.send('ping', {}), connection.send('sync', { path: root })])
        if (saysSessionIsGone(sync.err)) this.session.expire()
        answered(sync, 'renew a lease')
        return this.#promise.answered(sentAtMs)
      } catch (error) {
        passOverLoss(error)
        connection.destroy()
      } finally {
        patience.cancel()
      }
    }
  }

  /** Resolves with the zxid at which its keys are gone. */
  async revoke(call: Call): Promise<bigint> {
    for (;;) {
      call.check()
      const connection = await this.session.connected(call)
      call.writeUnderWay = true
      try {
        const reply = await connection.send('closeSession', {})
        if (!saysSessionIsGone(reply.err)) answered(reply, 'end a lease')
        this.session.end(leaseNotFound())
        call.writeUnderWay = false
        return reply.zxid
      } catch (error) {
        // Ending it again is harmless, and tells whether it has ended.
        passOverLoss(error)
        connection.destroy()
      }
    }
  }

  /** Leaves the session to end by itself. */
  abandon(): void {
    this.session.end(driverClosed())
  }
}
