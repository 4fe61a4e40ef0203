/**
 * What every plane owes, through the public API alone: each promise is a test, run on every engine. One that an engine
 * cannot keep by its nature is skipped with the reason; `docs/engines.md` is made of the same list.
 */
import { after, before, describe, it } from 'node:test'
import type { CommonPlane, HistoryPlane, PlaneEngine } from '../../index.ts'
import { barrierPromises } from './barriers.ts'
import { callPromises } from './calls.ts'
import { electionPromises } from './elections.ts'
import { whyNot } from './engine-promises.ts'
import { PlaneGround, type PlanePromise, type PlaneSubject, PlaneWorld } from './ground.ts'
import { keyAndValuePromises } from './keys-and-values.ts'
import { lockPromises } from './locks.ts'
import { moreLockPromises } from './more-locks.ts'
import { numberPromises } from './numbers.ts'
import { sessionPromises } from './sessions.ts'
import { sharedDataPromises } from './shared-data.ts'
import { transactionPromises } from './transactions.ts'
import { watchPromises } from './watches.ts'
import { workPromises } from './work.ts'

/** All of them, section by section. */
export const planePromises: readonly PlanePromise[] = [
  ...keyAndValuePromises,
  ...transactionPromises,
  ...watchPromises,
  ...sessionPromises,
  ...lockPromises,
  ...moreLockPromises,
  ...electionPromises,
  ...barrierPromises,
  ...numberPromises,
  ...workPromises,
  ...sharedDataPromises,
  ...callPromises,
]

export interface PlaneContractOptions {
  readonly engine: PlaneEngine
  /** Starts, or reaches, the engine. Called once. */
  open(): Promise<PlaneSubject>
  /** The reason not to run it here at all. */
  readonly skip?: string | false | undefined
}

const testTimeoutMs = 60_000

/** Registers the suite under `name`. */
export function planeContract(name: string, { engine, open, skip = false }: PlaneContractOptions): void {
  describe(`${name}: what the plane promises`, { skip, timeout: 10 * testTimeoutMs }, () => {
    let world: PlaneWorld | undefined
    before(async () => {
      world = new PlaneWorld(await open())
    })
    after(() => world?.close())
    for (const promise of planePromises)
      it(`${promise.section}: ${promise.title}`, { timeout: testTimeoutMs }, async (context) => {
        const reason = whyNot(engine, promise)
        if (reason !== undefined) return context.skip(reason)
        const ground = new PlaneGround<CommonPlane>(world!)
        try {
          await promise.body(ground as PlaneGround<HistoryPlane>)
        } finally {
          await ground.end()
        }
      })
  })
}
