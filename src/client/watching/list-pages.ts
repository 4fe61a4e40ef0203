import type { Driver, Key, KeyRange, ListOptions, ListResult, ReadOptions, Revision } from '../driver/index.ts'

export interface ListPagesOptions extends ReadOptions {
  /** Keys a page. Default 500. */
  readonly pageSize?: number | undefined
  /** Keys in all. Default: all. */
  readonly limit?: number | undefined
  readonly keysOnly?: boolean | undefined
  /** Of each page, in milliseconds. Default: the driver's request time-out. */
  readonly timeoutMs?: number | undefined
}

export const pageSizeDefault = 500

/**
 * The keys of a range page by page, each read when it is asked for. Where the engine reads as of a revision all pages are
 * of the first one's; elsewhere each page is of its own moment, and a key that is written meanwhile is met in one of its
 * states or, when it is made or deleted, perhaps not at all.
 */
export async function* listPages(
  driver: Driver,
  range: KeyRange,
  options: ListPagesOptions = {},
): AsyncGenerator<ListResult, void, void> {
  const { pageSize = pageSizeDefault, signal, keysOnly, stale, timeoutMs } = options
  let left = options.limit ?? Number.POSITIVE_INFINITY
  let revision: Revision | undefined = options.revision
  let start: Key = range.start
  while (left > 0) {
    const deadlineMs = timeoutMs === undefined ? options.deadlineMs : driver.outside.clock.monotonicMs() + timeoutMs
    const read: ListOptions = { signal, deadlineMs, keysOnly, stale, revision, limit: Math.min(left, pageSize) }
    const page = await driver.list({ start, end: range.end }, read)
    yield page
    const last = page.entries.at(-1)
    if (!page.more || last === undefined) return
    left -= page.entries.length
    start = `${last.key}\0`
    if (driver.can.atRevision) revision ??= page.revision
  }
}
