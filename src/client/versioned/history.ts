import type { PlaneContext } from '../context.ts'
import type { CallOptions, ChangeEvent, Key, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { CompactedError, historyOf } from '../watching/index.ts'
import { versionedValue } from './stored-value.ts'
import type { HistoryItem } from './versioned.ts'

/** The life of a key, the newest first. `limits` are asked anew for each step. */
export async function* historyOfKey(
  { driver }: PlaneContext,
  key: Key,
  limit: number,
  limits: () => CallOptions,
): AsyncGenerator<HistoryItem, void, void> {
  let { entry } = await driver.get(key, limits())
  for (let count = 1; entry !== undefined; count++) {
    yield { ...versionedValue(entry), deleted: false }
    if (count >= limit) return
    const { createRevision, modRevision, version } = entry
    if (version === 1) return yield* earlierLives(driver, key, createRevision, limit - count, limits())
    try {
      entry = (await driver.get(key, { ...limits(), revision: modRevision - 1 })).entry
    } catch (error) {
      if (error instanceof SynodError && error.code === 'COMPACTED') return
      throw error
    }
  }
}

/** What is still known of the key before it was made last, by that event at `createRevision` at the latest. */
async function* earlierLives(
  driver: PlaneContext['driver'],
  key: Key,
  createRevision: Revision,
  limit: number,
  options: CallOptions,
): AsyncGenerator<HistoryItem, void, void> {
  let from: Revision = 1
  for (;;) {
    try {
      yield* await lastBefore(driver, key, from, createRevision, limit, options)
      return
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error
      from = error.compactRevision
      if (from >= createRevision) return
    }
  }
}

async function lastBefore(
  driver: PlaneContext['driver'],
  key: Key,
  from: Revision,
  before: Revision,
  limit: number,
  options: CallOptions,
): Promise<HistoryItem[]> {
  const items: HistoryItem[] = []
  for await (const { events, revision } of historyOf(driver, { start: key, end: undefined }, from, options)) {
    for (const event of events) if (event.revision < before) items.push(itemOf(event))
    if (items.length > limit) items.splice(0, items.length - limit)
    if (revision >= before) break
  }
  return items.reverse()
}

function itemOf(event: ChangeEvent): HistoryItem {
  if (event.type === 'delete') return { deleted: true, revision: event.revision }
  return { ...versionedValue(event.entry), deleted: false }
}
