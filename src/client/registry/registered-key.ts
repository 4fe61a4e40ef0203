/**
 * The key of one registration: written again and again as the instance's state changes, on one session after another.
 *
 * - G1  Every write is guarded by the revision it was decided on, so one whose answer was lost is applied at most once,
 *       and never after a later one.
 * - G2  A key that another registration wrote under the same id since this one did is never written again: the last to
 *       register wins.
 * - G3  Once `remove` has resolved, the key does not come back: when an attempt may be under way, a mark that every
 *       attempt is guarded by is left until the session ends.
 */
import { emptyBytes, equalBytes } from '../../base/index.ts'
import type { CallOptions, Driver, Entry, Key, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { absent, lastingAsLongAs, persist } from '../turns/index.ts'
import { decodeRecord, encodeRecord, type InstanceRecord } from './instance.ts'

export class RegisteredKey {
  readonly key: Key
  private readonly driver: Driver
  private readonly markKey: Key
  private readonly by: string
  /** Of the key as last seen; 0: not there. */
  private modRevision: Revision = 0
  /** Whether this registration has written the key. */
  private hasWritten = false
  private hasOpenAttempt = false
  /** What {@link RegisteredKey.see} was told last. */
  private seenAtRevision: Revision = 0
  private seenOurs = false

  constructor(driver: Driver, key: Key, markKey: Key, by: string) {
    this.driver = driver
    this.key = key
    this.markKey = markKey
    this.by = by
  }

  /** Makes the key say this on the session's lease. Rejects with `ALREADY_EXISTS` under G2. */
  async write(session: Session, record: InstanceRecord, options: CallOptions): Promise<void> {
    const value = encodeRecord(record)
    const { signal } = lastingAsLongAs(session, options)
    await persist(this.driver.outside, { signal, deadlineMs: Number.POSITIVE_INFINITY }, async (call) => {
      for (;;) {
        const written = await this.attempt(session, value, call)
        if (typeof written === 'number') {
          this.modRevision = written
          break
        }
        const { entry } = written
        const isOurs = entry !== undefined && decodeRecord(entry)?.by === this.by
        if (entry !== undefined && !isOurs && this.hasWritten) throw this.replaced()
        this.modRevision = entry?.modRevision ?? 0
        if (isOurs && entry.leaseId === session.leaseId && equalBytes(entry.value, value)) break
      }
      this.hasWritten = true
    })
  }

  /** Deletes the key, unless another registration has taken it over. */
  async remove(session: Session): Promise<void> {
    const limits = { signal: session.signal, deadlineMs: Number.POSITIVE_INFINITY }
    await persist(this.driver.outside, limits, async (call) => {
      if (this.hasOpenAttempt) {
        const mark = { type: 'put', key: this.markKey, value: emptyBytes, leaseId: session.leaseId } as const
        await this.driver.transact({ compares: [], success: [mark] }, call)
      }
      const { entry } = await this.driver.get(this.key, call)
      if (entry === undefined || decodeRecord(entry)?.by !== this.by) return
      const compares = [{ key: this.key, target: 'modRevision', is: '=', value: entry.modRevision } as const]
      await this.driver.transact({ compares, success: [{ type: 'delete', key: this.key }] }, call)
    })
  }

  /** Takes note of what a watch shows. */
  see(entry: Entry | undefined, revision: Revision): void {
    this.seenAtRevision = revision
    this.seenOurs = entry !== undefined && decodeRecord(entry)?.by === this.by
  }

  /** Whether others deleted or took over the key since it was written last. */
  get isDisturbed(): boolean {
    return this.hasWritten && !this.seenOurs && this.seenAtRevision > this.modRevision
  }

  private async attempt(
    session: Session,
    value: Uint8Array,
    call: CallOptions,
  ): Promise<Revision | { readonly entry: Entry | undefined }> {
    const { key } = this
    try {
      const { succeeded, revision, results } = await this.driver.transact(
        {
          compares: [absent(this.markKey), { key, target: 'modRevision', is: '=', value: this.modRevision }],
          success: [{ type: 'put', key, value, leaseId: session.leaseId }],
          failure: [{ type: 'get', key }],
        },
        call,
      )
      if (succeeded) return revision
      const [seen] = results
      return { entry: seen?.type === 'get' ? seen.entry : undefined }
    } catch (error) {
      if (!(error instanceof SynodError) || error.outcome === 'unknown') this.hasOpenAttempt = true
      throw error
    }
  }

  private replaced(): SynodError {
    return new SynodError(
      'ALREADY_EXISTS',
      'another process registered under this id since; this registration is over: use ids of which each is one process’s',
    )
  }
}
