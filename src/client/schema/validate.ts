import { utf8Bytes } from '../../base/index.ts'
import { SynodError } from '../errors.ts'
import type { SchemaInput, SchemaIssue, SchemaOutput, StandardSchema } from './standard-schema.ts'

/** A value that its schema does not accept, or that is no JSON. */
export class ValidationError extends SynodError {
  /** What is wrong, by the schema. Empty when the value is no JSON at all. */
  readonly issues: readonly SchemaIssue[]

  constructor(what: string, issues: readonly SchemaIssue[], cause?: unknown) {
    super('VALIDATION_FAILED', `${what} ${reasonOf(issues, cause)}`, { cause })
    this.issues = issues
  }
}

/** What the schema makes of `value`. Rejects with `VALIDATION_FAILED`; `what` names the value in its message. */
export async function validated<S extends StandardSchema>(
  schema: S,
  value: unknown,
  what: string,
): Promise<SchemaOutput<S>> {
  const result = await schema['~standard'].validate(value)
  if (result.issues !== undefined) throw new ValidationError(what, result.issues)
  return result.value
}

/** Stored JSON as its schema makes it. */
export async function parseJson<S extends StandardSchema>(
  schema: S,
  bytes: Uint8Array,
  what: string,
): Promise<SchemaOutput<S>> {
  return validated(schema, jsonOf(bytes, what), what)
}

/**
 * The bytes to store for `value`: its own JSON once the schema has accepted it, not what the schema makes of it, so that
 * the same schema can read it again, defaults and transformations included.
 */
export async function encodeJson<S extends StandardSchema>(
  schema: S,
  value: SchemaInput<S>,
  what: string,
): Promise<Uint8Array> {
  await validated(schema, value, what)
  return jsonBytes(value, what)
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** Bytes as JSON. Throws `VALIDATION_FAILED`. */
export function jsonOf(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(strictUtf8.decode(bytes))
  } catch (cause) {
    throw new ValidationError(what, [], cause)
  }
}

/** A value as JSON in UTF-8. Throws `VALIDATION_FAILED` for what JSON cannot say. */
export function jsonBytes(value: unknown, what: string): Uint8Array {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw new ValidationError(what, [], cause)
  }
  if (text === undefined) throw new ValidationError(what, [], new TypeError(`JSON has no ${typeof value}`))
  return utf8Bytes(text)
}

function reasonOf(issues: readonly SchemaIssue[], cause: unknown): string {
  if (issues.length === 0) return `is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`
  const told = issues.slice(0, 5).map(({ message, path }) => {
    const at = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
    return at === '' ? message : `${at}: ${message}`
  })
  const rest = issues.length > told.length ? `; and ${issues.length - told.length} more` : ''
  return `does not fit its schema: ${told.join('; ')}${rest}`
}
