/** HTTP/2 heads of responses, and their trailers, as the proxy's own; translated once for all equal header blocks. */
import { FieldKind } from '../../wire/http2/index.ts'
import type { ResponseHead as WireResponseHead } from '../../wire/http2-client/index.ts'
import type { BodyLength, Fields, ResponseHead } from '../http/index.ts'
import { fieldListOf, firstValue } from './field-list.ts'

class Http2ResponseHead implements ResponseHead {
  readonly status: number
  readonly fields: Fields
  readonly bodyLength: BodyLength
  memo: unknown = undefined

  constructor(status: number, fields: Fields, bodyLength: BodyLength) {
    this.status = status
    this.fields = fields
    this.bodyLength = bodyLength
  }

  get(name: string): string | undefined {
    return firstValue(this.fields, name)
  }
}

/** The translations of one wire head, by what follows it. */
class Translations {
  whole: ResponseHead | undefined = undefined
  withBody: ResponseHead | undefined = undefined
  bodiless: ResponseHead | undefined = undefined
}

/** Whether a response to `method` with `status` has no body, whatever its fields say (RFC 9110 §6.4.1). */
export function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304
}

/** The proxy's head, or `undefined` when its lengths contradict one another. */
export function translateResponse(
  wire: WireResponseHead,
  endStream: boolean,
  bodiless: boolean,
): ResponseHead | undefined {
  const known = wire.memo instanceof Translations ? wire.memo : new Translations()
  wire.memo = known
  if (bodiless) {
    known.bodiless ??= translate(wire, 'unknown')
    return known.bodiless
  }
  if (endStream) {
    known.whole ??= translate(wire, 0)
    return known.whole
  }
  known.withBody ??= translate(wire, 'unknown')
  return known.withBody
}

/** `lengthDefault`: where `content-length` says nothing. */
function translate(wire: WireResponseHead, lengthDefault: BodyLength): ResponseHead | undefined {
  const fields: string[] = []
  let bodyLength = lengthDefault
  let announced = -1
  for (const { kind, name, value } of wire.fields) {
    if (kind !== FieldKind.contentLength) {
      fields.push(name, value)
      continue
    }
    const length = Number(value)
    if (announced !== -1 && announced !== length) return undefined
    announced = length
    bodyLength = length
  }
  return new Http2ResponseHead(wire.status, fields, bodyLength)
}

/** A trailer section, or an interim response's fields. */
export function translateFields(wire: WireResponseHead): Fields {
  if (!Array.isArray(wire.memo)) wire.memo = fieldListOf(wire.fields)
  return wire.memo as Fields
}
