import type { PingPolicy } from './options.ts'

/** Without a stream, and without permission to ping then, pings may come this often (grpc-go's `defaultPingTimeout`). */
const idlePingIntervalMs = 2 * 60 * 60 * 1000
/** Grown past this, the connection ends (grpc-go's `maxPingStrikes`). */
const strikesMax = 2

/** Judges a client's pings as grpc-go does: too many too early, with nothing sent in between, end the connection. */
export class PingEnforcement {
  private readonly policy: PingPolicy
  private lastPingMs = Number.NEGATIVE_INFINITY
  private strikes = 0
  private sentSincePing = false

  constructor(policy: PingPolicy) {
    this.policy = policy
  }

  /** This side sent headers or data: the next ping is free. */
  sent(): void {
    this.sentSincePing = true
  }

  /** Returns false when the connection must end with ENHANCE_YOUR_CALM and `too_many_pings`. */
  allows(nowMs: number, openStreams: number): boolean {
    const elapsedMs = nowMs - this.lastPingMs
    this.lastPingMs = nowMs
    if (this.sentSincePing) {
      this.sentSincePing = false
      this.strikes = 0
      return true
    }
    const idle = openStreams === 0 && !this.policy.permitWithoutStream
    if (elapsedMs < (idle ? idlePingIntervalMs : this.policy.minIntervalMs)) this.strikes++
    return this.strikes <= strikesMax
  }
}
