/** Writes some keys into the target in one transaction that any engine takes. Safe to repeat. */
import { equalBytes } from '../../base/index.ts'
import type { PlaneContext } from '../context.ts'
import type { Entry, Key, Operation } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type PersistOptions, persist } from '../turns/index.ts'
import type { MovingEntry } from './side.ts'

/** With the record of progress well below the 128 steps of a transaction and the 1.5 MiB of a request. */
export const batchKeysMax = 60
export const batchBytesMax = 512 * 1024

export interface BatchOutcome {
  readonly written: number
  /** Were there already, with the same value. */
  readonly equal: number
}

/**
 * Makes `batch` so in the target, with `more` in the same transaction. A key that has another value there is replaced if
 * `overwrite`, and otherwise ends it with `CONFLICT`.
 */
export async function writeBatch(
  to: PlaneContext,
  batch: readonly MovingEntry[],
  more: readonly Operation[],
  { overwrite, ...limits }: PersistOptions & { readonly overwrite: boolean },
): Promise<BatchOutcome> {
  const { driver, namespace } = to
  const there = new Map<Key, Entry>()
  /** Written by an attempt whose answer was lost, or by an earlier copy: the target cannot tell them apart. */
  const isThere = ({ key, entry }: MovingEntry): boolean => {
    const found = there.get(key)
    return found !== undefined && found.leaseId === 0n && equalBytes(found.value, entry.value)
  }
  return persist(driver.outside, limits, async (call) => {
    for (;;) {
      const writes = batch.filter((moving) => !isThere(moving))
      const { succeeded, results } = await driver.transact(
        {
          compares: writes.map(({ key }) => ({
            key: namespace + key,
            target: 'modRevision',
            is: '=',
            value: there.get(key)?.modRevision ?? 0,
          })),
          success: [
            ...writes.map(({ key, entry }) => ({ type: 'put', key: namespace + key, value: entry.value }) as const),
            ...more,
          ],
          failure: writes.map(({ key }) => ({ type: 'get', key: namespace + key })),
        },
        call,
      )
      if (succeeded) return { written: writes.length, equal: batch.length - writes.length }
      writes.forEach((moving, index) => {
        const result = results[index]
        const found = result?.type === 'get' ? result.entry : undefined
        if (found === undefined) there.delete(moving.key)
        else there.set(moving.key, found)
        if (found !== undefined && !overwrite && !isThere(moving)) throw conflict([moving.key])
      })
    }
  })
}

/** What the target has otherwise. */
export function conflict(keys: readonly Key[], count = keys.length): SynodError {
  const names = keys.map((key) => JSON.stringify(Buffer.from(key, 'latin1').toString('utf8'))).join(', ')
  return new SynodError(
    'CONFLICT',
    `the target has other values for ${count} of the keys: ${names}${count > keys.length ? ', …' : ''}; copy into an empty target, or overwrite them`,
    { retryable: false },
  )
}
