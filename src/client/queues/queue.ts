import { utf8Bytes } from '../../base/index.ts'
import type { PlaneContext } from '../context.ts'
import type { CallOptions } from '../driver/index.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import type { Session } from '../sessions/index.ts'
import { persist } from '../turns/index.ts'
import { Claimant } from './dequeue.ts'
import { type Enqueued, Producer } from './enqueue.ts'
import type { Job } from './job.ts'
import { queueKeys } from './queue-keys.ts'

export interface QueueOptions {
  /** What ids and claims hang on. Default: the session that all primitives of this connection share. */
  readonly session?: Session | undefined
}

/** How a job is added. */
export interface EnqueueOptions extends CallLimits {
  /**
   * Names the job: another one of this id is not added while it is in the queue, nor ever by this session. 1 to 512 bytes
   * of UTF-8. Default: made up, unlike any other.
   */
  readonly id?: string | undefined
  /** What remembers the id. Default: the queue's. */
  readonly session?: Session | undefined
}

/** How a job is waited for and claimed. */
export interface DequeueOptions {
  /** Ends the wait with `CANCELLED`. Does nothing to a job already claimed. */
  readonly signal?: AbortSignal | undefined
  /** Rejects with `TIMEOUT` when there was no job within so many milliseconds. Default: waits for as long as it takes. */
  readonly waitMs?: number | undefined
  /** What the claim hangs on. Default: the queue's. */
  readonly session?: Session | undefined
}

/**
 * A small, exact queue of jobs, in the order in which they were added.
 *
 * Each job is delivered at least once and removed exactly once: a worker claims the oldest job that is free, and removes
 * it with `ack`; when its session is lost before, the job is free again, at its old place. Jobs are begun in order; with
 * several workers they may end in another.
 *
 * For thousands of jobs, not for millions: workers look at all keys of the queue to find the oldest.
 */
export interface Queue {
  readonly name: string
  /**
   * Adds a job at the end. Exactly once within the session, also when answers are lost: the call finds out by itself, and
   * a program that calls again with the same id adds nothing (`added: false`). `outcome: 'unknown'` only when the session
   * ended, or the limits of the call were reached, before that was possible.
   */
  enqueue(value: string | Uint8Array, options?: EnqueueOptions): Promise<Enqueued>
  /**
   * Claims the oldest free job, waiting for one. Waiting workers stand in line: a job wakes one. After a rejection
   * (`TIMEOUT`, `CANCELLED`, `SESSION_LOST`) nothing stays claimed by this call.
   *
   * @example
   * for (;;) {
   *   await using job = await synod.queue('mail').dequeue()
   *   await send(job.json<Mail>(), { signal: job.signal })
   *   await job.ack()
   * }
   */
  dequeue(options?: DequeueOptions): Promise<Job>
  /** Claims the oldest free job; resolves with undefined when there is none. */
  tryDequeue(options?: Omit<DequeueOptions, 'waitMs'> & CallLimits): Promise<Job | undefined>
  /** How many jobs are in the queue, claimed ones among them. */
  size(limits?: CallLimits): Promise<number>
}

/** Makes the queue `name`. Nothing is asked of the engine until it is used. */
export function createQueue(context: PlaneContext, name: string, options: QueueOptions = {}): Queue {
  const { driver, sessions, tracing } = context
  const keys = queueKeys(context, name)
  const producer = new Producer(driver, keys)
  const attributes = { 'synod.name': name }
  const sessionOf = (session: Session | undefined, limits: CallOptions): Promise<Session> | Session =>
    session ?? options.session ?? sessions.shared(limits)
  return {
    name,
    enqueue: (value, call = {}) =>
      tracing.span('queue.enqueue', attributes, async () => {
        const limits = callOptions(context, call)
        const session = await sessionOf(call.session, limits)
        const bytes = typeof value === 'string' ? utf8Bytes(value) : Uint8Array.from(value)
        return producer.add(session, call.id, bytes, limits)
      }),
    dequeue: ({ signal, waitMs, session } = {}) =>
      tracing.span('queue.dequeue', attributes, async () => {
        const limits = callOptions(context, { signal, timeoutMs: waitMs })
        return new Claimant(context, keys, await sessionOf(session, limits), limits).claim()
      }),
    tryDequeue: (call = {}) =>
      tracing.span('queue.dequeue', attributes, async () => {
        const limits = callOptions(context, call)
        return new Claimant(context, keys, await sessionOf(call.session, limits), limits).claimNow()
      }),
    size: (limits = {}) =>
      persist(driver.outside, callOptions(context, limits), async (call) => {
        const { entries } = await driver.list(keys.jobs, { ...call, keysOnly: true })
        return entries.length
      }),
  }
}
