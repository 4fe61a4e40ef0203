import type { CallOptions, Driver, Key, KeyRange, Revision } from '../driver/index.ts'
import type { SynodError } from '../errors.ts'
import { Backoff, mayPass, pause } from './backoff.ts'
import { Bell } from './bell.ts'

export interface AwaitGoneOptions extends CallOptions {
  /**
   * A revision at which the caller has seen the key there. Where the engine keeps history this saves the first read.
   */
  readonly seenAtRevision?: Revision | undefined
}

/**
 * Resolves when the key that `createRevision` made is not there any more, also when another was made in its place since.
 *
 * One read and one watch, where the engine keeps history; elsewhere one read for each change of the key. Outlives the
 * connection. Without a deadline in `options` it waits for as long as it takes. Rejects with `CANCELLED`, `TIMEOUT`, or
 * what the engine refused for good (`CLOSED`, `PERMISSION_DENIED`, …).
 */
export async function awaitGone(
  driver: Driver,
  key: Key,
  createRevision: Revision,
  options: AwaitGoneOptions = {},
): Promise<void> {
  const backoff = new Backoff(driver.outside)
  const { signal, deadlineMs } = options
  const limits: CallOptions = { signal, deadlineMs }
  let seenAtRevision = options.seenAtRevision
  for (;;) {
    try {
      const ended =
        driver.watch === undefined
          ? await goneByObserving(driver, key, createRevision, limits)
          : await goneByWatching(driver, key, createRevision, seenAtRevision, limits)
      if (ended === 'gone') return
      if (ended !== 'compacted' && !mayPass(ended)) throw ended
    } catch (error) {
      if (!mayPass(error)) throw error
    }
    seenAtRevision = undefined
    await pause(driver.outside, backoff.next(), limits)
  }
}

type Ended = 'gone' | 'compacted' | SynodError

async function goneByWatching(
  driver: Driver,
  key: Key,
  createRevision: Revision,
  seenAtRevision: Revision | undefined,
  limits: CallOptions,
): Promise<Ended> {
  let from = seenAtRevision
  if (from === undefined) {
    const { entry, revision } = await driver.get(key, limits)
    if (entry?.createRevision !== createRevision) return 'gone'
    from = revision
  }
  const bell = new Bell()
  let ended: Ended | undefined
  const end = (how: Ended): void => {
    ended ??= how
    bell.ring()
  }
  const subscription = driver.watch!(justKey(key), from + 1, {
    onEvents(events) {
      if (events.some((event) => event.type === 'delete' || event.entry.createRevision !== createRevision)) end('gone')
    },
    onCompacted: () => end('compacted'),
    onEnd: end,
  })
  try {
    await bell.heard(driver.outside, limits)
  } finally {
    subscription.cancel()
  }
  return ended!
}

async function goneByObserving(
  driver: Driver,
  key: Key,
  createRevision: Revision,
  limits: CallOptions,
): Promise<Ended> {
  const bell = new Bell()
  let ended: SynodError | undefined
  const subscription = await driver.observe(
    justKey(key),
    {
      onChange: () => bell.ring(),
      onEnd(error) {
        ended ??= error
        bell.ring()
      },
    },
    limits,
  )
  try {
    for (;;) {
      const { entry } = await driver.get(key, limits)
      if (entry?.createRevision !== createRevision) return 'gone'
      await bell.heard(driver.outside, limits)
      if (ended !== undefined) return ended
    }
  } finally {
    subscription.cancel()
  }
}

function justKey(key: Key): KeyRange {
  return { start: key, end: undefined }
}
