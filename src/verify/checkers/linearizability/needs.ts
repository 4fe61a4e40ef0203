/**
 * What an operation needs of the state to be legal (a certain one) or to have an effect (an uncertain one). The search asks
 * it which uncertain writes could help where it is stuck, instead of trying all of them everywhere.
 */
import {
  absent,
  type CompiledCompare,
  type CompiledOperation,
  type CompiledStep,
  stepKind,
  untold,
} from './compiled-operation.ts'

/** `equals`: the key has that value. `differs`: it has another one. `some`: it is not said which values would do. */
export interface Need {
  readonly key: number
  readonly kind: 'equals' | 'differs' | 'some'
  readonly value: number
}

export function needsOf(operation: CompiledOperation): Need[] {
  const { compares, succeeded, success, failure, certain } = operation
  const needs: Need[] = []
  // An uncertain one without a failing branch acts only if its compares hold.
  const branch = succeeded ?? (!certain && failure.length === 0 ? true : undefined)
  for (const compare of compares) needs.push(needOfCompare(compare, branch, compares.length))
  const steps = branch === undefined ? [...success, ...failure] : branch ? success : failure
  const written = new Set<number>()
  for (const step of steps) {
    if (step.kind !== stepKind.put)
      needs.push(...needsOfStep(step, branch !== undefined).filter(({ key }) => !written.has(key)))
    if (step.kind === stepKind.put || step.kind === stepKind.delete) written.add(step.keys[0]!)
  }
  return needs
}

function needOfCompare(compare: CompiledCompare, branch: boolean | undefined, compareCount: number): Need {
  const { key, target, relation, operand } = compare
  const some: Need = { key, kind: 'some', value: absent }
  if (branch === undefined || relation !== '=' || !(target === 'value' || operand === 0)) return some
  const value = target === 'value' ? operand : absent
  if (branch) return { key, kind: 'equals', value }
  // Of several compares any may be the one that failed; and one with the value of an absent key fails whatever it is.
  return compareCount === 1 ? { key, kind: 'differs', value } : some
}

function needsOfStep({ kind, keys, expected }: CompiledStep, branchKnown: boolean): Need[] {
  if (expected[0] === untold) return []
  if (!branchKnown) return Array.from(keys, (key) => ({ key, kind: 'some', value: absent }))
  if (kind === stepKind.delete)
    return [{ key: keys[0]!, kind: expected[0] === 1 ? 'differs' : 'equals', value: absent }]
  if (expected.length !== keys.length) return []
  return Array.from(keys, (key, i) => ({ key, kind: 'equals', value: expected[i]! }))
}

/** Whether the state lacks what is needed, or may lack it. */
export function isUnmet({ key, kind, value }: Need, values: Int32Array): boolean {
  return kind === 'some' || (values[key] === value) !== (kind === 'equals')
}
