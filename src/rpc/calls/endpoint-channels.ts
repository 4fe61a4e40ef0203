/**
 * The channels of an upstream's endpoints, each made when the endpoint gets its first call.
 *
 * I1. `channels` holds the channels of members, by endpoint: an upstream may be shared, so `attachment` is left alone.
 * I2. The channel of an endpoint that left the set takes no more calls; it closes when its last is over.
 */
import type { Upstream, UpstreamEndpoint } from '../../traffic/upstream/index.ts'
import type { ChannelLimits, ClientChannel, ClientTransport, TransportRuntime } from '../transport/index.ts'

export class EndpointChannels {
  private readonly transport: ClientTransport
  private readonly outside: TransportRuntime
  private readonly limits: ChannelLimits
  private readonly channels = new Map<UpstreamEndpoint, ClientChannel>()
  private readonly stopListening: () => void

  constructor(upstream: Upstream, transport: ClientTransport, outside: TransportRuntime, limits: ChannelLimits) {
    this.transport = transport
    this.outside = outside
    this.limits = limits
    this.stopListening = upstream.onChange(() => this.dropGone())
  }

  of(endpoint: UpstreamEndpoint): ClientChannel {
    let channel = this.channels.get(endpoint)
    if (channel === undefined) {
      const { host, port } = endpoint.address
      channel = this.transport.open({ host, port }, this.outside, this.limits)
      this.channels.set(endpoint, channel)
    }
    return channel
  }

  /** Whether calls to it would fail at once. */
  readonly isDown = (endpoint: UpstreamEndpoint): boolean => this.channels.get(endpoint)?.isDown === true

  close(reason: string): void {
    this.stopListening()
    for (const channel of this.channels.values()) channel.close(reason)
    this.channels.clear()
  }

  private dropGone(): void {
    for (const [endpoint, channel] of this.channels) {
      if (endpoint.isMember) continue
      this.channels.delete(endpoint)
      channel.drain()
    }
  }
}
