/** The rules of the network between nodes: what happens to one segment on its way. */
import type { Kernel } from './kernel.ts'
import type { DelayRangeMs, SimulatedRandom } from './random.ts'

/** One direction between two nodes. */
export interface LinkFaults {
  readonly delayMs: DelayRangeMs
  /** How likely each segment needs to be sent again, which delays it and all after it. */
  readonly lossProbability: number
  /** Nothing passes. Streams stall, and go on when it heals; connecting times out. */
  readonly cut: boolean
}

const healthyLink: LinkFaults = { delayMs: [0.1, 0.5], lossProbability: 0, cut: false }
const loopbackLink: LinkFaults = { delayMs: [0.02, 0.05], lossProbability: 0, cut: false }
/** How long a transport waits before it sends a lost segment again. */
const retransmitDelayMs = 200
/** Sent again this often at most, so that a loss of 1 is slow and not endless. */
const retransmitsMax = 16

export class Links {
  readonly random: SimulatedRandom
  readonly kernel: Kernel
  private readonly faults = new Map<string, LinkFaults>()
  /** What waits for a cut link to heal, by link. */
  private readonly stalled = new Map<string, (() => void)[]>()

  constructor(kernel: Kernel, random: SimulatedRandom) {
    this.kernel = kernel
    this.random = random
  }

  get(from: string, to: string): LinkFaults {
    return from === to ? loopbackLink : (this.faults.get(key(from, to)) ?? healthyLink)
  }

  set(from: string, to: string, faults: Partial<LinkFaults>): void {
    const link = { ...this.get(from, to), ...faults }
    this.faults.set(key(from, to), link)
    if (link.cut) return
    const waiting = this.stalled.get(key(from, to)) ?? []
    this.stalled.delete(key(from, to))
    for (const resume of waiting) resume()
  }

  /** Ends all cuts. Delays and losses stay. */
  heal(): void {
    for (const [link, faults] of [...this.faults]) {
      const [from, to] = link.split('\n') as [string, string]
      if (faults.cut) this.set(from, to, { cut: false })
    }
  }

  isCut(from: string, to: string): boolean {
    return this.get(from, to).cut
  }

  onHeal(from: string, to: string, resume: () => void): void {
    const waiting = this.stalled.get(key(from, to))
    if (waiting === undefined) this.stalled.set(key(from, to), [resume])
    else waiting.push(resume)
  }

  /** How long a segment sent now takes. */
  transitMs(from: string, to: string): number {
    const link = this.get(from, to)
    let delayMs = this.random.delayMs(link.delayMs)
    for (let sent = 0; sent < retransmitsMax && this.random.chance(link.lossProbability); sent++) {
      delayMs += retransmitDelayMs
    }
    return delayMs
  }

  /** How long after a healing the next retransmission gets through. */
  resumeMs(): number {
    return this.random.delayMs([0, retransmitDelayMs])
  }
}

function key(from: string, to: string): string {
  return `${from}\n${to}`
}
