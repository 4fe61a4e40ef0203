/**
 * The keys that encrypt session tickets (RFC 8446 §4.6.1, RFC 5077 §4), made anew from time to time. One owner makes them
 * for all workers, so that a client resumes its session at whichever worker accepts it.
 *
 * A ticket of the keys before is not accepted: its client makes a full handshake, which costs it one round trip at most
 * once per rotation.
 */
import type { Random, Scheduler, Timer } from '../../runtime/index.ts'

/** As Node takes them: a name, an HMAC key and an AES key. */
export const ticketKeyBytes = 48
/** A stolen key opens the resumed sessions of this time, no more. */
const rotationMs = 3_600_000

export class TicketKeys {
  current: Uint8Array
  private readonly random: Random
  private readonly scheduler: Scheduler
  private readonly onRotated: (keys: Uint8Array) => void
  private timer: Timer | undefined

  constructor(random: Random, scheduler: Scheduler, onRotated: (keys: Uint8Array) => void) {
    this.random = random
    this.scheduler = scheduler
    this.onRotated = onRotated
    this.current = random.bytes(ticketKeyBytes)
    this.arm()
  }

  stop(): void {
    this.timer?.cancel()
  }

  private arm(): void {
    this.timer = this.scheduler.setTimer(rotationMs, () => {
      this.current = this.random.bytes(ticketKeyBytes)
      this.arm()
      this.onRotated(this.current)
    })
  }
}
