/**
 * What all connections of a server hold for their peers, and the bound on the sum. Each connection has bounds of its
 * own; this one keeps many connections, each within its own, from filling the process together.
 *
 * I1. `total` is `nameless` and the sum over `noted`, which lags behind what is held; it is taken anew before anyone is
 *     turned away.
 * I2. A holder is in `noted` only with more than `notedBytesMin`.
 */

/** Someone who holds memory for a peer. */
export interface MemoryHolder {
  /** Bytes held now. */
  readonly heldBytes: number
  /** Gives everything back: the server holds too much, and nobody holds more. */
  relinquish(): void
}

/** Less than this in one holder is not worth the count. */
const notedBytesMin = 4 << 10

export class MemoryLedger {
  /** Holders turned away since the start. */
  relinquished = 0
  bytesMax: number
  private readonly noted = new Map<MemoryHolder, number>()
  private nameless = 0
  private total = 0
  private readonly relievedShare: number

  /** `relievedShare`: holders are turned away until this share of `bytesMax` is left, so that the next is not at once. */
  constructor(bytesMax: number, relievedShare = 1) {
    this.bytesMax = bytesMax
    this.relievedShare = relievedShare
  }

  /** Bytes held, as far as noted. */
  get bytes(): number {
    return this.total
  }

  /** Holders noted. */
  get holders(): number {
    return this.noted.size
  }

  /** Bytes (below 0: given back) that count, and that nobody can be made to give up. */
  add(bytes: number): void {
    this.nameless += bytes
    this.total += bytes
  }

  /** `holder` may hold more or less than before. Past the bound whoever holds most is turned away. */
  note(holder: MemoryHolder): void {
    const bytes = holder.heldBytes
    const before = this.noted.get(holder)
    if (bytes < notedBytesMin) {
      if (before !== undefined) this.forget(holder)
      return
    }
    this.total += bytes - (before ?? 0)
    this.noted.set(holder, bytes)
    if (this.total > this.bytesMax) this.relieve()
  }

  forget(holder: MemoryHolder): void {
    this.total -= this.noted.get(holder) ?? 0
    this.noted.delete(holder)
  }

  private relieve(): void {
    this.total = this.nameless
    for (const holder of this.noted.keys()) {
      const bytes = holder.heldBytes
      this.noted.set(holder, bytes)
      this.total += bytes
    }
    if (this.total <= this.bytesMax) return
    while (this.total > this.bytesMax * this.relievedShare) {
      let largest: MemoryHolder | undefined
      let most = 0
      for (const [holder, bytes] of this.noted) {
        if (bytes <= most) continue
        largest = holder
        most = bytes
      }
      if (largest === undefined) return
      this.forget(largest)
      this.relinquished++
      largest.relinquish()
    }
  }
}
