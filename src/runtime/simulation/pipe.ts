import type { Links } from './links.ts'

/** What travels in one direction of a connection. */
export type Segment =
  | { readonly kind: 'connect' }
  | { readonly kind: 'accept' }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** The sender will send no more. */
  | { readonly kind: 'end' }
  /** The connection is gone; what the receiver had not read is lost. Not sent again when the link is cut. */
  | { readonly kind: 'reset' }

/** One direction of a connection: segments arrive in the order sent, each after its link's delay. */
export class Pipe {
  private readonly links: Links
  private readonly from: string
  private readonly to: string
  private readonly deliver: (segment: Segment) => void
  private readonly inFlight: { readonly segment: Segment; readonly arrivesAtMs: number }[] = []
  /** An event or a healing will deliver the head of `inFlight`. True whenever that is not empty. */
  private pumping = false

  constructor(links: Links, from: string, to: string, deliver: (segment: Segment) => void) {
    this.links = links
    this.from = from
    this.to = to
    this.deliver = deliver
  }

  send(segment: Segment): void {
    const arrivesAtMs = this.links.kernel.nowMs + this.links.transitMs(this.from, this.to)
    this.inFlight.push({ segment, arrivesAtMs })
    if (!this.pumping) this.pump()
  }

  private pump(): void {
    const head = this.inFlight[0]
    this.pumping = head !== undefined
    if (head === undefined) return
    const { kernel } = this.links
    kernel.push(undefined, Math.max(0, head.arrivesAtMs - kernel.nowMs), `net-${head.segment.kind}`, () =>
      this.arrive(),
    )
  }

  private arrive(): void {
    if (this.links.isCut(this.from, this.to)) {
      const lost = this.inFlight.findIndex((flying) => flying.segment.kind === 'reset')
      if (lost !== -1) this.inFlight.splice(lost)
      this.links.onHeal(this.from, this.to, () => this.resume())
      return
    }
    const { segment } = this.inFlight.shift()!
    this.deliver(segment)
    this.pump()
  }

  private resume(): void {
    this.links.kernel.push(undefined, this.links.resumeMs(), 'net-resume', () => {
      if (this.inFlight.length === 0) this.pumping = false
      else this.arrive()
    })
  }
}
