import { FieldKind, type HeaderField } from '../http2/index.ts'

/**
 * The validated header list of a response, or of its trailers. Shared by all whose header blocks are equal: never
 * changed.
 */
export class ResponseHead {
  /** 0 for trailers, which have none. */
  readonly status: number
  /** Without `:status`, in order. */
  readonly fields: readonly HeaderField[]
  /** Whatever the layer above derived from this head: equal header blocks derive it once. */
  memo: unknown = undefined

  constructor(status: number, fields: readonly HeaderField[]) {
    this.status = status
    this.fields = fields
  }

  /** The first value of the field `name` (lower case), or `undefined`. */
  get(name: string): string | undefined {
    for (const field of this.fields) if (field.name === name) return field.value
    return undefined
  }
}

/**
 * Builds the head, or `undefined` when it is malformed (RFC 9113 §8.1.1, §8.3.2).
 *
 * Differs: `content-length` is not compared with the body; the layer above has lengths of its own.
 */
export function responseHeadOf(fields: readonly HeaderField[]): ResponseHead | undefined {
  const first = fields[0]
  const hasStatus = first !== undefined && first.name === ':status'
  if (hasStatus && !/^[1-5][0-9]{2}$/.test(first.value)) return undefined
  const rest = hasStatus ? fields.slice(1) : fields
  // A second `:status` is among the forbidden: field names have no colon.
  if (!rest.every((field) => isOfResponse(field))) return undefined
  return new ResponseHead(hasStatus ? Number(first.value) : 0, rest)
}

function isOfResponse({ kind }: HeaderField): boolean {
  return kind === FieldKind.regular || kind === FieldKind.host || kind === FieldKind.contentLength
}
