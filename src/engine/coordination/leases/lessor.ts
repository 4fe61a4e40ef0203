import type { Clock, Logger, Scheduler, Timer } from '../../../runtime/index.ts'
import type { Group, GroupStatus } from '../../replication/index.ts'
import type { CoordinationState, StateObserver } from '../api.ts'
import type { Done, LeaseRevokeResult } from '../results.ts'
import {
  decodeLeaderRequest,
  encodeLeaderResponse,
  type LeaderRequest,
  type LeaderResponse,
  type LeaseState,
  leaseStates,
} from './leader-codec.ts'
import { LeaseDeadlines } from './lease-deadlines.ts'

/** What the lessor stands on. */
export interface LessorContext {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly group: Pick<Group<unknown>, 'linearizableRead' | 'status' | 'onStatusChange'>
  readonly state: Pick<CoordinationState, 'leases' | 'observe'>
  /** Replicates the end of a lease: `CoordinationEngine.leaseRevoke` with the reason `expired`. */
  readonly expire: (id: bigint, done: Done<LeaseRevokeResult>) => void
}

export interface LessorOptions {
  /** Added to every TTL when this node becomes leader. */
  readonly electionTimeoutMs: number
  /** Expired leases revoked in a second, at most. etcd: 1000. */
  readonly revokeRatePerSecond: number
  /** After a revocation whose fate is unknown, before it is proposed again. */
  readonly revokeRetryMs: number
}

export const defaultLessorOptions = { revokeRatePerSecond: 1000, revokeRetryMs: 3000 } as const

export interface LessorStats {
  readonly granted: number
  readonly revoked: number
  readonly renewed: number
  readonly expired: number
}

/** The revocation rate is kept in windows of this length, as in etcd. */
const windowMs = 500
/** The shortest time between two sweeps. */
const sweepGapMs = 20

/**
 * Decides, on the leader, when leases end, and answers for how long they last. Every node has one; only the leader's
 * does anything. The lease table is replicated; all that is here is soft (`LeaseDeadlines`).
 *
 * Called by: the state machine, as an observer; the group, on changes of leadership; `LeaseClient` of every node,
 * through `Group.callLeader` and `serve`.
 *
 * - I1  Deadlines mean something only while this node leads, and are those of one term.
 * - I2  Nothing is renewed, and no end proposed, before a read index that was asked for after the request came (after the
 *       deadline passed) confirms that this node still led: a leader that lost its office and does not know yet gives
 *       no client false hope and ends no lease that its successor renewed (etcd's issue 15247).
 * - I3  The end of a lease is proposed once at a time. The command is idempotent: a lease that is gone stays gone.
 */
export class Lessor {
  private readonly context: LessorContext
  private readonly options: LessorOptions
  private readonly deadlines = new LeaseDeadlines()
  /** The term in which this node leads; 0 while it does not. */
  private leadingTerm = 0
  private timer: Timer | undefined = undefined
  private sweeping = false
  private windowStartMs = 0
  private takenInWindow = 0
  private readonly counts = { granted: 0, revoked: 0, renewed: 0, expired: 0 }
  private readonly unsubscribe: (() => void)[]

  constructor(context: LessorContext, options: Pick<LessorOptions, 'electionTimeoutMs'> & Partial<LessorOptions>) {
    this.context = context
    this.options = { ...defaultLessorOptions, ...options }
    const observer: StateObserver = {
      onLeaseGranted: (id, ttlSeconds) => this.onGranted(id, ttlSeconds),
      onLeaseRevoked: (id) => this.onRevoked(id),
      onRestored: () => this.onRestored(),
    }
    this.unsubscribe = [
      context.state.observe(observer),
      context.group.onStatusChange((status) => this.onStatus(status)),
    ]
    this.onRestored()
    this.onStatus(context.group.status())
  }

  get stats(): LessorStats {
    return this.counts
  }

  /** The handler for `Group.setLeaderService`. Replies once, in a later turn or this one. */
  serve(request: Uint8Array, reply: (response: Uint8Array) => void): void {
    const decoded = decodeLeaderRequest(request)
    if (decoded === undefined) {
      reply(encodeLeaderResponse({ type: 'refused' }))
      return
    }
    this.confirmLeadership((leads) => {
      reply(encodeLeaderResponse(leads ? this.answer(decoded) : { type: 'not-leader' }))
    })
  }

  stop(): void {
    for (const end of this.unsubscribe) end()
    this.demote()
  }

  private answer(request: LeaderRequest): LeaderResponse {
    const nowMs = this.context.clock.monotonicMs()
    if (request.type === 'remaining') {
      const ms = this.deadlines.remainingMs(request.id, nowMs)
      return { type: 'answers', leases: [ms === undefined ? notFound : { state: leaseStates.alive, ms }] }
    }
    return { type: 'answers', leases: request.ids.map((id) => this.renew(id, nowMs)) }
  }

