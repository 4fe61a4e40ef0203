/** Takes a streamed request from its caller, as fast as the server takes it. */
import type { Requests } from '../service/index.ts'
import type { CallRun } from './call-run.ts'

export class RequestPump {
  private readonly call: CallRun
  private readonly requests: Requests<unknown>
  private iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined = undefined
  private readonly encode: (request: unknown) => Uint8Array
  private isStopped = false
  private wake: (() => void) | undefined = undefined
  /** A drain that came before anyone waited for it. */
  private hasDrained = false

  constructor(call: CallRun, requests: Requests<unknown>, encode: (request: unknown) => Uint8Array) {
    this.call = call
    this.encode = encode
    this.requests = requests
  }

  /** Ends with the request or with the call; never rejects. */
  async run(): Promise<void> {
    if (this.isStopped) return
    try {
      const iterator = iteratorOf(this.requests)
      this.iterator = iterator
      for (;;) {
        const step = await iterator.next()
        if (this.isStopped) return
        if (step.done === true) break
        this.hasDrained = false
        if (!this.call.send(this.encode(step.value))) await this.drained()
        if (this.isStopped) return
      }
      this.call.end()
    } catch (error) {
      // The caller's own failure, or a message that cannot be sent: the server is told by a reset.
      this.call.fail(error)
    }
  }

  onDrain(): void {
    this.hasDrained = true
    this.wake?.()
  }

  /** The call is over: the caller's iterator is told to stop. */
  stop(): void {
    if (this.isStopped) return
    this.isStopped = true
    this.wake?.()
    try {
      const left = this.iterator?.return?.()
      if (left instanceof Promise) left.catch(() => {})
    } catch {
      // What a caller's iterator does at its end concerns nobody any more.
    }
  }

  private drained(): Promise<void> {
    if (this.hasDrained) return Promise.resolve()
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }
}

function iteratorOf(requests: Requests<unknown>): AsyncIterator<unknown> | Iterator<unknown> {
  return Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]()
}
