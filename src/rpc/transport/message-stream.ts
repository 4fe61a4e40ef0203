/**
 * The messages of a streaming call on their way to whoever iterates them: answers to a caller, requests to a handler.
 *
 * I1. At most `queuedMax` messages, or `queuedBytesMax` bytes of them and one message more, and those of one more read wait
 *     in `queue`; then the sender is held back. `queuedBytes` is what came since the queue was empty.
 * I2. At most one `next` waits, in `waiter`, and only while `queue` is empty.
 * I3. `failure` is told once, after what is queued; from then on the iteration is done, as that of a generator is.
 */

/** The call behind a stream of messages. */
export interface MessageSource {
  pause(): void
  resume(): void
  /** The reader reads no more. */
  left?(): void
}

const queuedMax = 16
const queuedBytesMax = 1 << 20
const finished: IteratorResult<unknown> = { done: true, value: undefined }

interface Waiter {
  resolve(result: IteratorResult<unknown>): void
  reject(error: unknown): void
}

export class MessageStream implements AsyncIterableIterator<unknown> {
  private readonly source: MessageSource
  private readonly what: 'answers' | 'requests'
  private queue: unknown[] = []
  private queuedBytes = 0
  private waiter: Waiter | undefined = undefined
  private isPaused = false
  /** No more messages come: ended, failed, or left by the reader. */
  private isOver = false
  private failure: unknown = undefined

  constructor(source: MessageSource, what: 'answers' | 'requests') {
    this.source = source
    this.what = what
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

  /** No more messages come; with `error` because the call failed, which is told after what is queued. */
  end(error?: unknown): void {
    if (this.isOver) return
    this.isOver = true
    const waiter = this.waiter
    this.waiter = undefined
    if (waiter === undefined) this.failure = error
    else if (error === undefined) waiter.resolve(finished)
    else waiter.reject(error)
  }

  /** What is iterated fails with `error` at once: what is queued is dropped, also after `end`. */
  fail(error: unknown): void {
    if (this.isOver && this.queue.length === 0) return
    this.isOver = false
    this.queue = []
    this.end(error)
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.queue.length > 0) {
      const value = this.queue.shift()
      if (this.queue.length === 0) this.emptied()
      return Promise.resolve({ done: false, value })
    }
    if (this.failure !== undefined) {
      const { failure } = this
      this.failure = undefined
      return Promise.reject(failure)
    }
    if (this.isOver) return Promise.resolve(finished)
    if (this.waiter !== undefined) {
      return Promise.reject(new TypeError(`the ${this.what} are read by two readers at once`))
    }
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject }
    })
  }

  /** The reader reads no more: what comes is dropped, so that the sender is not held back for ever. */
  return(): Promise<IteratorResult<unknown>> {
    this.isOver = true
    this.failure = undefined
    this.queue = []
    this.waiter?.resolve(finished)
    this.waiter = undefined
    this.emptied()
    this.source.left?.()
    return Promise.resolve(finished)
  }

  private emptied(): void {
    this.queuedBytes = 0
    if (!this.isPaused) return
    this.isPaused = false
    this.source.resume()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
