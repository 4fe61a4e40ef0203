/** What a header field means to the framing of a request, found out once when the field is decoded. */
export const FieldKind = {
  regular: 0,
  method: 1,
  path: 2,
  scheme: 3,
  authority: 4,
  contentLength: 5,
  host: 6,
  /** Not allowed in any HTTP/2 request (RFC 9113 §8.2): the request that carries it is malformed. */
  forbidden: 7,
} as const
export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind]

/** One field of a header list. Name and value hold one unit a byte. */
export interface HeaderField {
  readonly name: string
  readonly value: string
  readonly kind: FieldKind
  /** RFC 7541 §4.1: both lengths and 32. */
  readonly sizeBytes: number
}

/** What RFC 7541 §4.1 adds to the two lengths. */
export const fieldOverheadBytes = 32

export function headerField(name: string, value: string): HeaderField {
  return { name, value, kind: kindOf(name, value), sizeBytes: name.length + value.length + fieldOverheadBytes }
}

/** Header names whose meaning is one connection (RFC 9113 §8.2.2). */
const connectionFields = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade'])

function kindOf(name: string, value: string): FieldKind {
  if (!isFieldValue(value)) return FieldKind.forbidden
  switch (name) {
    case ':method':
      return FieldKind.method
    case ':path':
      return FieldKind.path
    case ':scheme':
      return FieldKind.scheme
    case ':authority':
      return FieldKind.authority
    case 'content-length':
      return /^[0-9]{1,15}$/.test(value) ? FieldKind.contentLength : FieldKind.forbidden
    case 'host':
      return FieldKind.host
    case 'te':
      return value === 'trailers' ? FieldKind.regular : FieldKind.forbidden
    default:
      return isFieldName(name) && !connectionFields.has(name) ? FieldKind.regular : FieldKind.forbidden
  }
}

/** The octets of a token (RFC 9110 §5.6.2) but for upper case: no colon either, which refuses unknown pseudo-header fields. */
const nameOctets = new Uint8Array(256)
for (const octet of Buffer.from("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz", 'latin1')) nameOctets[octet] = 1

/** RFC 9113 §8.2.1 and RFC 9110 §5.1: what is passed on to HTTP/1 must be a name there too. */
function isFieldName(name: string): boolean {
  if (name.length === 0) return false
  for (let i = 0; i < name.length; i++) if (nameOctets[name.charCodeAt(i)] !== 1) return false
  return true
}

/** RFC 9113 §8.2.1 and RFC 9110 §5.5: no control character but the tab, and no space or tab at either end. */
function isFieldValue(value: string): boolean {
  const length = value.length
  if (length === 0) return true
  for (let i = 0; i < length; i++) {
    const unit = value.charCodeAt(i)
    if ((unit < 0x20 && unit !== 9) || unit === 0x7f) return false
  }
  return !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(length - 1))
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09
}
