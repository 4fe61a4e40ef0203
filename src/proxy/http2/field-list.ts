import { FieldKind, type HeaderField } from '../../wire/http2/index.ts'
import type { Fields } from '../http/index.ts'

/** The first value of the field `name` (lower case). */
export function firstValue(fields: Fields, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
  return undefined
}

const noFields: Fields = []

/** Trailers, in the proxy's form. */
export function fieldListOf(fields: readonly HeaderField[]): Fields {
  if (fields.length === 0) return noFields
  const list: string[] = []
  for (const { kind, name, value } of fields) if (kind === FieldKind.regular) list.push(name, value)
  return list
}
