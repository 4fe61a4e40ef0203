/** What the log is told of one exchange when it is over. */
import type { ClientInfo, RequestHead } from '../http/index.ts'

/** Read once, inside `AccessLog.log`; the exchange itself is one, so that nothing is copied. */
export interface AccessRecord {
  /** Undefined: the request was so malformed that it has no head. */
  readonly head: RequestHead | undefined
  readonly client: ClientInfo
  /** As {@link clientAddress} tells; differs from `client.address` behind trusted proxies. */
  readonly clientAddress: string
  /** Sent to the client; 0: nothing was. 499: the client went away first. */
  readonly status: number
  /** Of the response's body, taken by the connection. */
  readonly bodyBytesSent: number
  /** From the head of the request to the end of the response. */
  readonly durationMs: number
  /** Endpoint that answered or was tried last; empty: none. */
  readonly upstreamAddress: string
  /** From the beginning of its attempt to the head of its answer; -1: none came. */
  readonly upstreamDurationMs: number
  readonly attempts: number
  /** Empty: none matched. */
  readonly routeName: string
  readonly requestId: string
  /** Why the proxy itself refused or failed the request, in one word of a fixed set; empty when it did not. */
  readonly failure: string
  /** Why the exchange failed, for people; empty when it did not. */
  readonly error: string
  /** A place for what the log derived from head and client; whoever has the same two hands it on again. */
  readonly logCache: LogCache
}

/** The parts of a line that depend on head and client only. */
export interface LogCache {
  front: string | undefined
  middle: string | undefined
  back: string | undefined
}
