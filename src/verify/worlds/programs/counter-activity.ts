import { createCounter } from '../../../client/counters/index.ts'
import type { CounterRecord } from '../../history/index.ts'
import { chance, pick } from '../chance.ts'
import { TurnActivity } from './activity.ts'
import { type ClientLife, isExpected } from './client-machine.ts'

export const counterName = 'c'

/** Adds, adds within a bound, and reads one counter that all machines share; now and then several in one turn. */
export class CounterActivity extends TurnActivity {
  readonly name = 'counter'
  private sequence = 0

  protected begin(life: ClientLife): () => Promise<boolean> {
    const counter = createCounter(life.context, counterName)
    return async () => {
      const count = chance(this.random, 0.2) ? 1 + this.random.below(4) : 1
      const done = await Promise.all(Array.from({ length: count }, () => this.operate(life, counter)))
      return done.every(Boolean)
    }
  }

  private async operate(life: ClientLife, counter: ReturnType<typeof createCounter>): Promise<boolean> {
    const { random } = this
    const limits = { timeoutMs: pick(random, [500, 2000, 10_000]) }
    const client = `${life.name}-${this.sequence++}`
    const n = 1 + random.below(3)
    switch (random.below(5)) {
      case 0:
        return this.record({ client, op: 'get' }, async () => ({ value: await counter.get(limits) }))
      case 1: {
        const max = random.below(pick(random, [20, 2000]))
        return this.record({ client, op: 'add', n, max }, () => counter.addIf(n, { max }, limits))
      }
      default:
        return this.record({ client, op: 'add', n }, async () => ({ value: await counter.add(n, limits) }))
    }
  }

  /** Rejects with what the faults of the world do not explain. */
  private async record(
    what: Pick<CounterRecord, 'client' | 'op' | 'n' | 'max'>,
    operation: () => Promise<Pick<CounterRecord, 'value' | 'applied'>>,
  ): Promise<boolean> {
    const { recorder } = this.world
    const begun = { type: 'counter', counter: counterName, ...what, invokedMs: recorder.nowMs } as const
    const finish = recorder.begin<CounterRecord>({ ...begun, outcome: 'unknown' })
    try {
      const output = await operation()
      finish({ ...begun, ...output, outcome: 'ok', returnedMs: recorder.nowMs })
      return true
    } catch (error) {
      if (!isExpected(error)) throw error
      recorder.count(`counter ${error.outcome}`)
      // One of unknown fate stays open: it may have been applied, or may yet be.
      if (error.outcome === 'not-applied') finish(undefined)
      return false
    }
  }
}
