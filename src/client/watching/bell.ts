import { assert } from '../../base/index.ts'
import type { CallOptions, ClientRuntime } from '../driver/index.ts'
import { cancelledError, timeoutError } from '../limits.ts'

/**
 * Wakes one waiter. Made for one consumer whom any number of callbacks may have something to tell.
 *
 * - I1  A ring that nobody waits for is kept: the next wait ends at once. Several rings before a wait are one.
 */
export class Bell {
  private rung = false
  private wake: (() => void) | undefined

  ring(): void {
    this.rung = true
    this.wake?.()
  }

  /** Resolves when it has rung since the last time. Rejects with `CANCELLED` or `TIMEOUT` as `options` say. */
  heard(outside: Pick<ClientRuntime, 'clock' | 'scheduler'>, options: CallOptions = {}): Promise<void> {
    assert(this.wake === undefined, 'one waiter at a time')
    const { signal, deadlineMs = Number.POSITIVE_INFINITY } = options
    if (signal?.aborted === true) return Promise.reject(cancelledError(signal))
    if (this.rung) {
      this.rung = false
      return Promise.resolve()
    }
    const leftMs = deadlineMs - outside.clock.monotonicMs()
    if (leftMs <= 0) return Promise.reject(timeoutError())
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        timer?.cancel()
        signal?.removeEventListener('abort', onAbort)
        this.wake = undefined
        settle()
      }
      const onAbort = (): void => finish(() => reject(cancelledError(signal!)))
      const timer =
        leftMs === Number.POSITIVE_INFINITY
          ? undefined
          : outside.scheduler.setTimer(leftMs, () => finish(() => reject(timeoutError())))
      signal?.addEventListener('abort', onAbort)
      this.wake = () => {
        this.rung = false
        finish(resolve)
      }
    })
  }
}
