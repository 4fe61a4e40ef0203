/**
 * The one key of a schedule that says which slot was taken last: `{"slotMs":…,"token":…,"run":ID}`.
 *
 * - C1  `slotMs` rises: no slot is taken twice, by whichever leader.
 * - C2  A slot is taken by a transaction that holds only while the taker's candidacy stands and nothing was taken since it
 *       looked, so a leader that was replaced takes none, and an attempt whose answer was lost may be made again.
 */
import { utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, roomKey } from '../context.ts'
import type { CallOptions, Compare, Entry, Key, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { freshId, persist } from '../turns/index.ts'

/** The slot that was taken last. */
export interface TakenSlot {
  /** Milliseconds since 1970; undefined when none ever was. */
  readonly slotMs: number | undefined
  readonly fencingToken: number
  /** Unique to the attempt that took it. */
  readonly run: string
  /** 0: none ever was. */
  readonly modRevision: Revision
}

/** Where the schedule `name` keeps it. */
export function takenSlotKey(context: PlaneContext, name: string): Key {
  return roomKey(context, 'schedules', name, 'taken')
}

export async function readTakenSlot(context: PlaneContext, name: string, options: CallOptions): Promise<TakenSlot> {
  const { driver } = context
  const { entry } = await persist(driver.outside, options, (call) => driver.get(takenSlotKey(context, name), call))
  return decode(entry)
}

/**
 * Takes `slotMs`, if nothing was taken since `before`. Resolves with what is taken now, and whether by this call. `holds`
 * is the candidacy of whoever leads.
 */
export async function takeSlot(
  context: PlaneContext,
  name: string,
  slotMs: number,
  {
    before,
    holds,
    fencingToken,
  }: { readonly before: TakenSlot; readonly holds: Compare; readonly fencingToken: number },
  options: CallOptions,
): Promise<{ readonly isOurs: boolean; readonly taken: TakenSlot }> {
  const { driver } = context
  const key = takenSlotKey(context, name)
  const run = freshId(driver.outside)
  const value = utf8Bytes(JSON.stringify({ slotMs, token: fencingToken, run }))
  return persist(driver.outside, options, async (call) => {
    const { succeeded, revision, results } = await driver.transact(
      {
        compares: [holds, { key, target: 'modRevision', is: '=', value: before.modRevision }],
        success: [{ type: 'put', key, value }],
        failure: [{ type: 'get', key }],
      },
      call,
    )
    if (succeeded) return { isOurs: true, taken: { slotMs, fencingToken, run, modRevision: revision } }
    const [seen] = results
    const taken = decode(seen?.type === 'get' ? seen.entry : undefined)
    return { isOurs: taken.run === run, taken }
  })
}

function decode(entry: Entry | undefined): TakenSlot {
  if (entry === undefined) return { slotMs: undefined, fencingToken: 0, run: '', modRevision: 0 }
  try {
    const { slotMs, token, run } = JSON.parse(new TextDecoder().decode(entry.value)) as Record<string, unknown>
    return { slotMs: Number(slotMs), fencingToken: Number(token), run: String(run), modRevision: entry.modRevision }
  } catch (cause) {
    throw new SynodError('CORRUPT', `the schedule's key ${JSON.stringify(entry.key)} holds something else; delete it`, {
      cause,
    })
  }
}
