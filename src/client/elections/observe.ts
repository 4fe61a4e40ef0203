import type { PlaneContext } from '../context.ts'
import type { CallOptions, Entry, KeyRange, Revision } from '../driver/index.ts'
import type { CallLimits } from '../limits.ts'
import { readTokenFloor } from '../locks/index.ts'
import { firstOf, persist } from '../turns/index.ts'
import { flatMapped, latestStates } from '../watching/index.ts'

/** Who leads, as seen from outside: it may have ended since. */
export interface Leader {
  /** What it proclaims. */
  readonly value: Uint8Array
  /** {@link Leader.value} as UTF-8. */
  text(): string
  readonly fencingToken: number
  /** Of the write that made it leader, or that proclaimed its value. */
  readonly revision: Revision
}

/** The leader now. */
export async function leaderOf(
  context: PlaneContext,
  line: KeyRange,
  options: CallOptions,
): Promise<Leader | undefined> {
  const { driver } = context
  const { entries } = await persist(driver.outside, options, (call) => driver.list(line, call))
  const first = firstOf(entries)
  return first === undefined ? undefined : describe(first, await readTokenFloor(context, options))
}

/** The leader now, and after each change. */
export function observeLeaders(
  context: PlaneContext,
  line: KeyRange,
  { signal }: Pick<CallLimits, 'signal'>,
): AsyncIterableIterator<Leader | undefined> {
  /** `none` before the first state. */
  let told: Entry | undefined | 'none' = 'none'
  let floor = 0
  return flatMapped(latestStates(context.driver, line, { signal }), async ({ entries }) => {
    const first = firstOf(entries.values())
    const before = told
    if (before !== 'none' && isSameState(first, before)) return []
    told = first
    if (first === undefined) return [undefined]
    // Read once a reign: the floor rises when an engine is filled from another, before programs use it.
    const isSameReign = before !== 'none' && before?.createRevision === first.createRevision
    if (!isSameReign) floor = await readTokenFloor(context, { signal, deadlineMs: Number.POSITIVE_INFINITY })
    return [describe(first, floor)]
  })
}

function isSameState(a: Entry | undefined, b: Entry | undefined): boolean {
  return a?.key === b?.key && a?.modRevision === b?.modRevision
}

function describe(entry: Entry, floor: number): Leader {
  const { value, createRevision, modRevision } = entry
  return {
    value,
    text: () => new TextDecoder().decode(value),
    fencingToken: floor + createRevision,
    revision: modRevision,
  }
}
