/** What the proxy knows of gRPC over HTTP/2 (grpc/grpc doc/PROTOCOL-HTTP2.md). */
import { encodeGrpcMessage, GrpcStatusCode, parseGrpcTimeout } from '../../wire/grpc/index.ts'
import type { Fields, RequestHead, ResponseHead } from '../http/index.ts'

/** `application/grpc`, `application/grpc+proto`; not `application/grpc-web`, whose errors are plain HTTP. */
export function isGrpcRequest(head: RequestHead): boolean {
  if (head.method !== 'POST') return false
  const type = head.get('content-type')
  return type?.startsWith('application/grpc') === true && /^application\/grpc($|[+; ])/.test(type)
}

/** Whether a response is one of gRPC; another is that of a server, or of something before it, which does not speak it. */
export function isGrpcResponse(head: ResponseHead): boolean {
  return head.get('content-type')?.startsWith('application/grpc') === true
}

/** The deadline that the client sent, in milliseconds from now; infinite without one, or when it is malformed. */
export function grpcTimeoutMs(head: RequestHead): number {
  const value = head.get('grpc-timeout')
  const parsed = value === undefined ? undefined : parseGrpcTimeout(value)
  return typeof parsed === 'number' ? parsed : Number.POSITIVE_INFINITY
}

/** A `grpc-timeout` has 8 digits at the most. */
const timeoutValueMax = 99_999_999

/** `fields` with the time that remains: in the smallest unit that can say it; past three years, in three years. */
export function withGrpcTimeout(fields: Fields, remainingMs: number): Fields {
  const micros = Math.max(1, Math.floor(remainingMs * 1_000))
  const seconds = Math.min(timeoutValueMax, Math.floor(remainingMs / 1_000))
  const value =
    micros <= timeoutValueMax
      ? `${micros}u`
      : remainingMs <= timeoutValueMax
        ? `${Math.floor(remainingMs)}m`
        : `${seconds}S`
  const out = [...fields]
  for (let i = 0; i < out.length; i += 2) if (out[i] === 'grpc-timeout') out[i + 1] = value
  return out
}

/** The status of a response that has no body: in its head. Undefined: not a trailers-only response. */
export function trailersOnlyStatus(head: ResponseHead): number | undefined {
  return statusOf(head.get('grpc-status'))
}

/** The status in the trailers; undefined when they have none. */
export function trailersStatus(trailers: Fields | undefined): number | undefined {
  if (trailers === undefined) return undefined
  for (let i = 0; i < trailers.length; i += 2) if (trailers[i] === 'grpc-status') return statusOf(trailers[i + 1])
  return undefined
}

function statusOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : undefined
}

/** The fields that end a gRPC response. */
export function grpcStatusFields(status: GrpcStatusCode, message: string): Fields {
  return ['grpc-status', String(status), 'grpc-message', encodeGrpcMessage(message)]
}

export { GrpcStatusCode }
