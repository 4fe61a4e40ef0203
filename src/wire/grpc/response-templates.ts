import type { FieldPair, HeaderTemplate, Http2ServerConnection } from '../http2/index.ts'
import { encodeGrpcMessage } from './percent-encoding.ts'
import type { GrpcStatusCode } from './status.ts'

const contentType: FieldPair = ['content-type', 'application/grpc']
const statusOk: FieldPair = ['grpc-status', '0']

/** The fields that every successful response carries. */
export const memorableFields: readonly FieldPair[] = [contentType, statusOk]

/** The longest status message sent, in encoded bytes: header lists of clients are bounded too. */
const messageBytesMax = 4096

/** The header lists of one connection's responses. */
export class ResponseTemplates {
  /** Response-Headers of a call that has messages to send. */
  readonly headers: HeaderTemplate
  /** Trailers of success. */
  readonly trailersOk: HeaderTemplate
  private readonly encoder: Http2ServerConnection['encoder']

  constructor(encoder: Http2ServerConnection['encoder']) {
    this.encoder = encoder
    this.headers = encoder.template([[':status', '200'], contentType])
    this.trailersOk = encoder.template([statusOk])
  }

  /** Trailers of a call whose headers are sent. */
  trailers(status: GrpcStatusCode, message: string): HeaderTemplate {
    return status === 0 ? this.trailersOk : this.encoder.template(statusFields(status, message))
  }

  /** Trailers-Only: a whole response. */
  trailersOnly(httpStatus: number, status: GrpcStatusCode, message: string): HeaderTemplate {
    return this.encoder.template([[':status', String(httpStatus)], contentType, ...statusFields(status, message)])
  }
}

function statusFields(status: GrpcStatusCode, message: string): FieldPair[] {
  const fields: FieldPair[] = [['grpc-status', String(status)]]
  if (message !== '') fields.push(['grpc-message', encodeGrpcMessage(message).slice(0, messageBytesMax)])
  return fields
}
