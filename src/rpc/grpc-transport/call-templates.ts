/**
 * The header lists of one client connection's requests.
 *
 * I1. `templates` keeps lists without metadata by path, encoding and time-out text; it is emptied when full. A list with
 *     metadata is made for its call.
 */
import type { FieldPair, HeaderTemplate, HpackEncoder } from '../../wire/http2/index.ts'
import { contractName, type Metadata } from '../service/index.ts'
import type { TransportRequest } from '../transport/index.ts'
import { fieldsOfMetadata } from './metadata-fields.ts'

const templatesMax = 1_024
const userAgent = 'synod-rpc'
/** Of requests and answers whose messages may be compressed. */
export const gzipEncoding: FieldPair = ['grpc-encoding', 'gzip']

/** What requests have in common. */
export interface RequestHeadings {
  readonly scheme: 'http' | 'https'
  readonly authority: string
  /** From which length on messages are compressed; undefined: none are. */
  readonly gzipFromBytes: number | undefined
}

/** The fields that every request of a channel carries. */
export function memorableRequestFields({ authority }: RequestHeadings): readonly FieldPair[] {
  return [
    [':authority', authority],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['user-agent', userAgent],
    ['grpc-accept-encoding', 'identity,gzip'],
  ]
}

interface RequestParts {
  readonly path: string
  readonly encoding: string | undefined
  readonly contract: string | undefined
  readonly timeoutText: string
  readonly metadata: Metadata
}

export class RequestTemplates {
  private readonly encoder: HpackEncoder
  private readonly headings: RequestHeadings
  private readonly templates = new Map<string, HeaderTemplate>()

  constructor(encoder: HpackEncoder, headings: RequestHeadings) {
    this.encoder = encoder
    this.headings = headings
  }

  /** `path`: of `service` and `method`, which say the rest of the head. */
  find(path: string, { service, method, metadata }: TransportRequest, timeoutText: string): HeaderTemplate {
    const { encoding } = service
    const { contract } = method
    if (metadata.size > 0) return this.make({ path, encoding, contract, timeoutText, metadata })
    const key = encoding === undefined ? `${path} ${timeoutText}` : `${path} ${timeoutText} ${encoding}`
    let template = this.templates.get(key)
    if (template === undefined) {
      template = this.make({ path, encoding, contract, timeoutText, metadata })
      if (this.templates.size >= templatesMax) this.templates.clear()
      this.templates.set(key, template)
    }
    return template
  }

  private make({ path, encoding, contract, timeoutText, metadata }: RequestParts): HeaderTemplate {
    const fields: FieldPair[] = [
      [':method', 'POST'],
      [':scheme', this.headings.scheme],
      [':path', path],
      [':authority', this.headings.authority],
      ['content-type', contentTypeOf(encoding)],
      ['te', 'trailers'],
      ['user-agent', userAgent],
      ['grpc-accept-encoding', 'identity,gzip'],
    ]
    if (this.headings.gzipFromBytes !== undefined) fields.push(gzipEncoding)
    if (contract !== undefined) fields.push([contractName, contract])
    if (timeoutText !== '') fields.push(['grpc-timeout', timeoutText])
    fields.push(...fieldsOfMetadata(metadata))
    return this.encoder.template(fields)
  }
}

/** `application/grpc`, with the encoding where it is not protobuf. */
export function contentTypeOf(encoding: string | undefined): string {
  return encoding === undefined || encoding === 'proto' ? 'application/grpc' : `application/grpc+${encoding}`
}
