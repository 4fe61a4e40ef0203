import { createQueue, type Job } from '../../../client/queues/index.ts'
import type { JobRecord } from '../../history/index.ts'
import { chance } from '../chance.ts'
import { TurnActivity } from './activity.ts'
import { type ClientLife, isExpected } from './client-machine.ts'
import { recordHold } from './hold-record.ts'

export const queueName = 'q'

/** Adds jobs to a queue, and does jobs from it: takes one, works for a while, and acknowledges it or gives it back. */
export class QueueActivity extends TurnActivity {
  readonly name = 'queue'
  private sequence = 0

  protected begin(life: ClientLife): () => Promise<boolean> {
    const queue = createQueue(life.context, queueName)
    return async () => {
      // What is added must be done, or the queue grows.
      if (chance(this.random, 0.45)) return this.add(life, queue)
      const job = chance(this.random, 0.3)
        ? await queue.tryDequeue({ signal: life.stopping, timeoutMs: 3000 })
        : await queue.dequeue({ waitMs: 2000, signal: life.stopping })
      return job !== undefined && this.work(life, job)
    }
  }

  private async add(life: ClientLife, queue: ReturnType<typeof createQueue>): Promise<boolean> {
    const { recorder } = this.world
    const job = `${life.name}-${this.sequence++}`
    const invokedMs = recorder.nowMs
    const told = (end: Pick<JobRecord, never> & { readonly outcome: 'ok' | 'failed' | 'unknown' }): JobRecord => ({
      type: 'job',
      queue: queueName,
      job,
      what: { event: 'added', invokedMs, ...end, ...(end.outcome === 'unknown' ? {} : { returnedMs: recorder.nowMs }) },
    })
    const finish = recorder.begin(told({ outcome: 'unknown' }))
    try {
      await queue.enqueue(job, chance(this.random, 0.5) ? { timeoutMs: 1000 } : {})
      finish(told({ outcome: 'ok' }))
      return true
    } catch (error) {
      if (!isExpected(error)) throw error
      recorder.count(`enqueue ${error.outcome}`)
      if (error.outcome === 'not-applied') finish(told({ outcome: 'failed' }))
      throw error
    }
  }

  private async work(life: ClientLife, job: Job): Promise<boolean> {
    const { recorder } = this.world
    const name = job.text()
    const grant = { worker: life.name, token: job.fencingToken }
    const end = recordHold(this.world, life, job, { lock: `job/${queueName}/${name}`, token: job.fencingToken })
    recorder.add({
      type: 'job',
      queue: queueName,
      job: name,
      what: { event: 'claimed', ...grant, atMs: recorder.nowMs },
    })
    await life.sleep(this.random.below(600))
    if (chance(this.random, 0.2)) {
      await job.release()
      return true
    }
    const invokedMs = recorder.nowMs
    const removal = { event: 'removed', ...grant, invokedMs } as const
    const of = (what: JobRecord['what']): JobRecord => ({ type: 'job', queue: queueName, job: name, what })
    const finish = recorder.begin(of({ ...removal, outcome: 'unknown' }))
    try {
      await job.ack()
      end()
      finish(of({ ...removal, outcome: 'ok', returnedMs: recorder.nowMs }))
      return true
    } catch (error) {
      if (!isExpected(error)) throw error
      if (error.outcome === 'not-applied') finish(of({ ...removal, outcome: 'failed', returnedMs: recorder.nowMs }))
      await job.release().catch(() => {})
      throw error
    }
  }
}
