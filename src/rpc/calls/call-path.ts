/** What all calls of a client share: the upstream, its channels, the deadlines, and the world. */
import type { Clock, Random, Scheduler } from '../../runtime/index.ts'
import type { Upstream } from '../../traffic/upstream/index.ts'
import { DeadlineQueue } from '../../wire/grpc/index.ts'
import type { ChannelLimits, ClientTransport, TransportRuntime } from '../transport/index.ts'
import type { CallRun } from './call-run.ts'
import { EndpointChannels } from './endpoint-channels.ts'

export interface CallPathInit {
  readonly upstream: Upstream
  /** Whether `close` closes the upstream. */
  readonly ownsUpstream: boolean
  readonly transport: ClientTransport
  readonly outside: TransportRuntime
  readonly limits: ChannelLimits
}

export class CallPath {
  readonly upstream: Upstream
  readonly channels: EndpointChannels
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly random: Random
  readonly deadlines: DeadlineQueue
  /** Every source of endpoints has answered once. */
  isReady = false
  isClosed = false
  /** Calls that have no attempt under way, and wait. */
  readonly waiting = new Set<CallRun>()
  private readonly ownsUpstream: boolean
  private readonly ready: Promise<void>

  constructor({ upstream, ownsUpstream, transport, outside, limits }: CallPathInit) {
    this.upstream = upstream
    this.ownsUpstream = ownsUpstream
    this.clock = outside.clock
    this.scheduler = outside.scheduler
    this.random = outside.random
    this.deadlines = new DeadlineQueue(outside.clock, outside.scheduler)
    this.channels = new EndpointChannels(upstream, transport, outside, limits)
    // Whichever way it ends: a call that finds no endpoint says so itself.
    const done = (): void => {
      this.isReady = true
    }
    this.ready = upstream.ready().then(done, done)
  }

  /** Calls back, in a later turn, once endpoints are known. A call that is over by then does nothing. */
  whenReady(callback: () => void): void {
    void this.ready.then(callback)
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    const reason = 'the client was closed'
    for (const run of [...this.waiting]) run.closed(reason)
    this.channels.close(reason)
    if (this.ownsUpstream) this.upstream.close()
  }
}