  private renew(id: bigint, nowMs: number): LeaseState {
    const renewal = this.deadlines.renew(id, nowMs)
    if (renewal.type === 'not-found') return notFound
    if (renewal.type === 'revoking') return { state: leaseStates.revoking, ms: 0 }
    this.counts.renewed++
    return { state: leaseStates.alive, ms: renewal.ttlSeconds * 1000 }
  }

  /** I2. `linearizableRead` shares one round of messages among all reads of a turn. */
  private confirmLeadership(done: (leads: boolean) => void): void {
    const term = this.leadingTerm
    if (term === 0) {
      done(false)
      return
    }
    this.context.group.linearizableRead((outcome) => done(outcome.ok && this.leadingTerm === term))
  }

  private onStatus(status: GroupStatus): void {
    const term = status.role === 'leader' ? status.term : 0
    if (term === this.leadingTerm) return
    if (term === 0) this.demote()
    else this.promote(term)
  }

  private promote(term: number): void {
    this.leadingTerm = term
    const { electionTimeoutMs, revokeRatePerSecond } = this.options
    this.deadlines.promote(this.context.clock.monotonicMs(), electionTimeoutMs, revokeRatePerSecond)
    if (this.deadlines.size > 0) this.context.logger.info('renewed all leases', { leases: this.deadlines.size, term })
    this.schedule()
  }

  private onRestored(): void {
    const { leases } = this.context.state
    const entries = function* (): Iterable<readonly [bigint, number]> {
      for (const id of leases.ids()) yield [id, leases.ttlSeconds(id) ?? 0]
    }
    this.deadlines.reset(entries())
    if (this.leadingTerm !== 0) this.promote(this.leadingTerm)
  }

  private demote(): void {
    this.leadingTerm = 0
    this.deadlines.demote()
    this.timer?.cancel()
    this.timer = undefined
  }

  private onGranted(id: bigint, ttlSeconds: number): void {
    this.counts.granted++
    this.deadlines.granted(id, ttlSeconds, this.context.clock.monotonicMs())
    this.schedule()
  }

  private onRevoked(id: bigint): void {
    this.counts.revoked++
    this.deadlines.revoked(id)
  }

  /** Sets the timer for the next sweep. It looks again every window, so a deadline that moves needs no new timer. */
  private schedule(): void {
    if (this.timer !== undefined || this.sweeping || this.leadingTerm === 0) return
    const { nextDueMs } = this.deadlines
    if (nextDueMs === undefined) return
    const nowMs = this.context.clock.monotonicMs()
    const rateDelayMs = this.allowance(nowMs) > 0 ? sweepGapMs : this.windowStartMs + windowMs - nowMs
    const delayMs = Math.max(rateDelayMs, Math.min(nextDueMs - nowMs, windowMs))
    this.timer = this.context.scheduler.setTimer(delayMs, () => {
      this.timer = undefined
      this.sweep()
    })
  }

  /** How many more leases may be taken in the present window. */
  private allowance(nowMs: number): number {
    if (nowMs - this.windowStartMs >= windowMs) {
      this.windowStartMs = nowMs
      this.takenInWindow = 0
    }
    return Math.max(0, Math.floor((this.options.revokeRatePerSecond * windowMs) / 1000) - this.takenInWindow)
  }

  /** Proposes the end of the leases whose deadline has passed. */
  private sweep(): void {
    const { nextDueMs } = this.deadlines
    if (nextDueMs === undefined || nextDueMs > this.context.clock.monotonicMs()) {
      this.schedule()
      return
    }
    this.sweeping = true
    this.confirmLeadership((leads) => {
      this.sweeping = false
      // Renewals that were waiting in sockets while this process stood still came in meanwhile: look again.
      if (leads) this.expireDue()
      this.schedule()
    })
  }

  private expireDue(): void {
    const nowMs = this.context.clock.monotonicMs()
    const ids = this.deadlines.takeExpired(nowMs, this.allowance(nowMs))
    this.takenInWindow += ids.length
    const term = this.leadingTerm
    for (const id of ids) {
      this.context.expire(id, (outcome) => {
        if (outcome.ok) this.counts.expired++
        if (outcome.ok || outcome.code === 'LEASE_NOT_FOUND' || this.leadingTerm !== term) return
        const dueMs = this.context.clock.monotonicMs() + this.options.revokeRetryMs
        this.deadlines.retry(id, dueMs, outcome.outcome === 'not-applied')
        this.context.logger.warn('could not revoke an expired lease', { lease: hexadecimal(id), reason: outcome.code })
        this.schedule()
      })
    }
  }
}

const notFound: LeaseState = { state: leaseStates.notFound, ms: 0 }

function hexadecimal(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16).padStart(16, '0')
}
