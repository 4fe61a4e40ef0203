import { createIds } from '../../../client/ids/index.ts'
import { TurnActivity } from './activity.ts'
import type { ClientLife } from './client-machine.ts'

const generatorName = 'i'

/** Makes ids, often one soon after another: generators that were at the same moment must show. */
export class IdsActivity extends TurnActivity {
  readonly name = 'ids'

  protected begin(life: ClientLife): () => Promise<boolean> {
    const { random } = this
    const { recorder } = this.world
    const generator = createIds(life.context, generatorName)
    return async () => {
      const ids: string[] = []
      try {
        for (let left = 1 + random.below(20); left > 0; left--) {
          ids.push(await generator.nextString({ timeoutMs: 3000 }))
          await life.sleep(random.below(8))
        }
      } finally {
        recorder.add({ type: 'ids', name: generatorName, client: life.name, atMs: recorder.nowMs, ids })
      }
      return true
    }
  }
}
