/**
 * The answers of a streaming call, for its caller to iterate.
 *
 * I1. At most `queuedMax` messages, or `queuedBytesMax` bytes of them and one message more, and those of one more read wait
 *     in `queue`; then the server is held back. `queuedBytes` is what came since the queue was empty.
 * I2. At most one `next` waits, in `waiter`, and only while `queue` is empty.
 */

/** The call behind a stream of answers. */
export interface AnswerSource {
  pause(): void
  resume(): void
  cancel(reason: unknown): void
}

const queuedMax = 16
const queuedBytesMax = 1 << 20
const finished: IteratorResult<unknown> = { done: true, value: undefined }

interface Waiter {
  resolve(result: IteratorResult<unknown>): void
  reject(error: unknown): void
}

export class AnswerStream implements AsyncIterableIterator<unknown> {
  private readonly source: AnswerSource
  private queue: unknown[] = []
  private queuedBytes = 0
  private waiter: Waiter | undefined = undefined
  private isPaused = false
  private isOver = false
  private failure: unknown = undefined

  constructor(source: AnswerSource) {
    this.source = source
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
    this.source.pause()
  }

  /** No more answers come; with `error` the call failed, which is told after what is queued. */
  end(error: unknown): void {
    if (this.isOver) return
    this.isOver = true
    const waiter = this.waiter
    this.waiter = undefined
    if (waiter === undefined) this.failure = error
    else if (error === undefined) waiter.resolve(finished)
    else waiter.reject(error)
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.queue.length > 0) {
      const value = this.queue.shift()
      if (this.queue.length === 0) {
        this.queuedBytes = 0
        if (this.isPaused) {
          this.isPaused = false
          this.source.resume()
        }
      }
      return Promise.resolve({ done: false, value })
    }
    if (this.failure !== undefined) {
      const { failure } = this
      this.failure = undefined
      return Promise.reject(failure)
    }
    if (this.isOver) return Promise.resolve(finished)
    if (this.waiter !== undefined) return Promise.reject(new TypeError('the answers are read by two readers at once'))
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject }
    })
  }

  /** The caller reads no more: the call is given up. */
  return(): Promise<IteratorResult<unknown>> {
    this.isOver = true
    this.queue = []
    this.failure = undefined
    this.waiter?.resolve(finished)
    this.waiter = undefined
    this.source.cancel(new Error('the caller reads no more answers'))
    return Promise.resolve(finished)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
