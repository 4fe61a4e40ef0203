/**
 * Adding a job exactly once, though answers are lost and workers may have done it by the time one asks again.
 *
 * - A1  The job and a marker of its id are written in one transaction that holds only while neither is there. The marker
 *       hangs on the producer's session and so outlives the job: whoever asks again within that session finds it.
 * - A2  The marker holds the id of the call, so a repetition of this call is told apart from another call's job.
 * - A3  Markers of ids that nobody chose are of no use once every attempt of the call is answered: they go with a later
 *       call's transaction. While an attempt may be under way, the marker stays until the session ends.
 */
import { binaryString, utf8Bytes } from '../../base/index.ts'
import type { CallOptions, Driver, Key, Operation } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { absent, endingWith, freshId, isLeaseGone, lastingAsLongAs, persist } from '../turns/index.ts'
import { escapedId, type QueueKeys } from './queue-keys.ts'

/** How many markers one transaction takes along; etcd allows 128 operations. */
const forgottenAtOnce = 32

/** What came of adding a job. Adding one again is no error: `added` says which it was. */
export interface Enqueued {
  /** The job's id: as given, or made up. */
  readonly id: string
  /** False when a job of this id was there, or was added in this session before. */
  readonly added: boolean
}

/** Markers that can go, of all queues, by the session that they hang on: a program may make its queue anew for each job. */
const settledMarkers = new WeakMap<Session, Set<Key>>()

export class Producer {
  private readonly driver: Driver
  private readonly keys: QueueKeys

  constructor(driver: Driver, keys: QueueKeys) {
    this.driver = driver
    this.keys = keys
  }

  async add(session: Session, id: string | undefined, value: Uint8Array, options: CallOptions): Promise<Enqueued> {
    const { outside } = this.driver
    const call = freshId(outside)
    const part = id === undefined ? call : escapedId(id)
    const marker = this.keys.added(part)
    const forgotten = takeSettled(session)
    try {
      const parts = { marker, job: this.keys.job(part), call, value, forgotten }
      const { added, isCertain } = await this.write(session, parts, options)
      if (id === undefined && isCertain) settle(session, [marker])
      if (!added) settle(session, forgotten)
      return { id: id ?? call, added }
    } catch (error) {
      settle(session, forgotten)
      throw error
    }
  }

  private write(session: Session, parts: WriteParts, options: CallOptions): Promise<Written> {
    const { marker, job, call, value, forgotten } = parts
    const remember = { type: 'put', key: marker, value: utf8Bytes(call), leaseId: session.leaseId } as const
    const transaction = {
      compares: [absent(marker), absent(job)],
      success: [{ type: 'put', key: job, value } as const, remember, ...forgotten.map(deletion)],
      failure: [{ type: 'get', key: marker } as const],
    }
    return endingWithUnknown(session, options, () =>
      persist(this.driver.outside, lastingAsLongAs(session, options), async (attempt, isCertain) => {
        const { succeeded, results } = await this.driver.transact(transaction, attempt)
        const [seen] = results
        const isMarked = seen?.type === 'get' && seen.entry !== undefined && binaryString(seen.entry.value) === call
        return { added: succeeded || isMarked, isCertain }
      }),
    )
  }
}

function takeSettled(session: Session): Key[] {
  const settled = settledMarkers.get(session)
  const taken = [...(settled?.values().take(forgottenAtOnce) ?? [])]
  for (const key of taken) settled?.delete(key)
  return taken
}

function settle(session: Session, keys: readonly Key[]): void {
  const settled = settledMarkers.get(session) ?? new Set()
  settledMarkers.set(session, settled)
  for (const key of keys) settled.add(key)
}

interface Written {
  readonly added: boolean
  /** Whether no attempt is under way any more. */
  readonly isCertain: boolean
}

interface WriteParts {
  readonly marker: Key
  readonly job: Key
  /** Unique to the call. */
  readonly call: string
  readonly value: Uint8Array
  readonly forgotten: readonly Key[]
}

function deletion(key: Key): Operation {
  return { type: 'delete', key }
}

/** Unlike what hangs on a session, a job outlives it: an attempt of unknown fate stays one. */
async function endingWithUnknown<T>(session: Session, options: CallOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { outcome } = error as { outcome?: unknown }
    if (outcome === 'unknown' && (session.signal.aborted || isLeaseGone(error))) {
      const message =
        'the session ended before it could be found out whether the job was added; look for it, or add it under an id of your own'
      throw new SynodError('SESSION_LOST', message, { outcome: 'unknown', cause: error })
    }
    return endingWith(session, options, () => Promise.reject(error))
  }
}
