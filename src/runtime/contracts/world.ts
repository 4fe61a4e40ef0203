/** Where a contract suite runs: the real outside world or a simulated one. */
export interface ContractWorld<T> {
  /** Runs `body` to its end, on a fresh `subject`; the simulated world lets its time pass meanwhile. */
  run(body: (subject: T) => Promise<void>): Promise<void>
}

/** A promise and its settling. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
