/** Notices that a peer takes nothing of what is queued for it, by looking now and then. */
export class StallWatch {
  private queuedBytes = 0
  private sinceTick = 0

  /** Whether `queuedBytes`, above 0, has been the same for `ticksMax`. */
  isStalled(queuedBytes: number, tick: number, ticksMax: number): boolean {
    if (queuedBytes === 0 || queuedBytes !== this.queuedBytes) {
      this.queuedBytes = queuedBytes
      this.sinceTick = tick
      return false
    }
    return tick - this.sinceTick >= ticksMax
  }
}
