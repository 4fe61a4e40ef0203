/** One of the two planes as a stream of what moves, in key order. */
import type { PlaneContext } from '../context.ts'
import type { Entry, Key, Revision } from '../driver/index.ts'
import { listPages } from '../watching/index.ts'
import { fateOf, rangesOf } from './what-moves.ts'

/** Values can be large; a page of the largest ones still fits in memory well. */
const pageSize = 64

/** A key that moves. */
export interface MovingEntry {
  /** Relative. */
  readonly key: Key
  readonly entry: Entry
}

export interface ReadSideOptions {
  readonly prefixes: readonly Key[]
  /** As of then; where the engine cannot, or without it, the newest. */
  readonly revision?: Revision | undefined
  /** Keys after this one only; relative. */
  readonly after?: Key | undefined
  readonly keysOnly?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Told of each key that does not move. */
  readonly onStaying?: (fate: 'leased' | 'stays') => void
}

export async function* readSide(
  context: PlaneContext,
  options: ReadSideOptions,
): AsyncGenerator<MovingEntry, void, void> {
  const { driver, namespace } = context
  const { prefixes, after, keysOnly, signal, onStaying } = options
  const revision = driver.can.atRevision ? options.revision : undefined
  for (const range of rangesOf(context, prefixes)) {
    const first = after === undefined ? range.start : `${namespace}${after}\0`
    if (range.end !== '' && range.end !== undefined && first >= range.end) continue
    const start = first > range.start ? first : range.start
    for await (const page of listPages(driver, { start, end: range.end }, { pageSize, revision, keysOnly, signal }))
      for (const entry of page.entries) {
        const key = entry.key.slice(namespace.length)
        const fate = fateOf(key, entry)
        if (fate === 'moves') yield { key, entry }
        else onStaying?.(fate)
      }
  }
}

/** The newest revision of a plane's engine. */
export async function newestRevision({ driver, namespace }: PlaneContext, signal?: AbortSignal): Promise<Revision> {
  return (await driver.get(`${namespace}synod/floors/tokens`, { signal })).revision
}
