import { createConfig } from '../../../client/config/index.ts'
import type { StandardSchema } from '../../../client/schema/index.ts'
import type { PublishedRecord } from '../../history/index.ts'
import { chance, pick } from '../chance.ts'
import { type ProgramWorld, TurnActivity } from './activity.ts'
import { type ClientLife, isExpected } from './client-machine.ts'

const subject = 'config/x'

type Versions = Readonly<Record<string, number>>

const versions: StandardSchema<Versions> = {
  '~standard': { version: 1, vendor: 'synod', validate: (value) => ({ value: value as Versions }) },
}

/** Keeps a config near and looks at it; now and then publishes the next version of its own part of it. */
export class ConfigActivity extends TurnActivity {
  readonly name = 'config'
  private readonly publisher: string
  /** Of the last that was published, perhaps. */
  private version = 0
  private sequence = 0

  constructor(world: ProgramWorld, random: TurnActivity['random'], pauseMs: number, publisher: string) {
    super(world, random, pauseMs)
    this.publisher = publisher
  }

  protected begin(life: ClientLife): () => Promise<boolean> {
    const open = () =>
      createConfig(life.context, 'x', {
        schema: versions,
        defaults: {},
        revalidateMs: pick(this.random, [300, 1000, 3000]),
      })
    let opening: ReturnType<typeof open> | undefined
    return async () => {
      opening ??= open()
      const config = await opening.catch((error: unknown) => {
        opening = undefined
        throw error
      })
      if (chance(this.random, 0.1)) return this.publish((part) => config.set(part, { timeoutMs: 3000 }))
      const { recorder } = this.world
      // By true time at least so old: the reader's clock may be slow.
      const staleMs = config.staleMs() / (1 - this.world.driftPpm / 1e6)
      recorder.add({
        type: 'reading',
        subject,
        reader: life.name,
        sequence: this.sequence++,
        atMs: recorder.nowMs,
        asOfMs: recorder.nowMs - staleMs,
        versions: config.value,
      })
      return false
    }
  }

  private async publish(set: (part: Versions) => Promise<void>): Promise<boolean> {
    const { recorder } = this.world
    const version = ++this.version
    const { publisher } = this
    const begun = { type: 'published', subject, publisher, version, invokedMs: recorder.nowMs } as const
    const finish = recorder.begin<PublishedRecord>({ ...begun, outcome: 'unknown' })
    try {
      await set({ [publisher]: version })
      finish({ ...begun, outcome: 'ok', returnedMs: recorder.nowMs })
      return true
    } catch (error) {
      if (!isExpected(error)) throw error
      if (error.outcome === 'not-applied') finish({ ...begun, outcome: 'failed' })
      throw error
    }
  }
}
