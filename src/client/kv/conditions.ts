/** What a transaction may depend on: `key('a').version.equals(1)`, `exists('b')`, `value('c').equals('x')`. */
import type { BinaryString } from '../../base/index.ts'
import type { Compare } from '../driver/index.ts'
import { type KeyInput, storedKey, valueBytes } from './keys.ts'

/** Something that holds of one key, or does not. */
export interface Condition {
  /** What the engine is asked, in a namespace. */
  readonly compare: (context: { readonly namespace: BinaryString }) => Compare
}

/** Conditions on a number that belongs to a key; all are 0 while the key is not there. */
export interface NumberConditions {
  equals(value: number): Condition
  not(value: number): Condition
  lessThan(value: number): Condition
  greaterThan(value: number): Condition
}

/** Conditions on a key's value. While the key is not there, none holds. */
export interface ValueConditions {
  equals(value: string | Uint8Array): Condition
  not(value: string | Uint8Array): Condition
}

/** Conditions on one key. */
export interface KeyConditions {
  readonly version: NumberConditions
  readonly createRevision: NumberConditions
  readonly modRevision: NumberConditions
  readonly value: ValueConditions
  exists(): Condition
  absent(): Condition
}

/** Conditions on a key: `key('a').version.equals(1)`. */
export function key(name: KeyInput): KeyConditions {
  return {
    version: numberConditions(name, 'version'),
    createRevision: numberConditions(name, 'createRevision'),
    modRevision: numberConditions(name, 'modRevision'),
    value: value(name),
    exists: () => exists(name),
    absent: () => absent(name),
  }
}

/** Holds while the key is there. */
export function exists(name: KeyInput): Condition {
  return { compare: (context) => ({ key: storedKey(context, name), target: 'exists', value: true }) }
}

/** Holds while the key is not there. */
export function absent(name: KeyInput): Condition {
  return { compare: (context) => ({ key: storedKey(context, name), target: 'exists', value: false }) }
}

/** Conditions on a key's value: `value('c').equals('x')`. */
export function value(name: KeyInput): ValueConditions {
  const compared =
    (is: '=' | '!=') =>
    (other: string | Uint8Array): Condition => ({
      compare: (context) => ({ key: storedKey(context, name), target: 'value', is, value: valueBytes(other) }),
    })
  return { equals: compared('='), not: compared('!=') }
}

function numberConditions(name: KeyInput, target: 'version' | 'createRevision' | 'modRevision'): NumberConditions {
  const compared =
    (is: '=' | '!=' | '<' | '>') =>
    (other: number): Condition => ({
      compare: (context) => ({ key: storedKey(context, name), target, is, value: other }),
    })
  return { equals: compared('='), not: compared('!='), lessThan: compared('<'), greaterThan: compared('>') }
}
