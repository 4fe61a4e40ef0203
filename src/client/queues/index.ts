export type { Enqueued } from './enqueue.ts'
export type { Job } from './job.ts'
export { createQueue, type DequeueOptions, type EnqueueOptions, type Queue, type QueueOptions } from './queue.ts'
