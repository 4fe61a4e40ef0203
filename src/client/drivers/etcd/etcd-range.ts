/** How etcd writes the ranges of the driver. */
import type { Key, KeyRange } from '../../driver/index.ts'

export interface EtcdRange {
  readonly key: Key
  /** Empty: the key only. `'\0'`: everything from the key on. */
  readonly end: Key
}

/** A range that holds nothing, for those that end before they begin: etcd reads an end of `'\0'` as "everything". */
const nothing: EtcdRange = { key: '\x02', end: '\x01' }

/** No key is empty, so the smallest key stands for the empty one. */
export function etcdRange({ start, end }: KeyRange): EtcdRange {
  if (end === undefined) return { key: start, end: '' }
  if (end === '') return { key: start === '' ? '\0' : start, end: '\0' }
  if (end <= start || end === '\0') return nothing
  return { key: start === '' ? '\0' : start, end }
}

export function isEmpty(range: EtcdRange): boolean {
  return range === nothing
}
