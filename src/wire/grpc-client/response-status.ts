/**
 * What the heads and the ends of streams mean in gRPC (grpc/grpc doc/PROTOCOL-HTTP2.md,
 * doc/http-grpc-status-mapping.md).
 */
import { decodeGrpcMessage, GrpcStatusCode } from '../grpc/index.ts'
import { Http2ErrorCode } from '../http2/index.ts'
import type { ResponseHead, StreamFailure } from '../http2-client/index.ts'
import { type GrpcFailureReply, noMetadata, type StreamEnd } from './replies.ts'

/** The status that trailers, or a whole response of one head, carry. */
export interface TrailersStatus {
  readonly status: GrpcStatusCode
  readonly message: string
}

const statusOfHttp: Readonly<Record<number, GrpcStatusCode>> = {
  400: GrpcStatusCode.internal,
  401: GrpcStatusCode.unauthenticated,
  403: GrpcStatusCode.permissionDenied,
  404: GrpcStatusCode.unimplemented,
  429: GrpcStatusCode.unavailable,
  502: GrpcStatusCode.unavailable,
  503: GrpcStatusCode.unavailable,
  504: GrpcStatusCode.unavailable,
}

const statusOfReset: Readonly<Record<number, GrpcStatusCode>> = {
  [Http2ErrorCode.refusedStream]: GrpcStatusCode.unavailable,
  [Http2ErrorCode.cancel]: GrpcStatusCode.cancelled,
  [Http2ErrorCode.enhanceYourCalm]: GrpcStatusCode.resourceExhausted,
  [Http2ErrorCode.inadequateSecurity]: GrpcStatusCode.permissionDenied,
}

/** The status of trailers. Derived once for equal header blocks. */
export function statusOfTrailers(trailers: ResponseHead): TrailersStatus {
  trailers.memo ??= parseStatus(trailers)
  return trailers.memo as TrailersStatus
}

/** Why a response's head is not the beginning of a gRPC answer, or `undefined` when it is. */
export function refusalOfHead(head: ResponseHead): TrailersStatus | undefined {
  if (head.memo === undefined) head.memo = parseRefusal(head) ?? acceptable
  return head.memo === acceptable ? undefined : (head.memo as TrailersStatus)
}

const acceptable: TrailersStatus = { status: GrpcStatusCode.ok, message: '' }

function parseStatus(head: ResponseHead): TrailersStatus {
  const text = head.get('grpc-status')
  if (text === undefined) {
    return head.status === 0 || head.status === 200
      ? { status: GrpcStatusCode.unknown, message: 'the server sent no grpc-status' }
      : statusOfHttpHead(head)
  }
  const message = decodeGrpcMessage(head.get('grpc-message') ?? '')
  if (!/^[0-9]{1,3}$/.test(text)) {
    return { status: GrpcStatusCode.unknown, message: `the server sent a malformed grpc-status. ${message}` }
  }
  const status = Number(text)
  // A code of the future means nothing to a caller (doc/statuscodes.md).
  return { status: (status <= 16 ? status : GrpcStatusCode.unknown) as GrpcStatusCode, message }
}

function parseRefusal(head: ResponseHead): TrailersStatus | undefined {
  if (head.status !== 200) return head.get('grpc-status') === undefined ? statusOfHttpHead(head) : parseStatus(head)
  const contentType = head.get('content-type') ?? ''
  if (!/^application\/grpc($|[+;])/.test(contentType)) {
    const message = `the server does not speak gRPC: it answered with content-type ${JSON.stringify(contentType)}`
    return { status: GrpcStatusCode.unknown, message }
  }
  const encoding = head.get('grpc-encoding') ?? 'identity'
  if (encoding === 'identity' || encoding === 'gzip') return undefined
  return { status: GrpcStatusCode.internal, message: `the server used an unknown grpc-encoding ${encoding}` }
}

function statusOfHttpHead(head: ResponseHead): TrailersStatus {
  return {
    status: statusOfHttp[head.status] ?? GrpcStatusCode.unknown,
    message: `the server answered with HTTP status ${head.status}`,
  }
}

/** What an early end of a stream means. `isWhole`: the server may have got enough of the request to act on it. */
export function failureOfStream(failure: StreamFailure, isWhole: boolean): GrpcFailureReply {
  return {
    ok: false,
    status: statusOfFailure(failure),
    message: failure.reason,
    metadata: noMetadata,
    processed: failure.processed && isWhole,
    origin: failure.by,
  }
}

function statusOfFailure({ by, code }: StreamFailure): GrpcStatusCode {
  if (by === 'connection') return GrpcStatusCode.unavailable
  if (by === 'local') return GrpcStatusCode.internal
  return statusOfReset[code] ?? GrpcStatusCode.internal
}

/** A failure that this side found out. */
export function localFailure(status: GrpcStatusCode, message: string, processed: boolean): GrpcFailureReply {
  return { ok: false, status, message, metadata: noMetadata, processed, origin: 'local' }
}

/** What the server said. */
export function serverEnd({ status, message }: TrailersStatus, head: ResponseHead): StreamEnd {
  return { status, message, metadata: metadataOf(head), processed: true, origin: 'server' }
}

function metadataOf(head: ResponseHead): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>()
  for (const { name, value } of head.fields) if (!metadata.has(name)) metadata.set(name, value)
  return metadata
}
