/**
 * The requests of a streaming call, for its handler to iterate.
 *
 * I1. At most `queuedMax` messages, or `queuedBytesMax` bytes of them and one message more, and those of one more read wait
 *     in `queue`; then the client is held back. `queuedBytes` is what came since the queue was empty.
 * I2. At most one `next` waits, in `waiter`, and only while `queue` is empty.
 */
import type { IncomingCall } from '../transport/index.ts'

const queuedMax = 16
const queuedBytesMax = 1 << 20

interface Waiter {
  resolve(result: IteratorResult<unknown>): void
  reject(error: unknown): void
}

const finished: IteratorResult<unknown> = { done: true, value: undefined }

export class RequestStream implements AsyncIterableIterator<unknown> {
  private readonly call: Pick<IncomingCall, 'pause' | 'resume'>
  private queue: unknown[] = []
  private queuedBytes = 0
  private waiter: Waiter | undefined = undefined
  private isPaused = false
  /** No more messages come: half-closed, failed with `failure`, or left by the handler. */
  private isOver = false
  private failure: unknown = undefined
  private isLeft = false

  constructor(call: Pick<IncomingCall, 'pause' | 'resume'>) {
    this.call = call
  }

  /** `byteLength`: of the message as it was sent. */
  push(message: unknown, byteLength: number): void {
    if (this.isOver) return
    const waiter = this.waiter
    if (waiter !== undefined) {
      this.waiter = undefined
      waiter.resolve({ done: false, value: message })
      return
    }
    this.queue.push(message)
    this.queuedBytes += byteLength
    if ((this.queue.length < queuedMax && this.queuedBytes <= queuedBytesMax) || this.isPaused) return
    this.isPaused = true
    this.call.pause()
  }

  /** The client sends no more. */
  end(): void {
    this.isOver = true
    this.waiter?.resolve(finished)
    this.waiter = undefined
  }

  /** What is iterated fails with `error`, at once. */
  fail(error: unknown): void {
    if (this.isOver && this.queue.length === 0) return
    this.isOver = true
    this.failure = error
    this.queue = []
    this.waiter?.reject(error)
    this.waiter = undefined
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.queue.length > 0) {
      const value = this.queue.shift()
      if (this.queue.length === 0) this.emptied()
      return Promise.resolve({ done: false, value })
    }
    if (this.failure !== undefined && !this.isLeft) return Promise.reject(this.failure)
    if (this.isOver) return Promise.resolve(finished)
    if (this.waiter !== undefined) return Promise.reject(new TypeError('the requests are read by two readers at once'))
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject }
    })
  }

  private emptied(): void {
    this.queuedBytes = 0
    if (!this.isPaused) return
    this.isPaused = false
    this.call.resume()
  }

  /** The handler reads no more: what comes is dropped, so that the client is not held back for ever. */
  return(): Promise<IteratorResult<unknown>> {
    this.isLeft = true
    this.isOver = true
    this.queue = []
    this.emptied()
    return Promise.resolve(finished)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
