/** The header lists of one server connection's responses. What has no metadata is made once. */
import { encodeGrpcMessage } from '../../wire/grpc/index.ts'
import type { FieldPair, HeaderTemplate, HpackEncoder } from '../../wire/http2/index.ts'
import type { Metadata } from '../service/index.ts'
import { contentTypeOf, gzipEncoding } from './call-templates.ts'
import { fieldsOfMetadata } from './metadata-fields.ts'

const statusOk: FieldPair = ['grpc-status', '0']
const acceptEncoding: FieldPair = ['grpc-accept-encoding', 'identity,gzip']
const encodingsMax = 16

/** The fields that every successful response carries. */
export const memorableResponseFields: readonly FieldPair[] = [
  ['content-type', 'application/grpc'],
  acceptEncoding,
  statusOk,
]

/** The longest status message sent, in encoded bytes: header lists of clients are bounded too. */
const messageBytesMax = 4_096

export class ResponseTemplates {
  /** Trailers of success without metadata. */
  readonly trailersOk: HeaderTemplate
  private readonly encoder: HpackEncoder
  private readonly heads = new Map<string | undefined, HeaderTemplate>()
  private readonly gzipHeads = new Map<string | undefined, HeaderTemplate>()

  constructor(encoder: HpackEncoder) {
    this.encoder = encoder
    this.trailersOk = encoder.template([statusOk])
  }

  /** Response-Headers of a call that has messages to send. */
  head(encoding: string | undefined, metadata: Metadata, isGzip: boolean): HeaderTemplate {
    const fields = isGzip ? gzipHeadFields : headFields
    if (metadata.size > 0) return this.encoder.template([...fields(encoding), ...fieldsOfMetadata(metadata)])
    const heads = isGzip ? this.gzipHeads : this.heads
    let template = heads.get(encoding)
    if (template === undefined) {
      template = this.encoder.template(fields(encoding))
      if (heads.size >= encodingsMax) heads.clear()
      heads.set(encoding, template)
    }
    return template
  }

  trailers(status: number, message: string, metadata: Metadata): HeaderTemplate {
    if (status === 0 && metadata.size === 0) return this.trailersOk
    return this.encoder.template([...statusFields(status, message), ...fieldsOfMetadata(metadata)])
  }

  /** The answer to a request in an encoding that is not read (grpc/grpc doc/compression.md, "Specification"). */
  unreadEncoding(status: number, message: string): HeaderTemplate {
    return this.encoder.template([...headFields(undefined), ...statusFields(status, message)])
  }

  /** Trailers-Only: a whole response. */
  trailersOnly(httpStatus: number, status: number, message: string, metadata: Metadata): HeaderTemplate {
    return this.encoder.template([
      [':status', String(httpStatus)],
      ['content-type', 'application/grpc'],
      ...statusFields(status, message),
      ...fieldsOfMetadata(metadata),
    ])
  }
}

function headFields(encoding: string | undefined): FieldPair[] {
  return [[':status', '200'], ['content-type', contentTypeOf(encoding)], acceptEncoding]
}

function gzipHeadFields(encoding: string | undefined): FieldPair[] {
  return [...headFields(encoding), gzipEncoding]
}

function statusFields(status: number, message: string): FieldPair[] {
  const fields: FieldPair[] = [['grpc-status', String(status)]]
  if (message !== '') fields.push(['grpc-message', encodeGrpcMessage(message).slice(0, messageBytesMax)])
  return fields
}
