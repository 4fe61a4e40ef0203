import { murmur3 } from '../../core/ring/index.ts'
import type { Validator } from './validator.ts'

/** The part of a Standard Schema that describes it (standardschema.dev, "Standard JSON Schema"). */
interface Describing {
  readonly jsonSchema?: { input(options: { readonly target: string }): unknown } | undefined
}

/**
 * 16 digits that differ where the messages' schemas do; empty unless both describe themselves. Of what may be given, before
 * defaults and transformations: that is what travels.
 */
export function fingerprintOf(request: Validator, response: Validator): string {
  const described = [request, response].map(describe)
  if (described.includes(undefined)) return ''
  const text = JSON.stringify(described)
  return [0, 1].map((seed) => murmur3(text, seed).toString(16).padStart(8, '0')).join('')
}

function describe(validator: Validator): unknown {
  if (!('~standard' in validator)) return undefined
  const { jsonSchema } = validator['~standard'] as Describing
  try {
    return jsonSchema?.input({ target: 'draft-2020-12' })
  } catch {
    // Not every schema can be written as one of JSON Schema.
    return undefined
  }
}
