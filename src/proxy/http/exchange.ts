/**
 * One request and its response on their way through the proxy, free of HTTP versions. A *downstream* connection
 * (`http1/`, `http2/`) hands a request to the {@link RequestHandler}; the handler (`exchange/`) answers it itself or
 * opens an {@link UpstreamCall} (`http1/`, `http2/` again) and passes bytes between the two.
 *
 * - X1  Everything runs in the turn of the event that caused it: no promises on this path. Writers coalesce what is
 *       written in a turn.
 * - X2  `onAborted` / `onFailed` come at most once and are the last call; nothing is called after `abort`.
 * - X3  Byte pieces handed on stay unchanged until written: a receiver may keep views, a sender never reuses them.
 * - X4  Flow control: `sendData` and `write` return false when more than the high-water mark is queued; then the other
 *       side is paused until `onDrain`. Nothing is lost by going on, only memory.
 * - X5  Heads arrive validated, whatever the version: no CR, LF or NUL in values, names are tokens in lower case, one
 *       `host`, lengths consistent. Hop-by-hop fields (RFC 9110 §7.6.1) are already gone, but for `upgrade` as told below.
 */

/** A list of header fields in order: names in lower case, at even places; values at odd ones. One unit a byte. */
export type Fields = readonly string[]

/** How a body is delimited: known length, or by its end (chunked, DATA frames, close). */
export type BodyLength = number | 'unknown'

export interface RequestHead {
  readonly version: '1.0' | '1.1' | '2'
  readonly method: string
  /** Path and query as sent (origin form); `*` for OPTIONS; host:port for CONNECT. */
  readonly target: string
  readonly scheme: 'http' | 'https'
  /** `host` or `:authority`. Empty when an HTTP/1.0 client sent none. */
  readonly authority: string
  /** Without `host`, `content-length`, `transfer-encoding` and other fields of the framing. */
  readonly fields: Fields
  /** 0: none. */
  readonly bodyLength: BodyLength
  /** The client asked for `Expect: 100-continue` and waits. */
  readonly expectsContinue: boolean
  /** Protocol named by `Upgrade`, where the client asked for one (`websocket`); only HTTP/1.1. */
  readonly upgrade: string | undefined
  /** Whatever the handler derived from this head. A connection that sees the same bytes again may hand on the same head. */
  memo: unknown
  /** First value of a field (lower case). */
  get(name: string): string | undefined
}

export interface ResponseHead {
  readonly status: number
  /** Without `content-length`, `transfer-encoding` and other fields of the framing. */
  readonly fields: Fields
  readonly bodyLength: BodyLength
  /** As {@link RequestHead.memo}. */
  memo: unknown
  get(name: string): string | undefined
}

/** Where a request came from, the same for all of a connection. */
export interface ClientInfo {
  /** Of the client itself: as the PROXY protocol or a trusted `X-Forwarded-For` says, else the socket's. No port. */
  readonly address: string
  readonly port: number
  readonly localPort: number
  readonly tls:
    | {
        readonly version: string
        readonly cipher: string
        readonly serverName: string
        /** Verified: its subject (RFC 2253) and SHA-1 fingerprint. */
        readonly clientCertificate?: { readonly subject: string; readonly fingerprint: string } | undefined
      }
    | undefined
  readonly listener: string
}

/** The downstream side of one exchange: how to answer, and how to take the request's body. */
export interface Responder {
  readonly client: ClientInfo
  /** Interim responses (100, 103). 100 also lets the client send its body. */
  sendInformational(status: number, fields: Fields): void
  /** With `end` the response is complete. HEAD, 204 and 304 have no body whatever `bodyLength` says. */
  sendHead(head: ResponseHead, end: boolean): void
  sendData(bytes: Uint8Array): boolean
  sendEnd(trailers?: Fields): void
  /** Gives up a response that has begun, or answers nothing at all: HTTP/1 closes, HTTP/2 resets the stream. */
  abort(): void
  /** Stops and starts the request's body. */
  pause(): void
  resume(): void
  /** After a 101 was sent: from now on `sendData` and `onData` carry bytes of the other protocol, both ways. */
  readonly isUpgraded: boolean
  /** Bytes of response (head and body) sent so far, for the log. */
  readonly bytesSent: number
}

/** Takes a request's body; the return of {@link RequestHandler.onRequest}. */
export interface RequestConsumer {
  onData(bytes: Uint8Array): void
  onEnd(trailers: Fields | undefined): void
  /** The queue of the response is low again. */
  onDrain(): void
  /** The client went away or broke the protocol, before the response was complete. The response is lost. */
  onAborted(reason: string): void
  /** The response is complete and everything was handed to the operating system. */
  onFinished(): void
}

export interface RequestHandler {
  /** A complete head. When `bodyLength` is 0 `onEnd` does not follow: the request is complete. */
  onRequest(head: RequestHead, responder: Responder): RequestConsumer
  /** A request so malformed that it has no head was answered with `status` and the connection closed: for the log. */
  onRefused(client: ClientInfo, status: number, reason: string): void
}

/** What is sent upstream. */
export interface OutgoingRequest {
  readonly method: string
  readonly target: string
  readonly scheme: 'http' | 'https'
  readonly authority: string
  readonly fields: Fields
  readonly bodyLength: BodyLength
  readonly upgrade: string | undefined
  readonly expectsContinue: boolean
  /** Whatever the protocol derived from this request, for when the same object is sent again. It is checked before use. */
  memo?: unknown
}

/** Why an attempt failed, and what it means for another. */
export interface AttemptFailure {
  readonly kind:
    | 'connect-refused'
    /** No way there: no route, no such name. */
    | 'connect-unreachable'
    | 'connect-timeout'
    /** The handshake failed: a certificate that is not trusted, no protocol in common. */
    | 'connect-tls'
    /** It accepted the connection, and then did not speak HTTP/2. */
    | 'connect-protocol'
    /** Closed before anything of a response came. */
    | 'closed-before-response'
    /** Closed, reset or malformed within the response. */
    | 'broken-response'
    | 'malformed-response'
    /** No connection became free: pending queue full. */
    | 'overflow'
  /** True when the endpoint certainly saw nothing of the request (or said so): safe to try elsewhere, whatever the method. */
  readonly isUnprocessed: boolean
  readonly detail: string
}

/** Takes a response. */
export interface ResponseReceiver {
  onInformational(status: number, fields: Fields): void
  /** 101 has `end` false: afterwards `onData` and `write` carry the other protocol. */
  onHead(head: ResponseHead, end: boolean): void
  onData(bytes: Uint8Array): void
  onEnd(trailers: Fields | undefined): void
  /** The queue of the request's body is low again. */
  onDrain(): void
  onFailed(failure: AttemptFailure): void
}

/** One attempt at one endpoint. */
export interface UpstreamCall {
  write(bytes: Uint8Array): boolean
  /** The request's body is complete. Not called when `bodyLength` is 0. */
  end(trailers?: Fields): void
  /** Stops and starts the response's body. */
  pause(): void
  resume(): void
  /** Gives up: HTTP/1 closes the connection, HTTP/2 resets the stream. */
  abort(): void
}

/** Connections to one endpoint, kept and shared by the requests of a worker. */
export interface EndpointPool {
  /** Starts one attempt on a kept or new connection. Nothing of `receiver` is called inside. */
  send(request: OutgoingRequest, receiver: ResponseReceiver): UpstreamCall
  readonly connections: number
  readonly idleConnections: number
  /** Closes idle connections now and the others after their request. */
  drain(): void
}
