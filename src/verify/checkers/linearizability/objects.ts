/**
 * Cuts a history into objects that can be judged on their own: linearizability is local (Herlihy and Wing, 1990, §3.1).
 * Keys that one operation names together belong to one object.
 */
import type { CompiledOperation } from './compiled-operation.ts'

/** The operations of each object, in their given order. */
export function objectsOf(operations: readonly CompiledOperation[], keyCount: number): CompiledOperation[][] {
  const parent = Int32Array.from({ length: keyCount }, (_, key) => key)
  const root = (key: number): number => {
    let at = key
    while (parent[at] !== at) at = parent[at] = parent[parent[at]!]!
    return at
  }
  for (const { keys } of operations) for (const key of keys) parent[root(key)] = root(keys[0]!)
  const objects = new Map<number, CompiledOperation[]>()
  for (const operation of operations) {
    // What touches no key fits anywhere, or nowhere, by itself.
    const object = operation.keys.length === 0 ? -1 : root(operation.keys[0]!)
    const members = objects.get(object)
    if (members === undefined) objects.set(object, [operation])
    else members.push(operation)
  }
  return [...objects.values()]
}
