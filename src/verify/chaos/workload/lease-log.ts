/**
 * One lease as its client saw it, recorded for the checkers.
 *
 * - B1  A put tied to a lease is an operation like any other. When nobody knows whether it happened, nobody knows either
 *       which keys the end of the lease deleted: that deletion is recorded as an operation of unknown outcome too.
 */

import type { LeaseRecord } from '../../history/index.ts'
import { outcomeOf } from '../client/rpc-failure.ts'
import type { Recorder } from '../recorder.ts'

export class LeaseLog {
  readonly name: string
  /** The keys that are known to have been tied to it. */
  readonly keys: string[] = []
  private readonly recorder: Recorder
  private sequence = 0
  private puts = 0

  constructor(recorder: Recorder, lease: bigint) {
    this.recorder = recorder
    this.name = lease.toString(16)
  }

  record(what: LeaseRecord['what']): void {
    this.recorder.add({ type: 'lease', lease: this.name, sequence: this.sequence++, what })
  }

  /**
   * Carries out a put tied to the lease. `call` resolves with its revision, or with undefined when its condition did not
   * hold; so does this. Rejects as `call` does.
   */
  async put(
    node: string,
    key: string,
    value: string,
    call: () => Promise<number | undefined>,
  ): Promise<number | undefined> {
    const { recorder } = this
    const client = `lease-${this.name}-${this.puts++}`
    const begun = {
      type: 'operation',
      client,
      node,
      invokedMs: recorder.nowMs(),
      input: { op: 'put', key, value },
    } as const
    try {
      const revision = await call()
      const returnedMs = recorder.nowMs()
      if (revision === undefined) {
        recorder.add({ ...begun, returnedMs, outcome: 'failed', error: 'the condition did not hold' })
        return undefined
      }
      recorder.add({ ...begun, returnedMs, outcome: 'ok', output: { revision } })
      this.keys.push(key)
      this.record({ event: 'attached', key, revision, atMs: returnedMs })
      return revision
    } catch (cause) {
      const outcome = outcomeOf(cause)
      const error = (cause as Error).message
      if (outcome === 'failed') recorder.add({ ...begun, returnedMs: recorder.nowMs(), outcome, error })
      else {
        recorder.add({ ...begun, outcome, error })
        // B1
        const removal = [...this.keys, key].map((each) => ({ op: 'delete', key: each }) as const)
        const input = { op: 'txn', compares: [], success: removal, failure: [] } as const
        recorder.add({ ...begun, client: `${client}-end`, outcome, error: 'the end of the lease', input })
      }
      throw cause
    }
  }
}
