/** The pass that writes. */
import { assertDefined } from '../../base/index.ts'
import type { PlaneContext } from '../context.ts'
import type { Key, Operation, Revision } from '../driver/index.ts'
import { encodeProgress, progressKey } from './progress-key.ts'
import { type MovingEntry, readSide } from './side.ts'
import { standsInLine } from './what-moves.ts'
import { batchBytesMax, batchKeysMax, writeBatch } from './write-batch.ts'

export interface CopyKeysOptions {
  readonly prefixes: readonly Key[]
  /** The moment that is copied, where the source reads as of one. */
  readonly fromRevision: Revision
  readonly after: Key | undefined
  readonly overwrite: boolean
  readonly signal?: AbortSignal | undefined
  /** Told of keys that are seen to, in all. */
  readonly onKeys: (keys: number) => void
}

/**
 * Copies everything that moves: first, in key order, all but jobs; then the jobs in the order in which they were made, for
 * that is their place in the line. Resolves with how many were written.
 */
export async function copyKeys(from: PlaneContext, to: PlaneContext, options: CopyKeysOptions): Promise<number> {
  const { prefixes, fromRevision: revision, after, overwrite, signal, onKeys } = options
  const limits = { overwrite, signal }
  let written = 0
  let seen = 0
  const flush = async (batch: readonly MovingEntry[], more: readonly Operation[]): Promise<void> => {
    written += (await writeBatch(to, batch, more, limits)).written
    seen += batch.length
    onKeys(seen)
  }
  let batch: MovingEntry[] = []
  let bytes = 0
  const flushInOrder = async (): Promise<void> => {
    const last = batch.at(-1)
    if (last === undefined) return
    const value = encodeProgress({ prefixes, fromRevision: revision, after: last.key })
    // A value near the limit of a request leaves no room for it.
    const more = bytes > batchBytesMax ? [] : [{ type: 'put', key: progressKey(to), value } as const]
    await flush(batch, more)
    batch = []
    bytes = 0
  }
  for await (const moving of readSide(from, { prefixes, revision, after, signal })) {
    if (standsInLine(moving.key)) continue
    const size = moving.key.length + moving.entry.value.length
    if (batch.length === batchKeysMax || bytes + size > batchBytesMax) await flushInOrder()
    batch.push(moving)
    bytes += size
  }
  await flushInOrder()
  for await (const jobs of jobsInLine(from, options)) await flush(jobs, [])
  return written
}

/** Jobs by the write that made them. */
async function* jobsInLine(from: PlaneContext, options: CopyKeysOptions): AsyncGenerator<readonly MovingEntry[]> {
  const { prefixes, fromRevision, signal } = options
  const revision = from.driver.can.atRevision ? fromRevision : undefined
  const byRevision = new Map<Revision, Key[]>()
  for await (const { key, entry } of readSide(from, { prefixes, revision: fromRevision, signal, keysOnly: true })) {
    if (!standsInLine(key)) continue
    const keys = byRevision.get(entry.createRevision) ?? []
    keys.push(key)
    byRevision.set(entry.createRevision, keys)
  }
  for (const made of [...byRevision.keys()].sort((a, b) => a - b)) {
    const jobs: MovingEntry[] = []
    for (const key of assertDefined(byRevision.get(made), 'the revision is one of the map')) {
      const { entry } = await from.driver.get(from.namespace + key, { revision, signal })
      // Done meanwhile, where the source cannot be read as it was.
      if (entry !== undefined) jobs.push({ key, entry })
    }
    for (let index = 0; index < jobs.length; index += batchKeysMax) yield jobs.slice(index, index + batchKeysMax)
  }
}
