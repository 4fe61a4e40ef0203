import { FieldKind, type HeaderField } from './header-field.ts'

/** The validated header list of a request. Shared by all requests whose header blocks are equal: never changed. */
export class RequestHead {
  readonly method: string
  readonly path: string
  readonly scheme: string
  /** `:authority`, or `host` when there is none. */
  readonly authority: string
  /** -1 when the request does not say. */
  readonly contentLength: number
  /** Size of the list as RFC 7541 §4.1 counts it. */
  readonly listBytes: number
  /** All fields in order, pseudo-header fields first. */
  readonly fields: readonly HeaderField[]
  /** Whatever the layer above derived from this head: requests with equal header blocks derive it once. */
  memo: unknown = undefined

  constructor(
    pseudo: { readonly method: string; readonly path: string; readonly scheme: string; readonly authority: string },
    contentLength: number,
    fields: readonly HeaderField[],
  ) {
    this.method = pseudo.method
    this.path = pseudo.path
    this.scheme = pseudo.scheme
    this.authority = pseudo.authority
    this.contentLength = contentLength
    this.fields = fields
    this.listBytes = fields.reduce((sum, field) => sum + field.sizeBytes, 0)
  }

  /** The first value of the field `name` (lower case), or `undefined`. */
  get(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value
    return undefined
  }

  /** Every value of the field `name` (lower case), in order. */
  getAll(name: string): string[] {
    return this.fields.filter((field) => field.name === name).map((field) => field.value)
  }
}

/** Builds the head of a request, or `undefined` when it is malformed (RFC 9113 §8.1.1, §8.3.1). */
export function requestHeadOf(fields: readonly HeaderField[]): RequestHead | undefined {
  let method: string | undefined
  let path: string | undefined
  let scheme: string | undefined
  let authority: string | undefined
  let host: string | undefined
  let contentLength = -1
  let regularSeen = false
  for (const field of fields) {
    const kind = field.kind
    if (kind >= FieldKind.method && kind <= FieldKind.authority) {
      if (regularSeen) return undefined
    } else {
      regularSeen = true
    }
    switch (kind) {
      case FieldKind.regular:
        break
      case FieldKind.method:
        if (method !== undefined) return undefined
        method = field.value
        break
      case FieldKind.path:
        if (path !== undefined) return undefined
        path = field.value
        break
      case FieldKind.scheme:
        if (scheme !== undefined) return undefined
        scheme = field.value
        break
      case FieldKind.authority:
        if (authority !== undefined) return undefined
        authority = field.value
        break
      case FieldKind.host:
        if (host !== undefined) return undefined
        host = field.value
        break
      case FieldKind.contentLength: {
        const length = Number(field.value)
        if (contentLength !== -1 && contentLength !== length) return undefined
        contentLength = length
        break
      }
      default:
        return undefined
    }
  }
  if (method === undefined) return undefined
  if (method === 'CONNECT') {
    // RFC 9113 §8.5: only the authority.
    if (path !== undefined || scheme !== undefined || authority === undefined) return undefined
  } else if (path === undefined || path === '' || scheme === undefined) {
    return undefined
  }
  const pseudo = { method, path: path ?? '', scheme: scheme ?? '', authority: authority ?? host ?? '' }
  return new RequestHead(pseudo, contentLength, fields)
}

/** Whether `fields` may end a request body (RFC 9113 §8.1): no pseudo-header field, nothing forbidden. */
export function areTrailersValid(fields: readonly HeaderField[]): boolean {
  return fields.every((field) => field.kind === FieldKind.regular || field.kind === FieldKind.host)
}
