import type { PlaneContext } from '../context.ts'
import type { ChangeEvent, Key, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { callOptions } from '../limits.ts'
import { flatMapped, historyOf, type LatestState, latestStates } from '../watching/index.ts'
import { type KvEntry, kvEntry } from './entry.ts'
import { keyBytesOf, type Namespaced, storedRange } from './keys.ts'
import type { HistoryWatchOptions, LatestWatchOptions } from './kv.ts'

/** What happened to a key. */
export type Change =
  | { readonly type: 'put'; readonly key: string; readonly entry: KvEntry; readonly revision: Revision }
  | {
      readonly type: 'delete'
      readonly key: string
      readonly keyBytes: Uint8Array
      /** Of the deletion; with `latest`, that of a state without the key. */
      readonly revision: Revision
    }

/** The watch that a program asks for, in the mode it names or else the best that the engine has. */
export function watchChanges(
  context: PlaneContext,
  options: LatestWatchOptions | HistoryWatchOptions,
): AsyncIterableIterator<Change> {
  const { driver } = context
  const { mode = driver.can.history ? 'history' : 'latest', fromRevision } = options
  const range = storedRange(context, options)
  const limits = callOptions(context, options)
  if (mode === 'history') {
    return flatMapped(historyOf(driver, range, fromRevision ?? 'now', limits), ({ events }) =>
      events.map((event) => changeOf(context, event)),
    )
  }
  if (fromRevision !== undefined)
    throw new SynodError(
      'INVALID_ARGUMENT',
      'a watch of the latest begins with what there is: leave fromRevision out, or use mode "history" where the engine has it',
    )
  return flatMapped(latestStates(driver, range, limits), (state) => changesOf(context, state))
}

function changeOf(context: Namespaced, event: ChangeEvent): Change {
  const { revision } = event
  if (event.type === 'delete') return deletion(context, event.key, revision)
  const entry = kvEntry(context, event.entry)
  return { type: 'put', key: entry.key, entry, revision }
}

function changesOf(context: Namespaced, { changed, revision }: LatestState): Change[] {
  const changes = [...changed].map(([key, entry]): Change => {
    if (entry === undefined) return deletion(context, key, revision)
    return changeOf(context, { type: 'put', entry, revision: entry.modRevision })
  })
  return changes.sort((a, b) => a.revision - b.revision)
}

function deletion(context: Namespaced, stored: Key, revision: Revision): Change {
  const keyBytes = keyBytesOf(context, stored)
  return { type: 'delete', key: new TextDecoder().decode(keyBytes), keyBytes, revision }
}
