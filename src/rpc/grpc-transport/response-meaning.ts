/**
 * What the heads and the ends of response streams mean (grpc/grpc doc/PROTOCOL-HTTP2.md,
 * doc/http-grpc-status-mapping.md).
 */
import { decodeGrpcMessage } from '../../wire/grpc/index.ts'
import { Http2ErrorCode } from '../../wire/http2/index.ts'
import type { ResponseHead, StreamFailure } from '../../wire/http2-client/index.ts'
import { type Metadata, noMetadata, type RpcCode } from '../service/index.ts'
import type { CallEnd } from '../transport/index.ts'
import { metadataOfFields } from './metadata-fields.ts'
import { rpcCodeOf } from './status.ts'

const codeOfHttp: Readonly<Record<number, RpcCode>> = {
  400: 'INTERNAL',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'UNIMPLEMENTED',
  429: 'UNAVAILABLE',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'UNAVAILABLE',
}

const codeOfReset: Readonly<Record<number, RpcCode>> = {
  [Http2ErrorCode.refusedStream]: 'UNAVAILABLE',
  [Http2ErrorCode.cancel]: 'CANCELLED',
  [Http2ErrorCode.enhanceYourCalm]: 'RESOURCE_EXHAUSTED',
  [Http2ErrorCode.inadequateSecurity]: 'PERMISSION_DENIED',
}

/** What equal response heads mean, derived once. */
interface HeadMeaning {
  /** Why it is not the beginning of a gRPC answer. */
  readonly refusal: CallEnd | undefined
  readonly isGzip: boolean
  readonly metadata: Metadata
}

/** Equal header lists mean one thing at the beginning of an answer and another at its end: both are kept apart. */
interface Memo {
  meaning: HeadMeaning | undefined
  end: CallEnd | undefined
}

/** What a head that messages follow means. */
export function meaningOfHead(head: ResponseHead): HeadMeaning {
  const memo = memoOf(head)
  memo.meaning ??= {
    refusal: refusalOf(head),
    isGzip: head.get('grpc-encoding') === 'gzip',
    metadata: metadataOf(head),
  }
  return memo.meaning
}

/** How a call ended, by its trailers or by a head that is the whole answer. Derived once for equal ones. */
export function endOfTrailers(head: ResponseHead): CallEnd {
  const memo = memoOf(head)
  memo.end ??= endOf(head)
  return memo.end
}

function memoOf(head: ResponseHead): Memo {
  head.memo ??= { meaning: undefined, end: undefined } satisfies Memo
  return head.memo as Memo
}

/** What an early end of a stream means. `isWhole`: the server may have got enough of the request to act on it. */
export function endOfFailure(failure: StreamFailure, isWhole: boolean): CallEnd {
  return {
    code: codeOfFailure(failure),
    message: failure.reason,
    trailers: noMetadata,
    isUnprocessed: !failure.processed || !isWhole,
    origin: failure.by,
    isBrokenOff: failure.by === 'server',
  }
}

/** A failure that this side found out. */
export function localEnd(code: RpcCode, message: string, isUnprocessed: boolean): CallEnd {
  return { code, message, trailers: noMetadata, isUnprocessed, origin: 'local' }
}

function metadataOf(head: ResponseHead): Metadata {
  return metadataOfFields(head.fields)
}

function endOf(head: ResponseHead): CallEnd {
  const text = head.get('grpc-status')
  if (text === undefined) {
    if (head.status !== 0 && head.status !== 200) return endOfHttp(head)
    return serverEnd('UNKNOWN', 'the server sent no grpc-status', head)
  }
  const message = decodeGrpcMessage(head.get('grpc-message') ?? '')
  if (!/^[0-9]{1,3}$/.test(text))
    return serverEnd('UNKNOWN', `the server sent a malformed grpc-status. ${message}`, head)
  return serverEnd(rpcCodeOf(Number(text)), message, head)
}

function refusalOf(head: ResponseHead): CallEnd | undefined {
  if (head.status !== 200) return head.get('grpc-status') === undefined ? endOfHttp(head) : endOf(head)
  const contentType = head.get('content-type') ?? ''
  if (!/^application\/grpc($|[+;])/.test(contentType)) {
    const what = JSON.stringify(contentType.slice(0, 100))
    return serverEnd('UNKNOWN', `the server does not speak gRPC: it answered with content-type ${what}`, head)
  }
  const encoding = head.get('grpc-encoding') ?? 'identity'
  if (encoding === 'identity' || encoding === 'gzip') return undefined
  return serverEnd('INTERNAL', `the server used an unknown grpc-encoding ${JSON.stringify(encoding)}`, head)
}

function endOfHttp(head: ResponseHead): CallEnd {
  const code = codeOfHttp[head.status] ?? 'UNKNOWN'
  return serverEnd(code, `the server answered with HTTP status ${head.status}`, head)
}

function serverEnd(code: RpcCode | undefined, message: string, head: ResponseHead): CallEnd {
  return { code, message, trailers: metadataOf(head), isUnprocessed: false, origin: 'server' }
}

function codeOfFailure({ by, code }: StreamFailure): RpcCode {
  if (by === 'connection') return 'UNAVAILABLE'
  if (by === 'local') return 'INTERNAL'
  return codeOfReset[code] ?? 'INTERNAL'
}
