/** A broken invariant: a bug in Synod, never the caller's fault. Nothing but the node's outermost frame catches it. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Checks an invariant, always on. One condition a call. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

/** Narrows away `undefined` where an invariant says that it cannot be. */
export function assertDefined<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new InvariantError(message)
  return value
}

/** The exhaustive branch of a switch over a discriminated union. */
export function unreachable(value: never, message = 'unreachable'): never {
  throw new InvariantError(`${message}: ${String(value)}`)
}
