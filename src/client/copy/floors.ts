/**
 * The floors: what makes tokens and ids of the target greater than any of the source, whatever the revisions and clocks
 * of the target say.
 *
 * A token is the floor plus a revision of its engine. So the source's floor plus its newest revision is at least any
 * token that it has given; as the target's floor it lies below every token that the target will give. Floors only rise:
 * a target that gave tokens of its own before keeps its order too.
 */
import type { PlaneContext } from '../context.ts'
import type { Key, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { idsFloor, idsFloorKey, maxIdsFloor } from '../ids/index.ts'
import { readTokenFloor, tokenBytes, tokenFloorKey } from '../locks/index.ts'
import { type PersistOptions, persist } from '../turns/index.ts'

export interface Floors {
  /** Added to revisions. */
  readonly tokens: number
  /** Milliseconds since the Unix epoch. */
  readonly idsMs: number
}

/** What the target's floors must be at least, when the source is at `revision`. */
export async function neededFloors(from: PlaneContext, to: PlaneContext, revision: Revision): Promise<Floors> {
  const tokens = (await readTokenFloor(from)) + revision
  if (!Number.isSafeInteger(tokens))
    throw new SynodError('TOO_LARGE', `tokens of the target would pass 2^53 - 1: the source is at revision ${revision}`)
  return {
    tokens: Math.max(tokens, await readTokenFloor(to)),
    idsMs: Math.max(await maxIdsFloor(from), await idsFloor(to)),
  }
}

export async function raiseFloors(to: PlaneContext, floors: Floors, options: PersistOptions): Promise<void> {
  await raise(to, tokenFloorKey(to), floors.tokens, options)
  await raise(to, idsFloorKey(to), floors.idsMs, options)
}

/** Both floors are decimal text. Safe to repeat: what was raised already is left. */
async function raise(to: PlaneContext, key: Key, floor: number, options: PersistOptions): Promise<void> {
  const { driver } = to
  await persist(driver.outside, options, async (call) => {
    for (;;) {
      const { entry } = await driver.get(key, call)
      if (entry !== undefined && Number(Buffer.from(entry.value).toString('latin1')) >= floor) return
      const unchanged = { key, target: 'modRevision', is: '=', value: entry?.modRevision ?? 0 } as const
      const put = { type: 'put', key, value: tokenBytes(floor) } as const
      if ((await driver.transact({ compares: [unchanged], success: [put] }, call)).succeeded) return
    }
  })
}
