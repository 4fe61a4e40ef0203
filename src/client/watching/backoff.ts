import type { CallOptions, ClientRuntime } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { Bell } from './bell.ts'

const firstMsDefault = 20
const longestMsDefault = 2000

/**
 * How long to wait before each next attempt: twice as long each time, of which at least a half and the rest at random, so
 * that those who failed together do not come back together. After a quiet time it begins anew.
 */
export class Backoff {
  private readonly outside: Pick<ClientRuntime, 'clock' | 'random'>
  private readonly firstMs: number
  private readonly longestMs: number
  private nextMs: number
  private lastAtMs = Number.NEGATIVE_INFINITY

  constructor(
    outside: Pick<ClientRuntime, 'clock' | 'random'>,
    { firstMs = firstMsDefault, longestMs = longestMsDefault }: { firstMs?: number; longestMs?: number } = {},
  ) {
    this.outside = outside
    this.firstMs = firstMs
    this.longestMs = longestMs
    this.nextMs = firstMs
  }

  next(): number {
    const now = this.outside.clock.monotonicMs()
    if (now - this.lastAtMs > 2 * this.longestMs + 1000) this.nextMs = this.firstMs
    this.lastAtMs = now
    const limit = this.nextMs
    this.nextMs = Math.min(this.longestMs, limit * 2)
    return (limit * (1 + this.outside.random.float())) / 2
  }
}

/** Waits so long. Rejects with `CANCELLED` or `TIMEOUT` as soon as `options` say so. */
export async function pause(outside: ClientRuntime, delayMs: number, options: CallOptions = {}): Promise<void> {
  const bell = new Bell()
  const timer = outside.scheduler.setTimer(delayMs, () => bell.ring())
  try {
    await bell.heard(outside, options)
  } finally {
    timer.cancel()
  }
}

/** Whether what failed so may work when it is tried again: a read, or the beginning of a watch. */
export function mayPass(error: unknown): error is SynodError {
  return error instanceof SynodError && error.retryable
}
