/** What a request's head says about its call: how to serve it, or why not. Derived once for equal header blocks. */
import type { RequestHead } from '../http2/index.ts'
import { type MethodTable, RegisteredMethod } from './method-table.ts'
import { GrpcStatusCode } from './status.ts'
import { parseGrpcTimeout } from './timeout.ts'

export class CallPlan {
  readonly registered: RegisteredMethod
  /** `undefined` without a deadline. */
  readonly timeoutMs: number | undefined
  readonly isGzip: boolean

  constructor(registered: RegisteredMethod, timeoutMs: number | undefined, isGzip: boolean) {
    this.registered = registered
    this.timeoutMs = timeoutMs
    this.isGzip = isGzip
  }
}

/** A request that never becomes a call. */
export class CallRejection {
  readonly httpStatus: number
  readonly status: GrpcStatusCode
  readonly message: string
  /** The method it was for, when there is one. */
  readonly registered: RegisteredMethod | undefined

  constructor(httpStatus: number, status: GrpcStatusCode, message: string, registered?: RegisteredMethod) {
    this.httpStatus = httpStatus
    this.status = status
    this.message = message
    this.registered = registered
  }
}

/**
 * The checks, in the order and with the answers of grpc-go's `operateHeaders` and `handleStream`. With `hasPages` a
 * request of another content type is not refused but left to them.
 */
export function planCall(
  head: RequestHead,
  methods: MethodTable,
  hasPages: boolean,
): CallPlan | CallRejection | 'not-grpc' {
  const contentType = head.get('content-type') ?? ''
  if (!isGrpcContentType(contentType)) {
    if (hasPages && !contentType.startsWith('application/grpc')) return 'not-grpc'
    const message = `invalid gRPC request content-type ${JSON.stringify(contentType)}`
    return new CallRejection(415, GrpcStatusCode.invalidArgument, message)
  }
  const timeoutText = head.get('grpc-timeout')
  const timeoutMs = timeoutText === undefined ? undefined : parseGrpcTimeout(timeoutText)
  if (typeof timeoutMs === 'string') {
    return new CallRejection(400, GrpcStatusCode.internal, `malformed grpc-timeout: ${timeoutMs}`)
  }
  if (head.method !== 'POST') {
    const message = `Received a HEADERS frame with :method ${JSON.stringify(head.method)} which should be POST`
    return new CallRejection(405, GrpcStatusCode.internal, message)
  }
  const found = methods.find(head.path)
  if (!(found instanceof RegisteredMethod)) return new CallRejection(200, found.status, found.message)
  const encoding = head.get('grpc-encoding') ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== '') {
    const message = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`
    return new CallRejection(200, GrpcStatusCode.unimplemented, message, found)
  }
  return new CallPlan(found, timeoutMs, encoding === 'gzip')
}

/** `application/grpc`, alone or followed by `+…` or `;…`. */
function isGrpcContentType(value: string): boolean {
  const base = 'application/grpc'
  if (!value.startsWith(base)) return false
  return value.length === base.length || value[base.length] === '+' || value[base.length] === ';'
}
