/**
 * What a peer may still send on a connection, all streams together (RFC 9113 §6.9).
 *
 * I1. `openBytes` and `uncreditedBytes` together are the window's size. It is opened again as soon as half of it is used,
 *     whatever the streams do, so that one stalled stream never stops the others. What streams hold is bounded by their
 *     own windows and by the layer above.
 */
export class ReceiveWindow {
  private readonly sizeBytes: number
  private openBytes: number
  /** Received, and not yet given back to the peer. */
  private uncreditedBytes = 0

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes
    this.openBytes = sizeBytes
  }

  /**
   * Takes a DATA frame of that length. Returns what a WINDOW_UPDATE must give back now, mostly 0; -1: the peer sent more
   * than it may, and the connection is over.
   */
  take(frameBytes: number): number {
    this.openBytes -= frameBytes
    if (this.openBytes < 0) return -1
    this.uncreditedBytes += frameBytes
    if (this.uncreditedBytes * 2 < this.sizeBytes) return 0
    const credit = this.uncreditedBytes
    this.openBytes += credit
    this.uncreditedBytes = 0
    return credit
  }
}
