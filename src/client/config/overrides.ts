/** Settings as JSON objects laid over one another. Objects are merged member by member; everything else is replaced. */
import { ValidationError } from '../schema/index.ts'

/** A JSON object. */
export type Overrides = { readonly [name: string]: unknown }

export function isObject(value: unknown): value is Overrides {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** `over` laid over `under`. A member that is `undefined` in `over` is as in `under`. */
export function laidOver(under: Overrides, over: Overrides): Overrides {
  const members = new Map(Object.entries(under))
  for (const [name, value] of Object.entries(over)) {
    if (value === undefined) continue
    const below = members.get(name)
    members.set(name, isObject(value) ? laidOver(isObject(below) ? below : {}, value) : value)
  }
  return Object.fromEntries(members)
}

/** Without the member at `path`, and without objects that this leaves empty. */
export function without(overrides: Overrides, [name, ...rest]: readonly string[]): Overrides {
  const members = new Map(Object.entries(overrides))
  if (name === undefined || !members.has(name)) return overrides
  const inner = members.get(name)
  const left = rest.length > 0 && isObject(inner) ? without(inner, rest) : undefined
  if (rest.length > 0 && left === undefined) return overrides
  if (left === undefined || Object.keys(left).length === 0) members.delete(name)
  else members.set(name, left)
  return Object.fromEntries(members)
}

/** Throws `VALIDATION_FAILED` for JSON that is no object. */
export function asOverrides(value: unknown, what: string): Overrides {
  if (isObject(value)) return value
  throw new ValidationError(what, [{ message: 'it must be a JSON object' }])
}
