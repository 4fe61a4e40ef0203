/** Whoever waits until something has become ready; it stays so. */
export class ReadyWaiters {
  isResolved = false
  private failure: Error | undefined
  private readonly waiters = new Set<{ resolve(): void; reject(error: unknown): void }>()

  /** Rejects with an error of `message()` and the signal's reason as its cause when `signal` fires before. */
  wait(signal: AbortSignal | undefined, message: () => string): Promise<void> {
    if (this.isResolved) return Promise.resolve()
    if (this.failure !== undefined) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.waiters.delete(waiter)
        reject(new Error(message(), { cause: signal?.reason }))
      }
      const waiter = {
        resolve: () => {
          signal?.removeEventListener('abort', giveUp)
          resolve()
        },
        reject: (error: unknown) => {
          signal?.removeEventListener('abort', giveUp)
          reject(error)
        },
      }
      this.waiters.add(waiter)
      signal?.addEventListener('abort', giveUp, { once: true })
      if (signal?.aborted === true) giveUp()
    })
  }

  resolve(): void {
    this.isResolved = true
    for (const waiter of this.waiters) waiter.resolve()
    this.waiters.clear()
  }

  reject(error: Error): void {
    this.failure ??= error
    for (const waiter of this.waiters) waiter.reject(error)
    this.waiters.clear()
  }
}
