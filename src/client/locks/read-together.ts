import { assertDefined } from '../../base/index.ts'
import type { CallOptions, Driver, Entry, Operation, OperationResult, Revision } from '../driver/index.ts'

export type Read = Extract<Operation, { readonly type: 'get' | 'list' }>

export interface ReadTogether {
  readonly results: readonly OperationResult[]
  /** Of the first read. */
  readonly revision: Revision
}

/** Whether {@link readTogether} takes these in one transaction, so that another may take them along too. */
export function canJoinTransaction(driver: Driver, reads: readonly Read[]): boolean {
  return driver.can.rangeInTransaction || reads.every((read) => read.type === 'get')
}

/** Reads as of one revision where the engine can; elsewhere one after the other, in this order. */
export async function readTogether(
  driver: Driver,
  reads: readonly Read[],
  options: CallOptions,
): Promise<ReadTogether> {
  if (canJoinTransaction(driver, reads)) return driver.transact({ compares: [], success: reads }, options)
  const results: OperationResult[] = []
  let firstRevision: Revision | undefined
  for (const read of reads) {
    if (read.type === 'get') {
      const { entry, revision } = await driver.get(read.key, options)
      firstRevision ??= revision
      results.push({ type: 'get', entry })
    } else {
      const { range, limit, keysOnly } = read
      const { entries, more, revision } = await driver.list(range, { ...options, limit, keysOnly })
      firstRevision ??= revision
      results.push({ type: 'list', entries, more })
    }
  }
  return { results, revision: assertDefined(firstRevision, 'something is read') }
}

/** The entry that the read at `index` found. */
export function entryAt(results: readonly OperationResult[], index: number): Entry | undefined {
  const result = results[index]
  return result?.type === 'get' ? result.entry : undefined
}

/** The entries that the list at `index` found. */
export function entriesAt(results: readonly OperationResult[], index: number): readonly Entry[] {
  const result = results[index]
  return result?.type === 'list' ? result.entries : []
}
