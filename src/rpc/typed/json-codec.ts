/** Messages as JSON in UTF-8, checked on both ways. */
import { utf8Bytes } from '../../base/index.ts'
import type { Codec } from '../service/index.ts'
import { type Validator, validate } from './validator.ts'

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * What is sent is the JSON of the given value once the validator has accepted it, not of what the validator makes of it:
 * the receiver's validator makes the same of it again.
 */
export function jsonCodec(validator: Validator): Codec<unknown> {
  return {
    encode(message) {
      validate(validator, message)
      const text = JSON.stringify(message) as string | undefined
      // A message that is nothing travels as `null`, and comes back as nothing.
      return utf8Bytes(text ?? 'null')
    },
    decode(bytes) {
      const value: unknown = JSON.parse(strictUtf8.decode(bytes))
      return validate(validator, value ?? undefinedWhereNeeded(validator))
    },
  }
}

/** `null`, unless the validator refuses that and takes `undefined`. */
function undefinedWhereNeeded(validator: Validator): null | undefined {
  try {
    validate(validator, null)
    return null
  } catch {
    return undefined
  }
}
