/** What a request's head says about its call: what serves it, or why nothing does. Derived once for equal header blocks. */
import { GrpcStatusCode } from '../../wire/grpc/index.ts'
import type { RequestHead } from '../../wire/http2/index.ts'
import { contractClash, contractName, type Metadata, type Method, type Service } from '../service/index.ts'
import { metadataOfFields } from './metadata-fields.ts'
import type { ServedMethod, ServedMethods } from './served-methods.ts'

/** A request that becomes a call. */
export interface RequestPlan {
  readonly served: ServedMethod
  /** Undefined without a deadline. */
  readonly timeoutMs: number | undefined
  readonly isGzip: boolean
  /** Whether the client reads compressed answers. */
  readonly acceptsGzip: boolean
  readonly metadata: Metadata
}

/** A request that never becomes one. */
export interface RequestRefusal {
  readonly httpStatus: number
  readonly status: GrpcStatusCode
  readonly message: string
  /** Whether the answer tells which encodings are read. */
  readonly tellsEncodings?: boolean | undefined
}

/** The checks in the order of grpc-go's `operateHeaders` and `handleStream`. */
export function planOf(head: RequestHead, methods: ServedMethods): RequestPlan | RequestRefusal {
  const contentType = head.get('content-type') ?? ''
  const subtype = /^application\/grpc(?:\+([a-z0-9.-]+))?(?:;.*)?$/i.exec(contentType)
  if (subtype === null) {
    const message = `invalid gRPC request content-type ${JSON.stringify(contentType.slice(0, 100))}`
    return { httpStatus: 415, status: GrpcStatusCode.invalidArgument, message }
  }
  const timeoutMs = timeoutOf(head.get('grpc-timeout'))
  if (timeoutMs === 'malformed') {
    return { httpStatus: 400, status: GrpcStatusCode.internal, message: 'malformed grpc-timeout' }
  }
  if (head.method !== 'POST') {
    const message = `Received a HEADERS frame with :method ${JSON.stringify(head.method.slice(0, 100))} which should be POST`
    return { httpStatus: 405, status: GrpcStatusCode.internal, message }
  }
  const served = methods.find(head.path)
  if (typeof served === 'string') return refusal(served)
  const encoding = head.get('grpc-encoding') ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== '') {
    const message = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding.slice(0, 100))}`
    return { ...refusal(message), tellsEncodings: true }
  }
  const spoken = served.kind === 'method' ? (served.service.encoding ?? 'proto') : 'proto'
  const asked = subtype[1]?.toLowerCase() ?? spoken
  if (asked !== spoken) {
    return refusal(`this service is spoken in ${spoken}, and the request is in ${JSON.stringify(asked.slice(0, 100))}`)
  }
  const clash = served.kind === 'method' ? clashOf(head, served.service, served.method) : undefined
  if (clash !== undefined) return { httpStatus: 200, status: GrpcStatusCode.failedPrecondition, message: clash }
  const acceptsGzip = /(?:^|,)\s*gzip\s*(?:,|$)/.test(head.get('grpc-accept-encoding') ?? '')
  return { served, timeoutMs, isGzip: encoding === 'gzip', acceptsGzip, metadata: metadataOfFields(head.fields) }
}

function clashOf(head: RequestHead, service: Service, method: Method): string | undefined {
  return contractClash(`${service.name}/${method.name}`, head.get(contractName), method.contract)
}

function refusal(message: string): RequestRefusal {
  return { httpStatus: 200, status: GrpcStatusCode.unimplemented, message }
}

const msOfUnit: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/** `grpc-timeout`: 1 to 8 digits and a unit. */
function timeoutOf(text: string | undefined): number | undefined | 'malformed' {
  if (text === undefined) return undefined
  const parts = /^([0-9]{1,8})([HMSmun])$/.exec(text)
  return parts === null ? 'malformed' : Number(parts[1]) * msOfUnit[parts[2]!]!
}
