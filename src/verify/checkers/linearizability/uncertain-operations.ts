/**
 * Which operations of unknown outcome can matter. Every one that is kept may have happened at any later time, which is what
 * makes searches explode; one that nobody could have noticed is dropped.
 *
 * An order that contains an uncertain write nobody observes stays an order without it. Observed is: a certain operation
 * reads, expects or compares exactly that value; or a certain operation depends on the key in some other way (a
 * compare-and-swap that found another value, the count of a delete); or an uncertain operation that itself matters
 * depends on the key.
 */
import {
  absent,
  type CompiledCompare,
  type CompiledOperation,
  type CompiledStep,
  stepKind,
  untold,
} from './compiled-operation.ts'

/** Certain operations, and uncertain ones that can matter. With tracked versions every write can be noticed. */
export function withoutUnnoticed(
  operations: readonly CompiledOperation[],
  tracked: boolean,
): readonly CompiledOperation[] {
  const candidates = operations.filter((operation) => !operation.certain && !operation.pure)
  const certain = operations.filter((operation) => operation.certain)
  if (tracked || candidates.length === 0) return candidates.length === 0 ? certain : [...certain, ...candidates]
  const seen = new Observations()
  for (const operation of certain) seen.add(operation)
  const kept = new Set<CompiledOperation>()
  for (let before = -1; before < kept.size; ) {
    before = kept.size
    for (const operation of candidates) {
      if (kept.has(operation) || !seen.couldNotice(operation)) continue
      kept.add(operation)
      seen.add(operation)
    }
  }
  return operations.filter((operation) => operation.certain || kept.has(operation))
}

class Observations {
  private readonly values = new Map<number, Set<number>>()
  /** Keys on which something depends otherwise than by one value. */
  private readonly anyValue = new Set<number>()

  add(operation: CompiledOperation): void {
    for (const compare of operation.compares) this.addCompare(compare, operation)
    for (const step of [...operation.success, ...operation.failure]) this.addStep(step)
  }

  couldNotice(operation: CompiledOperation): boolean {
    return [...operation.success, ...operation.failure].some((step) => {
      if (step.kind !== stepKind.put && step.kind !== stepKind.delete) return false
      const key = step.keys[0]!
      return this.anyValue.has(key) || this.values.get(key)?.has(step.value) === true
    })
  }

  private addCompare({ key, target, relation, operand }: CompiledCompare, operation: CompiledOperation): void {
    // Of an uncertain one that only ever acts if the compare holds, no other value is of use.
    const mustHold = operation.succeeded === true || (!operation.certain && operation.failure.length === 0)
    if (relation === '=' && mustHold && target === 'value') this.addValue(key, operand)
    else if (relation === '=' && mustHold && operand === 0) this.addValue(key, absent)
    else this.anyValue.add(key)
  }

  private addStep({ kind, keys, expected }: CompiledStep): void {
    if (kind === stepKind.put || expected[0] === untold) return
    if (kind === stepKind.delete) this.anyValue.add(keys[0]!)
    else if (expected.length === keys.length) keys.forEach((key, i) => void this.addValue(key, expected[i]!))
  }

  private addValue(key: number, value: number): void {
    const values = this.values.get(key)
    if (values === undefined) this.values.set(key, new Set([value]))
    else values.add(value)
  }
}
