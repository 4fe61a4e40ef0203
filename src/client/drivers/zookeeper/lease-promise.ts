/**
 * How long a session is certain to live.
 *
 * The leader ends sessions. A server that follows answers a ping by itself, and reports it to the leader only with its
 * next heartbeat, within half a tick. Were it to die before, the leader would count from an earlier report; and one
 * that is cut off from the leader answers pings for a while, too. So a renewal is a ping and a `sync`, which the leader
 * must answer, in one write:
 *
 * - L1  `#confirmedAtMs` is a moment from which the leader counts, or later: that of the hello, when the session was
 *       opened or resumed (the leader took part in both), or of a ping at least half a tick older than a later sync that
 *       was answered. A tick is at most half of any session's time-out: the least that servers grant is two ticks.
 * - L2  A renewal promises what is certain from there: `confirmed + granted - sent`, which may be less than was wanted.
 *       The server is asked for 1.8 times what is wanted, so that it is not for who renews three times in it.
 */
import type { LeaseAnswer } from '../../driver/index.ts'

/** What a holder may count on. */
export type Promised = Pick<LeaseAnswer, 'ttlMs' | 'sentAtMs'>

const reserveFactor = 1.8
/** The protocol's time-outs are 32 bits. */
export const ttlMsMax = Math.floor(0x7fffffff / reserveFactor)

/** L2. */
export function askedOfServerMs(ttlMs: number): number {
  return Math.ceil(ttlMs * reserveFactor)
}

export class LeasePromise {
  readonly #wantedMs: number
  #grantedMs = 0
  /** L1. */
  #confirmedAtMs = 0
  /** Pings that were answered and are too new to be confirmed, the oldest first. */
  #answeredAtMs: number[] = []

  constructor(wantedMs: number) {
    this.#wantedMs = wantedMs
  }

  /** The session was opened or resumed by a hello of then. */
  opened(helloAtMs: number, grantedMs: number): Promised {
    this.#confirmedAtMs = helloAtMs
    this.#grantedMs = grantedMs
    this.#answeredAtMs = []
    return this.#from(helloAtMs)
  }

  /** A ping and a sync that were sent then have been answered. */
  answered(sentAtMs: number): Promised {
    const halfTickMsMax = this.#grantedMs / 4
    // Renewals under way at once may be answered in another order than they were sent.
    const due = this.#answeredAtMs.filter((atMs) => atMs <= sentAtMs - halfTickMsMax)
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, ...due)
    this.#answeredAtMs = this.#answeredAtMs.filter((atMs) => atMs > this.#confirmedAtMs)
    if (!this.#answeredAtMs.includes(sentAtMs)) this.#answeredAtMs.push(sentAtMs)
    return this.#from(sentAtMs)
  }

  #from(sentAtMs: number): Promised {
    const certainMs = this.#confirmedAtMs + this.#grantedMs - sentAtMs
    return { sentAtMs, ttlMs: Math.max(0, Math.min(this.#wantedMs, certainMs)) }
  }
}
