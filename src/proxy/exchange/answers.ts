/** What the proxy answers itself: refusals and failures, redirects, and fixed responses. */
import { emptyBytes, utf8Bytes } from '../../base/index.ts'
import type { PickRefusal } from '../../traffic/upstream/index.ts'
import type { AttemptFailure, BodyLength, Fields, ResponseHead } from '../http/index.ts'
import { GrpcStatusCode, grpcStatusFields } from './grpc.ts'

/** A head made here, or made anew from one that came. */
export class MadeHead implements ResponseHead {
  readonly status: number
  readonly fields: Fields
  readonly bodyLength: BodyLength
  memo: unknown = undefined

  constructor(status: number, fields: Fields, bodyLength: BodyLength) {
    this.status = status
    this.fields = fields
    this.bodyLength = bodyLength
  }

  get(name: string): string | undefined {
    for (let i = 0; i < this.fields.length; i += 2) if (this.fields[i] === name) return this.fields[i + 1]
    return undefined
  }
}

/** A whole response. */
export interface Answer {
  readonly head: ResponseHead
  /** Empty: none. */
  readonly body: Uint8Array
  /** For the log; empty when nothing went wrong. */
  readonly error: string
}

/** An answer without a body. */
export function answerWith(status: number, fields: Fields): Answer {
  return { head: new MadeHead(status, fields, 0), body: emptyBytes, error: '' }
}

/** Those that are forwarded, as an `allow` field has them; unknown ones are as well. */
export const allowedMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** The ways in which the proxy itself refuses or fails a request: as the log and the metrics call them. */
export type FailureKind =
  | Exclude<AttemptFailure['kind'], 'overflow'>
  | 'bad-path'
  | 'not-found'
  | 'method'
  | 'client-timeout'
  | 'body-too-large'
  | 'rate-limited'
  | 'no-endpoint'
  | 'overloaded'
  | 'response-timeout'
  | 'not-grpc'

interface FailureText {
  readonly status: number
  readonly grpcStatus: GrpcStatusCode
  /** For the client: what happened. Names nothing that lies behind the proxy. */
  readonly text: string
}

/** The one table from what went wrong to statuses. */
const failures: Readonly<Record<FailureKind, FailureText>> = {
  'bad-path': { status: 400, grpcStatus: GrpcStatusCode.internal, text: '400 Bad Request: the path is malformed' },
  'not-found': {
    status: 404,
    grpcStatus: GrpcStatusCode.unimplemented,
    text: '404 Not Found: no route fits this request',
  },
  method: { status: 405, grpcStatus: GrpcStatusCode.unimplemented, text: '405 Method Not Allowed' },
  'client-timeout': {
    status: 408,
    grpcStatus: GrpcStatusCode.deadlineExceeded,
    text: '408 Request Timeout: the body of the request did not arrive in time',
  },
  'body-too-large': {
    status: 413,
    grpcStatus: GrpcStatusCode.resourceExhausted,
    text: '413 Content Too Large: the body of the request is larger than this route allows',
  },
  'rate-limited': {
    status: 429,
    grpcStatus: GrpcStatusCode.resourceExhausted,
    text: '429 Too Many Requests: try again later',
  },
  'no-endpoint': {
    status: 503,
    grpcStatus: GrpcStatusCode.unavailable,
    text: '503 Service Unavailable: no server is ready for this request',
  },
  overloaded: {
    status: 503,
    grpcStatus: GrpcStatusCode.unavailable,
    text: '503 Service Unavailable: too many requests are under way',
  },
  'connect-refused': badGateway('the server refused the connection'),
  'connect-unreachable': badGateway('the server cannot be reached'),
  'connect-tls': badGateway('no TLS connection to the server could be made'),
  'connect-protocol': badGateway('the server does not speak HTTP/2, as it is configured to'),
  'connect-timeout': {
    status: 504,
    grpcStatus: GrpcStatusCode.unavailable,
    text: '504 Gateway Timeout: no connection to the server could be made in time',
  },
  'closed-before-response': badGateway('the server closed the connection without an answer'),
  'malformed-response': badGateway('the answer of the server is malformed'),
  'broken-response': badGateway('the answer of the server broke off'),
  'not-grpc': {
    status: 502,
    grpcStatus: GrpcStatusCode.unimplemented,
    text: 'the proxy speaks HTTP/1.1 to this server, which cannot carry gRPC: set protocol: http2 for its upstream',
  },
  'response-timeout': {
    status: 504,
    grpcStatus: GrpcStatusCode.deadlineExceeded,
    text: '504 Gateway Timeout: the server did not answer in time',
  },
}

function badGateway(text: string): FailureText {
  return { status: 502, grpcStatus: GrpcStatusCode.unavailable, text: `502 Bad Gateway: ${text}` }
}

/** The answer that tells of a failure; for gRPC a trailers-only response. `error` says more, for the log. */
export function failureAnswer(
  kind: FailureKind,
  isGrpc: boolean,
  error: string,
  date: string,
  extra: Fields = [],
): Answer {
  const { status, grpcStatus, text } = failures[kind]
  if (isGrpc) {
    const fields = ['content-type', 'application/grpc', ...grpcStatusFields(grpcStatus, text), 'date', date, ...extra]
    return { head: new MadeHead(200, fields, 0), body: emptyBytes, error }
  }
  const body = utf8Bytes(`${text}\n`)
  const fields = ['content-type', 'text/plain; charset=utf-8', 'date', date, ...extra]
  return { head: new MadeHead(status, fields, body.length), body, error }
}

/** The gRPC status and text to end a response with that broke off. */
export function failureTrailers(kind: FailureKind): Fields {
  const { grpcStatus, text } = failures[kind]
  return grpcStatusFields(grpcStatus, text)
}

export function kindOfRefusal(refusal: PickRefusal): FailureKind {
  return refusal === 'circuit-open' || refusal === 'too-many-requests' ? 'overloaded' : 'no-endpoint'
}

export function kindOfAttemptFailure(kind: AttemptFailure['kind']): FailureKind {
  return kind === 'overflow' ? 'overloaded' : kind
}
