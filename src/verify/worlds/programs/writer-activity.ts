import { createKv, type KvEntry, type KvWithHistory, put } from '../../../client/kv/index.ts'
import type { KvEntry as EntryRecord, KvInput, KvOutput, OperationRecord } from '../../history/index.ts'
import { TurnActivity } from './activity.ts'
import { type ClientLife, isExpected } from './client-machine.ts'

/** All keys that writers write and watchers watch. Every write to them is recorded. */
export const watchedRange = { start: 'p/', end: 'p0' } as const

const keyCount = 3

/** Writes and reads keys of its own through the client, for watchers to see. */
export class WriterActivity extends TurnActivity {
  readonly name = 'writer'
  private values = 0
  /** Keys that an operation of unknown fate was about are left alone: each one left open costs the checkers a fork. */
  private generation = 0
  /** What the keys of this generation are known to be. */
  private readonly known = new Map<string, string>()

  protected begin(life: ClientLife): () => Promise<boolean> {
    const kv = createKv(life.context)
    return () => this.operate(life, kv)
  }

  private key(life: ClientLife): string {
    return `${watchedRange.start}${life.name}.${this.generation}.${this.random.below(keyCount)}`
  }

  private operate(life: ClientLife, kv: KvWithHistory): Promise<boolean> {
    const { random } = this
    const limits = { timeoutMs: 2000 }
    const key = this.key(life)
    const value = `${life.name}-${this.values++}`
    switch (random.below(8)) {
      case 0:
        return this.record(life, { op: 'get', key }, async () => {
          const entry = await kv.get(key, limits)
          return { entries: entry === undefined ? [] : [entryRecord(entry)] }
        })
      case 1:
      case 2:
        return this.record(life, { op: 'delete', key }, async () => {
          const { deleted, revision } = await kv.delete(key, limits)
          this.known.delete(key)
          return { deleted: Number(deleted), revision }
        })
      case 3: {
        const expected = this.known.get(key) ?? null
        const condition = expected === null ? ({ absent: true } as const) : { value: expected }
        return this.record(life, { op: 'cas', key, expected, value }, async () => {
          const { swapped, revision } = await kv.compareAndSwap(key, condition, value, limits)
          if (swapped) this.known.set(key, value)
          return { succeeded: swapped, revision }
        })
      }
      case 4: {
        const second = `${key}+`
        const success = [key, second].map((each) => ({ op: 'put', key: each, value }) as const)
        return this.record(life, { op: 'txn', compares: [], success, failure: [] }, async () => {
          const { revision } = await kv.txn().do(put(key, value), put(second, value)).commit(limits)
          this.known.set(key, value)
          return { succeeded: true, revision }
        })
      }
      default:
        return this.record(life, { op: 'put', key, value }, async () => {
          const { revision } = await kv.put(key, value, limits)
          this.known.set(key, value)
          return { revision }
        })
    }
  }

  private async record(life: ClientLife, input: KvInput, operation: () => Promise<KvOutput>): Promise<boolean> {
    const { recorder } = this.world
    const client = `${life.name}-${this.generation}`
    const begun = { type: 'operation', client, invokedMs: recorder.nowMs, input } as const
    const unknown = { ...begun, outcome: 'unknown', error: 'no answer' } as const
    const finish = recorder.beginOperation(unknown)
    const crashed = (): void => {
      this.generation++
    }
    life.onEnd.add(crashed)
    try {
      const output = await operation()
      finish({ ...begun, outcome: 'ok', returnedMs: recorder.nowMs, output })
      return true
    } catch (error) {
      if (!isExpected(error)) throw error
      const failed: OperationRecord = { ...begun, outcome: 'failed', returnedMs: recorder.nowMs, error: error.code }
      if (error.outcome === 'not-applied') finish(failed)
      else this.generation++
      throw error
    } finally {
      life.onEnd.delete(crashed)
    }
  }
}

function entryRecord({ key, value, createRevision, modRevision, version }: KvEntry): EntryRecord {
  return { key, value: Buffer.from(value).toString('latin1'), createRevision, modRevision, version }
}
