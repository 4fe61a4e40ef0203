/** The rules of the network between nodes: what happens to one segment on its way. */
import type { Kernel } from './kernel.ts'
import { type DelayRangeMs, SimulatedRandom } from './random.ts'

/** One direction between two nodes. */
export interface LinkFaults {
  readonly delayMs: DelayRangeMs
  /** How likely each segment needs to be sent again, which delays it and all after it. */
  readonly lossProbability: number
  /** Nothing passes. Streams stall, and go on when it heals; connecting times out. */
  readonly cut: boolean
  /** How likely each segment meets a spike: it, and all after it, takes longer by a draw from `latencySpikeMs`. */
  readonly latencySpikeProbability: number
  readonly latencySpikeMs: DelayRangeMs
  /**
   * How likely sending a segment breaks its connection: what is in flight is lost from an arbitrary byte on, in both
   * directions, and each end hears of a reset at its own time.
   */
  readonly resetProbability: number
  /** Of the connections broken, how many leave one end that is not told until it sends. */
  readonly halfOpenProbability: number
}

const healthyLink: LinkFaults = {
  delayMs: [0.1, 0.5],
  lossProbability: 0,
  cut: false,
  latencySpikeProbability: 0,
  latencySpikeMs: [10, 500],
  resetProbability: 0,
  halfOpenProbability: 0.25,
}
const loopbackLink: LinkFaults = { ...healthyLink, delayMs: [0.02, 0.05] }
/** How long a transport waits before it sends a lost segment again. */
const retransmitDelayMs = 200
/** Sent again this often at most, so that a loss of 1 is slow and not endless. */
const retransmitsMax = 16

/** One direction between two nodes, with its own streams of the seed. */
export class Link {
  readonly kernel: Kernel
  readonly from: string
  readonly to: string
  faults: LinkFaults
  /** How segments are cut and joined. */
  readonly pieces: SimulatedRandom
  /** What goes wrong. */
  readonly mishaps: SimulatedRandom
  private readonly delays: SimulatedRandom
  /** What waits for the link to heal. */
  private stalled: (() => void)[] = []

  constructor(kernel: Kernel, from: string, to: string) {
    this.kernel = kernel
    this.from = from
    this.to = to
    this.faults = from === to ? loopbackLink : healthyLink
    const random = new SimulatedRandom(kernel, `network/${from}>${to}`)
    this.pieces = random.fork('pieces')
    this.mishaps = random.fork('mishaps')
    this.delays = random.fork('delays')
  }

  get isCut(): boolean {
    return this.faults.cut
  }

  set(faults: Partial<LinkFaults>): void {
    const wasCut = this.faults.cut
    this.faults = { ...this.faults, ...faults }
    if (this.faults.cut) {
      if (!wasCut) this.report('link-cut')
      return
    }
    const waiting = this.stalled
    this.stalled = []
    for (const resume of waiting) resume()
  }

  /** Runs `passing` now, or when the link is no longer cut. */
  whenOpen(passing: () => void): void {
    if (this.isCut) this.stalled.push(passing)
    else passing()
  }

  /** How long a segment sent now takes. */
  transitMs(): number {
    const { faults, mishaps } = this
    let delayMs = this.delays.delayMs(faults.delayMs)
    for (let sent = 0; sent < retransmitsMax && mishaps.chance(faults.lossProbability); sent++) {
      delayMs += retransmitDelayMs
      this.report('segment-lost')
    }
    if (mishaps.chance(faults.latencySpikeProbability)) {
      delayMs += mishaps.delayMs(faults.latencySpikeMs)
      this.report('latency-spike')
    }
    return delayMs
  }

  /** How long after a healing the next retransmission gets through. */
  resumeMs(): number {
    return this.delays.delayMs([0, retransmitDelayMs])
  }

  report(kind: 'link-cut' | 'segment-lost' | 'segment-stalled' | 'latency-spike'): void {
    this.kernel.faults.add(kind, this.from, `to ${this.to}`)
  }
}

export class Links {
  private readonly kernel: Kernel
  private readonly links = new Map<string, Link>()

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  get(from: string, to: string): Link {
    const key = `${from}\n${to}`
    let link = this.links.get(key)
    if (link === undefined) {
      link = new Link(this.kernel, from, to)
      this.links.set(key, link)
    }
    return link
  }

  /** Ends all cuts. Delays and losses stay. */
  heal(): void {
    for (const link of this.links.values()) {
      if (link.isCut) link.set({ cut: false })
    }
  }
}
