/**
 * A connection as the network between its ends sees it: two pipes, and what may happen to both at once. Made for each
 * `connect`.
 *
 * I1. After a break nothing that is sent arrives. Each end is told by a reset at its own time, but for the one left half
 *     open: it hears of it only once it sends something.
 */
import type { SimulatedConnection } from './connection.ts'
import type { Link } from './links.ts'
import { Pipe, type Segment } from './pipe.ts'

/** How long after a break the ends hear of it. */
const noticeMs = [0, 200] as const

export class Route {
  readonly forward: Pipe
  readonly backward: Pipe
  private readonly client: SimulatedConnection
  private server: SimulatedConnection | undefined
  private broken = false

  /** `accept` makes the server's end, when the client's first segment arrives. */
  constructor(
    there: Link,
    back: Link,
    client: SimulatedConnection,
    accept: (route: Route) => SimulatedConnection | undefined,
  ) {
    this.client = client
    const toServer = (segment: Segment): void => {
      if (segment.kind === 'connect') this.server = accept(this)
      else this.server?.receive(segment)
    }
    this.forward = new Pipe(there, toServer, {
      onBreak: () => this.breakAtRandom(there),
      onSentInVain: () => this.tell('client', there.transitMs() + back.transitMs()),
    })
    this.backward = new Pipe(back, (segment) => client.receive(segment), {
      onBreak: () => this.breakAtRandom(back),
      onSentInVain: () => this.tell('server', there.transitMs() + back.transitMs()),
    })
  }

  /** Whether it joins these two nodes, in either direction. */
  joins(a: string, b: string): boolean {
    const { from, to } = this.forward.link
    return (from === a && to === b) || (from === b && to === a)
  }

  /** Breaks it. `untold` is the node that is left half open. */
  break(untold: string | undefined): void {
    if (this.broken) return
    this.broken = true
    this.forward.break()
    this.backward.break()
    const { from, to, kernel, mishaps } = this.forward.link
    kernel.faults.add(untold === undefined ? 'connection-reset' : 'connection-half-open', from, `to ${to}`)
    if (untold !== from) this.tell('client', mishaps.delayMs(noticeMs))
    if (untold !== to) this.tell('server', mishaps.delayMs(noticeMs))
  }

  private breakAtRandom(link: Link): void {
    if (this.broken) return
    const { from, to, mishaps, faults } = link
    const halfOpen = mishaps.chance(faults.halfOpenProbability)
    this.break(halfOpen ? (mishaps.below(2) === 0 ? from : to) : undefined)
  }

  private tell(side: 'client' | 'server', delayMs: number): void {
    const { kernel, from, to } = this.forward.link
    const notice = (): void => (side === 'client' ? this.client : this.server)?.receive({ kind: 'reset' })
    kernel.push(undefined, delayMs, 'net-reset', notice, side === 'client' ? from : to)
  }
}
