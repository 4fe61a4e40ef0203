import type { Clock, Logger, Network, Random, Scheduler } from '../../runtime/index.ts'
import type { Http2ClientOptions } from '../http2-client/index.ts'
import type { CallMetadata } from './replies.ts'

/** What a channel takes of the outside world. */
export interface GrpcClientOutside {
  readonly network: Network
  readonly scheduler: Scheduler
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** How a `GrpcChannel` behaves. All have defaults. */
export interface GrpcChannelOptions {
  /** The `:authority` of every request. Default: `host:port`. */
  readonly authority?: string | undefined
  /** Whether `network` makes TLS connections: only names the scheme. Default false. */
  readonly secure?: boolean | undefined
  /** A larger message fails its call with RESOURCE_EXHAUSTED. Bytes. Default 2^31 - 1, as etcd's own client. */
  readonly maxReceiveMessageBytes?: number | undefined
  /** For the whole attempt, to the server's SETTINGS. Default 5,000. */
  readonly connectTimeoutMs?: number | undefined
  /** A call after which nothing is heard for this long sends a PING. Default 6,000; etcd forbids less than 5,000. */
  readonly keepAliveTimeMs?: number | undefined
  /** Nothing heard for this long after the PING: the connection is lost. Default 3,000. */
  readonly keepAliveTimeoutMs?: number | undefined
  /** Default `synod`. */
  readonly userAgent?: string | undefined
  /** Sent with every request of the channel. */
  readonly metadata?: CallMetadata | undefined
  /** Calls that wait for the connection or for a free stream; one more fails with RESOURCE_EXHAUSTED. Default 100,000. */
  readonly waitingCallsMax?: number | undefined
  /** Their messages together. Bytes. Default 64 MiB. */
  readonly waitingBytesMax?: number | undefined
  /** Unfinished messages of one connection together; the call that passes it fails. Bytes. Default 2^31 - 1. */
  readonly bufferedBytesMax?: number | undefined
  /** Overrides of the HTTP/2 bounds. */
  readonly http2?: Partial<Http2ClientOptions> | undefined
}

/** The options with their defaults. */
export interface ChannelSettings {
  readonly authority: string
  readonly scheme: 'http' | 'https'
  readonly receiveMessageBytesMax: number
  readonly connectTimeoutMs: number
  readonly userAgent: string
  readonly metadata: CallMetadata
  readonly waitingCallsMax: number
  readonly waitingBytesMax: number
  readonly bufferedBytesMax: number
  readonly http2: Partial<Http2ClientOptions>
}

const messageBytesMax = 2 ** 31 - 1

export function settingsOf(options: GrpcChannelOptions, authority: string): ChannelSettings {
  const { keepAliveTimeMs, keepAliveTimeoutMs } = options
  return {
    authority: options.authority ?? authority,
    scheme: options.secure === true ? 'https' : 'http',
    receiveMessageBytesMax: options.maxReceiveMessageBytes ?? messageBytesMax,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    userAgent: options.userAgent ?? 'synod',
    metadata: options.metadata ?? [],
    waitingCallsMax: options.waitingCallsMax ?? 100_000,
    waitingBytesMax: options.waitingBytesMax ?? 64 << 20,
    bufferedBytesMax: options.bufferedBytesMax ?? messageBytesMax,
    http2: {
      ...options.http2,
      ...(keepAliveTimeMs === undefined ? {} : { keepAliveTimeMs }),
      ...(keepAliveTimeoutMs === undefined ? {} : { keepAliveTimeoutMs }),
    },
  }
}
