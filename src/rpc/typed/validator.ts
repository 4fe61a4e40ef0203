/** What may stand for a message's type: a Standard Schema, or a plain function. */
import type { StandardSchema } from '../../client/index.ts'

/** Gives the message that `value` is, or throws what is wrong with it. */
export type ValidatorFunction<Message = unknown> = (value: unknown) => Message

/** What may stand for a message's type: a Standard Schema, or a function that gives the message back or throws. */
export type Validator = StandardSchema | ValidatorFunction

/** What a program gives where it sends such a message. */
export type ValidatorInput<V extends Validator> = V extends StandardSchema
  ? NonNullable<V['~standard']['types']>['input']
  : V extends ValidatorFunction<infer Message>
    ? Message
    : never

/** What a program gets where it receives one. */
export type ValidatorOutput<V extends Validator> = V extends StandardSchema
  ? NonNullable<V['~standard']['types']>['output']
  : V extends ValidatorFunction<infer Message>
    ? Message
    : never

/** The issues that a message names. */
const issuesShown = 5

/** What the validator makes of `value`. Throws an error that says what is wrong. */
export function validate(validator: Validator, value: unknown): unknown {
  if (!('~standard' in validator)) return validator(value)
  const result = validator['~standard'].validate(value)
  if (result instanceof Promise) {
    // Nobody waits for it.
    result.catch(() => {})
    throw new TypeError('its schema validates asynchronously, and messages cannot wait: use one that does not')
  }
  if (result.issues === undefined) return result.value
  const told = result.issues.slice(0, issuesShown).map(({ message, path }) => {
    const at = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
    return at === '' ? message : `${at}: ${message}`
  })
  const more = result.issues.length - told.length
  throw new TypeError(`it does not fit its schema: ${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}`)
}
