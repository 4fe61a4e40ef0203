/** What a transaction's compares say of the state that was read. */
import { equalBytes } from '../../../base/index.ts'
import type { Compare, Entry, Key } from '../../driver/index.ts'

/** The state of the keys that a transaction names. */
export type State = ReadonlyMap<Key, Entry | undefined>

export function holds(compare: Compare, state: State): boolean {
  const entry = state.get(compare.key)
  switch (compare.target) {
    case 'exists':
      return (entry !== undefined) === compare.value
    case 'value':
      return entry !== undefined && equalBytes(entry.value, compare.value) === (compare.is === '=')
    default:
      return numbersCompare(entry?.[compare.target] ?? 0, compare.is, compare.value)
  }
}

function numbersCompare(left: number, is: '=' | '!=' | '<' | '>', right: number): boolean {
  switch (is) {
    case '=':
      return left === right
    case '!=':
      return left !== right
    case '<':
      return left < right
    case '>':
      return left > right
  }
}
