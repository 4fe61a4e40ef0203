/** `x-request-id`: one name for a request in the logs of all that it passes through. */
import type { Random } from '../../runtime/index.ts'

export const requestIdField = 'x-request-id'

/** Longer ones are replaced: they would be copied into every log on the way. */
const requestIdLengthMax = 128

/** The id the client sent, when it is fit for logs: 1 to 128 characters of `A-Za-z0-9._:/+=-`; else undefined. */
export function acceptedRequestId(value: string | undefined): string | undefined {
  if (value === undefined || value.length > requestIdLengthMax) return undefined
  return /^[\w.:/+=-]+$/.test(value) ? value : undefined
}

/** A fresh id: 128 random bits as 32 hexadecimal digits, as nginx's `$request_id`. */
export function newRequestId(random: Random): string {
  return hex8(random.uint32()) + hex8(random.uint32()) + hex8(random.uint32()) + hex8(random.uint32())
}

/** Of every octet: `toString(16)` with its padding takes several times as long. */
const hexOf = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'))

function hex8(value: number): string {
  return hexOf[value >>> 24]! + hexOf[(value >>> 16) & 0xff]! + hexOf[(value >>> 8) & 0xff]! + hexOf[value & 0xff]!
}
